/** Previews of images: made one after the other in a Worker that ends when it has nothing to do, kept in a bounded cache. */
import { join } from "@std/path";
import { onAbort } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import { mutex } from "../../async/mutex.ts";
import { type Destination, isOnThisComputer } from "../../config/settings.ts";
import { sameFingerprint, sameInode, type SourceFile, type ToRead } from "../../domain/source_file.ts";
import type { System } from "../../system/system.ts";
import { workerCalls } from "../../system/workers/worker_calls.ts";
import type { PreviewAnswer, PreviewCalls, PreviewRequest } from "./preview_worker.ts";

/** Which file, and where a copy of it may be. */
interface PreviewWish {
  readonly source: SourceFile;
  /** Path at the destination, below its base path. */
  readonly target: string;
  /** Null where it is not configured any more. */
  readonly destination: Pick<Destination, "transport" | "basePath"> | null;
  /** Most pixels a side. */
  readonly side: number;
}

/** A picture, or why there is none; `busy` where too many wait, try again later. */
type PreviewResult = PreviewAnswer | { readonly busy: true };

/** Asks for the PNG of a file; never throws for what its content is. */
export type Previews = (wish: PreviewWish) => Promise<PreviewResult>;

const CACHE_BYTES = 24 * 1024 * 1024;
/** What is remembered of a file that has none. */
const PROBLEM_BYTES = 500;
const MOST_WAITING = 100;
/** After each picture the Worker rests as long as that took, up to this: a contact sheet takes half a processor at most. */
const LONGEST_REST_MS = 1_000;
/** One image takes less than a second; what takes this long is broken off. */
const LONGEST_MS = 20_000;
const IDLE_MS = 20_000;

/** The part of the system that looking for files needs. */
export type PreviewSystem = Pick<System, "facts" | "sleep" | "monotonic">;

/** At most 20 s for each; its Worker ends when `signal` is aborted. */
export function previews(system: PreviewSystem, signal: AbortSignal): Previews {
  const cache = new Map<string, PreviewAnswer>();
  const pending = new Map<string, Promise<PreviewAnswer>>();
  let cachedBytes = 0;
  const inTurn = mutex();
  let rested = Promise.resolve();
  const options = { name: "preview_worker", here: import.meta.url, what: "The preview", restMs: IDLE_MS };
  const worker = workerCalls<PreviewCalls>(options);
  onAbort(signal, () => worker.end(new Error("the daemon is stopping")));

  function remember(key: string, answer: PreviewAnswer): void {
    cache.set(key, answer);
    cachedBytes += bytesOf(answer);
    for (const [oldest, its] of cache) {
      if (cachedBytes <= CACHE_BYTES) break;
      cache.delete(oldest);
      cachedBytes -= bytesOf(its);
    }
  }

  return async (wish) => {
    const { job, path, size, mtimeMs } = wish.source;
    const key = JSON.stringify([job, path, size, mtimeMs, wish.side]);
    const known = cache.get(key);
    if (known !== undefined) {
      // The latest used stays longest.
      cache.delete(key);
      cache.set(key, known);
      return known;
    }
    if (!pending.has(key) && pending.size >= MOST_WAITING) return { busy: true };
    const made = pending.get(key) ?? make(wish, key);
    pending.set(key, made);
    return await made;
  };

  async function make(wish: PreviewWish, key: string): Promise<PreviewAnswer> {
    try {
      const from = await whereItIs(wish, system);
      // Not remembered: it may come back.
      if (from === null) return { problem: "the file is no longer on this computer" };
      const answer = await inTurn(async () => {
        await rested;
        const start = system.monotonic();
        const made = await askWorker({ from, size: wish.source.size, mostSide: wish.side });
        rested = system.sleep(Math.min(LONGEST_REST_MS, system.monotonic() - start), signal);
        return made;
      });
      if (!signal.aborted) remember(key, answer);
      return answer;
    } finally {
      pending.delete(key);
    }
  }

  /** To be called one after the other. */
  async function askWorker(request: PreviewRequest): Promise<PreviewAnswer> {
    if (signal.aborted) return { problem: "the daemon is stopping" };
    try {
      const answer = await within(worker.call("preview", request), LONGEST_MS, system, null);
      if (answer !== null) return answer;
      worker.end();
      return { problem: "reading the file took too long" };
    } catch (error) {
      return { problem: error instanceof Error ? error.message : String(error) };
    }
  }
}

/** The source while it is unchanged, or its copy in a local destination. */
async function whereItIs({ source, target, destination }: PreviewWish, system: PreviewSystem): Promise<ToRead | null> {
  const there = await system.facts(source.absolutePath).catch(() => null);
  if (there?.kind === "file" && sameInode(there, source) && sameFingerprint(there, { ...source, identity: there.identity })) {
    return { ...source, identity: there.identity };
  }
  if (destination === null || !isOnThisComputer(destination)) return null;
  const copy = join(destination.basePath, target);
  const facts = await system.facts(copy).catch(() => null);
  return facts?.kind === "file" && facts.size === source.size
    ? { absolutePath: copy, identity: facts.identity, size: facts.size }
    : null;
}

function bytesOf(answer: PreviewAnswer): number {
  return "png" in answer ? answer.png.length + PROBLEM_BYTES : PROBLEM_BYTES;
}
