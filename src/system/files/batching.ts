/**
 * Many short calls about files that are made at the same time run together, in a Worker: made one by one, each costs a switch to a thread of
 * the runtime and back, some 20 µs of processor time, and several times that on a busy machine. A few are made directly.
 *
 * The Worker (13 MB) ends soon after the last batch. While it does not respond (a dead disk), new calls are made directly, and so are
 * those that have waited for long.
 *
 * @module
 */
import type { ToRead } from "../../domain/source_file.ts";
import { setImmediate } from "node:timers";
import { chunks } from "../../domain/chunks.ts";
import type { Digest } from "../../domain/receipt.ts";
import { expectedOnly } from "./open_source.ts";
import { clock } from "../host/clock.ts";
import { within } from "../../async/deadline.ts";
import type { Answer, Ask, BatchingCalls, Found, ReadInto } from "./batching_worker.ts";
import { uncarried, type WorkerCalls, workerCalls } from "../workers/worker_calls.ts";
import type { PathFacts, SharedBytes, SmallFile } from "../system.ts";

/** Calls that are made at the same time run together. `alone` makes the call directly. */
interface Batching {
  facts(path: string, alone: () => Promise<PathFacts | null>): Promise<PathFacts | null>;
  followedFacts(path: string, alone: () => Promise<PathFacts | null>): Promise<PathFacts | null>;
  /** For at most {@linkcode SHORT_BYTES}. */
  read(
    from: ToRead,
    offset: number,
    length: number,
    alone: () => Promise<Uint8Array<ArrayBuffer>>,
  ): Promise<Uint8Array<ArrayBuffer>>;
  /** For small files; a large one is hashed by `alone`. */
  hash(from: ToRead, alone: () => Promise<Digest>): Promise<Digest>;
  /** The Worker reads into `into`; `alone` must not: a Worker that is late may still write there. */
  content(from: ToRead, into: SharedBytes | null, alone: () => Promise<SmallFile | null>): Promise<SmallFile | null>;
}

/** Longest read in a batch, bytes. */
export const SHORT_BYTES = 32 * 1024;
/** The Worker is started for at least so many calls at once, unless told otherwise; one that runs is used for at least so many. */
const START_FOR = 96;
const USE_FOR = 8;
/** Most calls in one message. */
const AT_ONCE = 500;
/** The Worker ends after so long without work. */
const REST_MS = 5_000;
/** When it has not answered for so long, new calls are made directly. */
const SILENCE_MS = 250;
/** The same for one that is being started: on a busy computer that takes longer. */
const START_MS = 1_000;
/** When it has not answered for so long, waiting calls are made directly, too: it may hash 500 small files in that time. */
const LONG_SILENCE_MS = 2_000;

interface Waiting {
  readonly ask: Ask;
  readonly alone: () => Promise<Found>;
  readonly resolve: (found: Found) => void;
  readonly reject: (error: unknown) => void;
}

interface State {
  readonly worker: WorkerCalls<BatchingCalls>;
  readonly startFor: number;
  readonly longSilenceMs: number;
  /** Batches without an answer yet. */
  unanswered: number;
  /** When it last answered, or was first asked. */
  lastSign: number;
  /** How long it may be silent. */
  silenceMs: number;
  /** It could not be started, or broke: never again. */
  broken: boolean;
}

/** When the Worker is used; see the constants that are the defaults. */
interface BatchingOptions {
  readonly startFor?: number;
  readonly longSilenceMs?: number;
}

/** Starts nothing yet: the Worker starts with the first `startFor` calls at once. Errors are the ones that `alone` would throw. */
export function createBatching({ startFor = START_FOR, longSilenceMs = LONG_SILENCE_MS }: BatchingOptions = {}): Batching {
  const options = { name: "batching_worker", here: import.meta.url, what: "Reading many files", restMs: REST_MS };
  const worker = workerCalls<BatchingCalls>(options);
  const state: State = { worker, startFor, longSilenceMs, unanswered: 0, lastSign: 0, silenceMs: SILENCE_MS, broken: false };
  const waiting: Waiting[] = [];

  function ask(ask: Ask, alone: () => Promise<Found>): Promise<Found> {
    return new Promise((resolve, reject) => {
      waiting.push({ ask, alone, resolve, reject });
      // Until then everything runs that the same event made runnable: its calls join this batch.
      if (waiting.length === 1) setImmediate(() => find(waiting.splice(0), state));
    });
  }

  return {
    facts: (path, alone) => ask({ do: "facts", path }, alone) as Promise<PathFacts | null>,
    followedFacts: (path, alone) => ask({ do: "followedFacts", path }, alone) as Promise<PathFacts | null>,
    read: (from, offset, length, alone) =>
      ask({ do: "read", from: expectedOnly(from), offset, length }, alone) as Promise<Uint8Array<ArrayBuffer>>,
    hash: async (from, alone) => await ask({ do: "hash", from: expectedOnly(from) }, alone) as Digest | null ?? await alone(),
    content: async (from, into, alone) => {
      const found = await ask({ do: "content", from: expectedOnly(from), into }, alone) as SmallFile | ReadInto | null;
      return found === null || "content" in found ? found : { ...found, content: into!.subarray(0, found.bytes) };
    },
  };
}

function find(all: readonly Waiting[], state: State): void {
  if (!isWorthwhile(all.length, state)) return all.forEach(directly);
  for (const some of chunks(all, AT_ONCE)) void together(some, state);
}

function isWorthwhile(count: number, { worker, startFor, unanswered, lastSign, silenceMs, broken }: State): boolean {
  if (broken || count < (worker.running ? USE_FOR : startFor)) return false;
  return unanswered === 0 || clock.monotonic() - lastSign <= silenceMs;
}

async function together(batch: readonly Waiting[], state: State): Promise<void> {
  if (state.unanswered++ === 0) state.lastSign = clock.monotonic();
  if (!state.worker.running) state.silenceMs = START_MS;
  try {
    const answering = state.worker.call("look", batch.map(({ ask }) => ask));
    const answers = await unlessSilent(answering, state);
    if (answers === null) batch.forEach(directly);
    // An answer after a long silence is ignored: the calls have been made directly, or still hang.
    settle(batch, answers ?? await answering);
  } catch {
    state.broken = true;
    batch.forEach(directly);
  } finally {
    state.unanswered -= 1;
    state.lastSign = clock.monotonic();
    state.silenceMs = SILENCE_MS;
  }
}

/** The answers; null when the Worker has not answered anything for `longSilenceMs`. */
async function unlessSilent(answering: Promise<Answer[]>, state: State): Promise<Answer[] | null> {
  for (let leftMs = state.longSilenceMs; leftMs > 0; leftMs = state.lastSign + state.longSilenceMs - clock.monotonic()) {
    const answers = await within(answering, leftMs, clock, null);
    if (answers !== null) return answers;
  }
  return null;
}

function directly({ alone, resolve, reject }: Waiting): void {
  alone().then(resolve, reject);
}

function settle(batch: readonly Waiting[], answers: readonly Answer[]): void {
  batch.forEach((one, index) => {
    const answer = answers[index];
    if (answer === undefined) directly(one);
    else if ("failed" in answer) one.reject(uncarried(answer.failed));
    else one.resolve(answer.found);
  });
}
