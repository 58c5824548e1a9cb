/**
 * Reads files once, from their beginning, and hashes them on the way.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { SmallFile, SourceReader } from "../system.ts";
import { CHUNK_BYTES, pieces } from "./hash.ts";

/** See `Files.readSource`. What is no regular file is not read: a pipe would never end. */
export async function readSource<T>(
  path: string,
  use: (source: SourceReader) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  using file = await Deno.open(path);
  const { isFile, size, mode, mtime } = await file.stat();
  if (!isFile) throw new Deno.errors.NotSupported(`"${path}" is not a regular file`);
  const sum = createHash("sha256");
  return await use({
    bytes: size,
    mode: (mode ?? 0) & 0o7777,
    mtimeMs: mtime?.getTime() ?? 0,
    async *read(length, pieceBytes = CHUNK_BYTES) {
      for await (const piece of pieces(file, length, signal, () => pieceBytes, pieceBytes)) {
        sum.update(piece);
        yield piece;
      }
    },
    sha256: () => sum.copy().digest("hex"),
  });
}

/** See `Files.readSmall`. */
export function readSmall(path: string, signal: AbortSignal): Promise<SmallFile | null> {
  return readSource(path, async (source) => {
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
  }, signal);
}

const SMALL_BYTES = 1024 * 1024;
