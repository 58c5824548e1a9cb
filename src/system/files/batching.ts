/**
 * Many short looks at files at a time are done together, in a Worker: each by itself costs a switch to a thread of the
 * runtime and back, some 20 µs of processor time and several times that on a busy machine. A few go the plain way.
 *
 * The Worker (13 MB) ends soon after the last batch. While it does not answer (a dead disk), nobody else waits for it, and who
 * waits already is served the plain way.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Digest } from "../../domain/receipt.ts";
import { clock } from "../host/clock.ts";
import type { Answer, Ask, Found } from "./batching_worker.ts";
import { thrownThere, workerUrl } from "../workers/worker_parts.ts";
import type { PathFacts } from "../system.ts";

/** Looks that are asked for at the same time are done together. */
export interface Batching {
  facts(path: string, alone: () => Promise<PathFacts | null>): Promise<PathFacts | null>;
  followedFacts(path: string, alone: () => Promise<PathFacts | null>): Promise<PathFacts | null>;
  /** For at most {@linkcode SHORT_BYTES}. */
  read(path: string, offset: number, length: number, alone: () => Promise<Uint8Array>): Promise<Uint8Array>;
  /** For small files; a large one is left to `alone`. */
  hash(path: string, alone: () => Promise<Digest>): Promise<Digest>;
}

/** What is read in a batch at most, bytes. */
export const SHORT_BYTES = 32 * 1024;
/** From so many at once on it is worth starting the Worker; from so many on using one that runs. */
const START_FOR = 96;
const USE_FOR = 8;
/** Asks in one message at most. */
const AT_ONCE = 500;
/** The Worker ends when it had nothing to do for so long. */
const REST_MS = 1_000;
/** When it has not answered for so long, the plain way is taken. */
const SILENCE_MS = 250;
/** When it has not answered for so long, what it was asked already goes the plain way as well: it may hash 500 small files in that time. */
const LONG_SILENCE_MS = 2_000;

interface Waiting {
  readonly ask: Ask;
  /** The plain way. */
  readonly alone: () => Promise<Found>;
  readonly resolve: (found: Found) => void;
  readonly reject: (error: unknown) => void;
}

interface Running {
  readonly worker: Worker;
  /** What it was asked and has not answered yet, oldest first. */
  readonly asked: (readonly Waiting[])[];
  lastSign: number;
  /** Aborted when all is answered. */
  answered: AbortController;
}

/** Starts nothing yet: the Worker comes with the first 96 looks at once. Errors are the ones that `alone` would throw. */
export function createBatching(longSilenceMs: number = LONG_SILENCE_MS): Batching {
  let waiting: Waiting[] = [];
  let running: Running | null = null;
  /** It could not be started, or broke: never again. */
  let broken = false;

  function ask(ask: Ask, alone: () => Promise<Found>): Promise<Found> {
    return new Promise((resolve, reject) => {
      waiting.push({ ask, alone, resolve, reject });
      // Whoever asks now is heard together: all that became runnable by the same event.
      if (waiting.length === 1) setImmediate(flush);
    });
  }

  function flush(): void {
    const all = waiting;
    waiting = [];
    const worker = all.length < USE_FOR ? null : workerFor(all.length);
    if (worker === null) return all.forEach(plainly);
    for (let start = 0; start < all.length; start += AT_ONCE) {
      const batch = all.slice(start, start + AT_ONCE);
      worker.asked.push(batch);
      if (worker.asked.length === 1) void watch(worker);
      worker.worker.postMessage(batch.map(({ ask }) => ask));
    }
  }

  function workerFor(count: number): Running | null {
    if (running === null && (broken || count < START_FOR)) return null;
    const worker = running ??= start();
    const silent = worker.asked.length > 0 && clock.monotonic() - worker.lastSign > SILENCE_MS;
    return silent ? null : worker;
  }

  function start(): Running {
    const worker = new Worker(workerUrl("batching_worker", import.meta.url), { type: "module", name: "batching" });
    const mine: Running = { worker, asked: [], lastSign: clock.monotonic(), answered: new AbortController() };
    worker.onmessage = ({ data }: MessageEvent<readonly Answer[]>) => {
      mine.lastSign = clock.monotonic();
      settle(mine.asked.shift() ?? [], data);
      if (mine.asked.length > 0) return;
      mine.answered.abort();
      void rest(mine);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      broken = true;
      mine.answered.abort();
      end(mine);
      mine.asked.splice(0).flat().forEach(plainly);
    };
    return mine;
  }

  /** Serves the plain way what has waited too long. What the Worker says of it later comes too late, and does no harm. */
  async function watch(mine: Running): Promise<void> {
    mine.lastSign = clock.monotonic();
    mine.answered = new AbortController();
    const { signal } = mine.answered;
    const served = new Set<readonly Waiting[]>();
    while (!signal.aborted) {
      await clock.sleep(longSilenceMs - (clock.monotonic() - mine.lastSign) % longSilenceMs, signal);
      if (signal.aborted || clock.monotonic() - mine.lastSign < longSilenceMs) continue;
      for (const batch of mine.asked.filter((batch) => !served.has(batch))) {
        served.add(batch);
        batch.forEach(plainly);
      }
    }
  }

  async function rest(mine: Running): Promise<void> {
    const since = mine.lastSign;
    await clock.sleep(REST_MS);
    if (running === mine && mine.asked.length === 0 && mine.lastSign === since) end(mine);
  }

  function end(mine: Running): void {
    mine.worker.terminate();
    if (running === mine) running = null;
  }

  return {
    facts: (path, alone) => ask({ do: "facts", path }, alone) as Promise<PathFacts | null>,
    followedFacts: (path, alone) => ask({ do: "followedFacts", path }, alone) as Promise<PathFacts | null>,
    read: (path, offset, length, alone) => ask({ do: "read", path, offset, length }, alone) as Promise<Uint8Array>,
    hash: async (path, alone) => await ask({ do: "hash", path }, alone) as Digest | null ?? await alone(),
  };
}

function plainly({ alone, resolve, reject }: Waiting): void {
  alone().then(resolve, reject);
}

function settle(batch: readonly Waiting[], answers: readonly Answer[]): void {
  batch.forEach((one, index) => {
    const answer = answers[index];
    if (answer === undefined) plainly(one);
    else if ("failed" in answer) one.reject(thrownThere(answer.failed));
    else one.resolve(answer.found);
  });
}
