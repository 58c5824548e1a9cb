/**
 * SHA-256 of large files, and of parts of them, in Workers: the event loop stays free, and several are hashed at a time.
 *
 * @module
 */
import type { Digest } from "../../domain/receipt.ts";
import { workerCalls } from "../workers/worker_calls.ts";
import type { ChunkCalls } from "./chunk_worker.ts";

/** Each Worker ends when it had nothing to do for so long, milliseconds. */
const REST_MS = 2_000;
/** Hashed with one call, bytes: an abort is heard between two. */
const CALL_BYTES = 64 * 1024 * 1024;
/** More of them would only wait for a processor; but one may be blocked by a disk that does not respond. */
const WORKERS = 4;
/** That hash the chunks of one file. */
const WORKERS_FOR_CHUNKS = 2;

interface Lane {
  readonly worker: ReturnType<typeof workerCalls<ChunkCalls>>;
  users: number;
}

const lanes = Array.from({ length: WORKERS }, (): Lane => ({
  worker: workerCalls<ChunkCalls>({
    name: "chunk_worker",
    here: import.meta.url,
    what: "Hashing a large file",
    restMs: REST_MS,
  }),
  users: 0,
}));
let count = 0;

/** See `Files.hashChunks`. */
export async function hashChunks(
  path: string,
  chunkBytes: number,
  chunks: readonly number[],
  signal: AbortSignal,
): Promise<string[]> {
  const digests: string[] = [];
  const atOnce = Math.max(1, Math.min(Math.floor(CALL_BYTES / chunkBytes), Math.ceil(chunks.length / WORKERS_FOR_CHUNKS)));
  let next = 0;
  const hashSome = async ({ worker }: Lane) => {
    while (next < chunks.length) {
      signal.throwIfAborted();
      const from = next;
      next += atOnce;
      const found = await worker.call("chunks", path, chunkBytes, chunks.slice(from, next));
      found.forEach((digest, index) => digests[from + index] = digest);
    }
  };
  await Promise.all(Array.from({ length: WORKERS_FOR_CHUNKS }, () => inLane(leastBusy(), hashSome)));
  return digests;
}

/** A whole file; null where no Worker is free. */
export async function hashLarge(path: string, signal: AbortSignal, onBytes?: (bytes: number) => void): Promise<Digest | null> {
  const lane = leastBusy();
  if (lane.users > 0) return null;
  return await inLane(lane, async ({ worker }) => {
    const id = ++count;
    for (let before = 0;;) {
      const { bytes, sha256 } = await worker.call("more", id, path, CALL_BYTES);
      if (signal.aborted) {
        if (sha256 === null) await worker.call("drop", id);
        throw signal.reason;
      }
      if (bytes > before) onBytes?.(bytes - before);
      if (sha256 !== null) return { bytes, sha256 };
      before = bytes;
    }
  });
}

/** One that runs already rather than one that has to be started. */
function leastBusy(): Lane {
  return lanes.reduce((best, lane) =>
    lane.users < best.users || (lane.users === best.users && lane.worker.running && !best.worker.running) ? lane : best
  );
}

async function inLane<T>(lane: Lane, use: (lane: Lane) => Promise<T>): Promise<T> {
  lane.users += 1;
  try {
    return await use(lane);
  } finally {
    lane.users -= 1;
  }
}
