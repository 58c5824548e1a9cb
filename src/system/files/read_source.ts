/**
 * Reads files once, from their beginning, and hashes them on the way.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { pathToRead, type ToRead } from "../../domain/source_file.ts";
import type { SmallFile, SourceReader } from "../system.ts";
import { CHUNK_BYTES, pieces } from "./hash.ts";
import { openToRead } from "./open_source.ts";

/**
 * See `Files.readSource`. What is no regular file is not read: a pipe would never end. Only a call to the disk takes a place: whoever
 * uses the bytes may wait for a line, and for others who wait for a place.
 */
export async function readSource<T>(
  from: ToRead,
  use: (source: SourceReader) => Promise<T>,
  signal: AbortSignal,
  inPlace: <R>(call: () => Promise<R>) => Promise<R>,
): Promise<T> {
  signal.throwIfAborted();
  using file = await inPlace(() => openToRead(from));
  const { kind, size, mode, mtimeMs } = await inPlace(() => file.facts());
  if (kind !== "file") throw new Deno.errors.NotSupported(`"${pathToRead(from)}" is not a regular file`);
  const sum = createHash("sha256");
  return await use({
    bytes: size,
    mode,
    mtimeMs,
    async *read(length, pieceBytes = CHUNK_BYTES) {
      const read = (into: Uint8Array) => inPlace(() => file.read(into));
      for await (const piece of pieces({ read }, length, signal, () => pieceBytes, pieceBytes)) {
        sum.update(piece);
        yield piece;
      }
    },
    sha256: () => sum.copy().digest("hex"),
  });
}

/** See `Files.readSmall`. */
export function readSmall(
  from: ToRead,
  signal: AbortSignal,
  inPlace: <R>(call: () => Promise<R>) => Promise<R>,
): Promise<SmallFile | null> {
  return readSource(
    from,
    async (source) => {
      if (source.bytes >= SMALL_BYTES) return null;
      // One byte more than it should have: so a file that grows is noticed.
      const content = new Uint8Array(source.bytes + 1);
      let filled = 0;
      for await (const piece of source.read(content.length)) {
        content.set(piece, filled);
        filled += piece.length;
      }
      if (filled === content.length) return null;
      return { content: content.subarray(0, filled), mode: source.mode, sha256: source.sha256() };
    },
    signal,
    inPlace,
  );
}

const SMALL_BYTES = 1024 * 1024;
