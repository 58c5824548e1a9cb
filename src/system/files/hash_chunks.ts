/**
 * SHA-256 of parts of a large file, in two Workers: half the time of one pass, and the event loop stays free.
 *
 * @module
 */
import { workerCalls } from "../workers/worker_calls.ts";
import type { ChunkCalls } from "./chunk_worker.ts";

/** Each Worker ends when it had nothing to do for so long, milliseconds. */
const REST_MS = 2_000;
/** Hashed with one call, bytes: an abort is heard between two. */
const CALL_BYTES = 64 * 1024 * 1024;

const lanes = ["one half", "the other half"].map((half) =>
  workerCalls<ChunkCalls>({
    name: "chunk_worker",
    here: import.meta.url,
    what: `Hashing ${half} of the chunks of a file`,
    restMs: REST_MS,
  })
);

/** See `Files.hashChunks`. */
export async function hashChunks(
  path: string,
  chunkBytes: number,
  chunks: readonly number[],
  signal: AbortSignal,
): Promise<string[]> {
  const digests: string[] = [];
  const atOnce = Math.max(1, Math.floor(CALL_BYTES / chunkBytes));
  let next = 0;
  // Whoever has only one chunk must not always get the same Worker.
  lanes.reverse();
  await Promise.all([...lanes].map(async (lane) => {
    while (next < chunks.length) {
      signal.throwIfAborted();
      const from = next;
      next += atOnce;
      const found = await lane.call("hash", path, chunkBytes, chunks.slice(from, next));
      found.forEach((digest, index) => digests[from + index] = digest);
    }
  }));
  return digests;
}
