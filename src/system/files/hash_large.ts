/** SHA-256 of large files, and of their chunks, in Workers: the event loop stays free, and several are hashed at a time. */
import type { ToRead } from "../../domain/source_file.ts";
import type { Digest } from "../../domain/receipt.ts";
import { workerCalls } from "../workers/worker_calls.ts";
import { expectedOnly } from "./open_source.ts";
import type { Files, SharedBytes } from "../system.ts";
import type { FileCalls } from "./file_worker.ts";

const REST_MS = 2_000;
/** Hashed with one call, bytes: an abort is heard between two. */
const CALL_BYTES = 64 * 1024 * 1024;
/** More of them would only wait for a processor; but one may be blocked by a disk that does not respond. */
const WORKERS = 4;
/** What is handed from one Worker to another one: so many pieces of each chunk, and so many of them at a time. */
const PIECES = 8;
const ROOMS = 8;

interface Lane {
  readonly worker: ReturnType<typeof workerCalls<FileCalls>>;
  users: number;
}

const lanes = Array.from({ length: WORKERS }, (): Lane => {
  const options = { name: "file_worker", here: import.meta.url, what: "Hashing a large file", restMs: REST_MS };
  // It keeps what it has read between two calls.
  const worker = workerCalls<FileCalls>({ ...options, isNeeded: () => lane.users > 0 });
  const lane: Lane = { worker, users: 0 };
  return lane;
});
let count = 0;

/** See `Files.hashWithChunks`. One Worker reads and hashes each chunk, another one hashes the whole. */
export const hashWithChunks: Files["hashWithChunks"] = async (from, chunkBytes, signal) => {
  // Both may be in one Worker.
  const [id, wholeId] = [++count, ++count];
  const rooms = Array.from({ length: ROOMS }, () => new Uint8Array(new SharedArrayBuffer(chunkBytes / PIECES)));
  return await inLane(leastBusy(), (each) =>
    inLane(leastBusy(), async (whole) => {
      const found = { bytes: 0, chunks: [] as string[], isOver: false };
      const fillAgain = async (room: SharedBytes) => {
        while (!found.isOver) {
          signal.throwIfAborted();
          const { bytes, isOver, sha256 } = await each.worker.call("readNext", id, expectedOnly(from), room, chunkBytes);
          if (sha256 !== undefined) found.chunks.push(sha256);
          found.isOver ||= isOver;
          const adding = whole.worker.call("addBytes", wholeId, found.bytes, room.subarray(0, bytes));
          found.bytes += bytes;
          await adding;
        }
      };
      const stop = (error: unknown) => {
        found.isOver = true;
        throw error;
      };
      try {
        const filled = await Promise.allSettled(rooms.map((room) => fillAgain(room).catch(stop)));
        for (const one of filled) if (one.status === "rejected") throw one.reason;
        return { bytes: found.bytes, chunks: found.chunks, sha256: await whole.worker.call("sumOf", wholeId) };
      } finally {
        if (each.worker.running) await each.worker.call("drop", id);
        if (whole.worker.running) await whole.worker.call("drop", wholeId);
      }
    }));
};

/** A whole file; null where no Worker is free. */
export async function hashLarge(from: ToRead, signal: AbortSignal, onBytes?: (bytes: number) => void): Promise<Digest | null> {
  const lane = leastBusy();
  if (lane.users > 0) return null;
  return await inLane(lane, async ({ worker }) => {
    const id = ++count;
    for (let before = 0;;) {
      const { bytes, sha256 } = await worker.call("hashNext", id, expectedOnly(from), CALL_BYTES);
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
