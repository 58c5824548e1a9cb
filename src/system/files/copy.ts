/**
 * A hashing copy: reads, hashes and writes in one pass, and flushes before it returns (unless told not to).
 * When aborted or failed, it leaves its partial file, and can continue after it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Digest } from "../../domain/receipt.ts";
import { CHUNK_BYTES, pieces } from "./hash.ts";
import { pathToRead, type ToRead } from "../../domain/source_file.ts";
import type { CopyOptions } from "../system.ts";
import { openToRead } from "./open_source.ts";

/**
 * Copies `from` to the new file `to` and gives the digest of all bytes read, those before `options.from` included.
 *
 * @throws {Deno.errors.AlreadyExists} without `options.from`, when something is at `to`.
 * @throws {Deno.errors.InvalidData} when there is less than `options.from` at either side, or `to` is no regular file.
 */
export async function copy(from: ToRead, to: string, options: CopyOptions, signal: AbortSignal): Promise<Digest> {
  signal.throwIfAborted();
  const start = options.from ?? 0;
  const sum = options.hash === false ? null : createHash("sha256");
  using source = await openToRead(from);
  using target = start === 0 ? await Deno.open(to, { write: true, createNew: true }) : await openPartial(to, start);

  let bytes = 0;
  for await (const piece of pieces(source, start, signal)) {
    sum?.update(piece);
    bytes += piece.length;
  }
  if (bytes < start) {
    throw new Deno.errors.InvalidData(
      `Cannot continue the copy "${to}" at byte ${start}: "${pathToRead(from)}" has only ${bytes} bytes`,
    );
  }

  const { most = Infinity, pace, onBytes } = options;
  for await (const piece of pieces(source, most - start, signal, () => Math.min(CHUNK_BYTES, pace?.atOnce ?? CHUNK_BYTES))) {
    await pace?.next(piece.length, signal);
    const writing = writeAll(target, piece);
    // Here, while a thread of the runtime writes.
    sum?.update(piece);
    await writing;
    bytes += piece.length;
    onBytes?.(piece.length);
  }
  if (options.flush ?? true) await target.sync();
  return { bytes, sha256: sum?.digest("hex") ?? "" };
}

async function openPartial(path: string, start: number): Promise<Deno.FsFile> {
  const { isFile, size } = await Deno.lstat(path);
  if (!isFile || size < start) {
    throw new Deno.errors.InvalidData(`Cannot continue the copy "${path}" at byte ${start}: it is not a file of that length`);
  }
  const file = await Deno.open(path, { write: true });
  try {
    await file.truncate(start);
    await file.seek(start, Deno.SeekMode.Start);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** See `Files.writeInto`. */
export async function writeInto(
  path: string,
  offset: number,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(offset, Deno.SeekMode.Start);
  for await (const piece of content) {
    signal.throwIfAborted();
    await writeAll(file, piece);
  }
}

/** A single write may be partial. */
export async function writeAll(file: { write(data: Uint8Array): Promise<number> }, data: Uint8Array): Promise<void> {
  for (let written = 0; written < data.length;) written += await file.write(data.subarray(written));
}
