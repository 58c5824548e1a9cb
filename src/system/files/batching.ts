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
import { within } from "../../async/deadline.ts";
import type { Answer, Ask, BatchingCalls, Found } from "./batching_worker.ts";
import { uncarried, type WorkerCalls, workerCalls } from "../workers/worker_calls.ts";
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

interface State {
  readonly worker: WorkerCalls<BatchingCalls>;
  readonly longSilenceMs: number;
  /** Batches that it was asked for and has not answered yet. */
  unanswered: number;
  /** When it last answered, or was first asked. */
  lastSign: number;
  /** It could not be started, or broke: never again. */
  broken: boolean;
}

/** Starts nothing yet: the Worker comes with the first 96 looks at once. Errors are the ones that `alone` would throw. */
export function createBatching(longSilenceMs: number = LONG_SILENCE_MS): Batching {
  const options = { name: "batching_worker", here: import.meta.url, what: "The look at many files", restMs: REST_MS };
  const worker = workerCalls<BatchingCalls>(options);
  const state: State = { worker, longSilenceMs, unanswered: 0, lastSign: 0, broken: false };
  const waiting: Waiting[] = [];

  function ask(ask: Ask, alone: () => Promise<Found>): Promise<Found> {
    return new Promise((resolve, reject) => {
      waiting.push({ ask, alone, resolve, reject });
      // Whoever asks now is heard together: all that became runnable by the same event.
      if (waiting.length === 1) setImmediate(() => find(waiting.splice(0), state));
    });
  }

  return {
    facts: (path, alone) => ask({ do: "facts", path }, alone) as Promise<PathFacts | null>,
    followedFacts: (path, alone) => ask({ do: "followedFacts", path }, alone) as Promise<PathFacts | null>,
    read: (path, offset, length, alone) => ask({ do: "read", path, offset, length }, alone) as Promise<Uint8Array>,
    hash: async (path, alone) => await ask({ do: "hash", path }, alone) as Digest | null ?? await alone(),
  };
}

function find(all: readonly Waiting[], state: State): void {
  if (!isWorthwhile(all.length, state)) return all.forEach(plainly);
  for (let start = 0; start < all.length; start += AT_ONCE) void together(all.slice(start, start + AT_ONCE), state);
}

function isWorthwhile(count: number, { worker, unanswered, lastSign, broken }: State): boolean {
  if (broken || count < (worker.running ? USE_FOR : START_FOR)) return false;
  return unanswered === 0 || clock.monotonic() - lastSign <= SILENCE_MS;
}

async function together(batch: readonly Waiting[], state: State): Promise<void> {
  if (state.unanswered++ === 0) state.lastSign = clock.monotonic();
  try {
    const answering = state.worker.call("look", batch.map(({ ask }) => ask));
    const answers = await unlessSilent(answering, state);
    if (answers === null) batch.forEach(plainly);
    // What the Worker says after a long silence comes too late, and does no harm.
    settle(batch, answers ?? await answering);
  } catch {
    state.broken = true;
    batch.forEach(plainly);
  } finally {
    state.unanswered -= 1;
    state.lastSign = clock.monotonic();
  }
}

/** The answers, or null when the Worker has not answered anything for long. */
async function unlessSilent(answering: Promise<Answer[]>, state: State): Promise<Answer[] | null> {
  for (let leftMs = state.longSilenceMs; leftMs > 0; leftMs = state.lastSign + state.longSilenceMs - clock.monotonic()) {
    const answers = await within(answering, leftMs, clock, null);
    if (answers !== null) return answers;
  }
  return null;
}

function plainly({ alone, resolve, reject }: Waiting): void {
  alone().then(resolve, reject);
}

function settle(batch: readonly Waiting[], answers: readonly Answer[]): void {
  batch.forEach((one, index) => {
    const answer = answers[index];
    if (answer === undefined) plainly(one);
    else if ("failed" in answer) one.reject(uncarried(answer.failed));
    else one.resolve(answer.found);
  });
}
