/**
 * Many short calls about files that are made at the same time run together, in a Worker: made one by one, each costs a switch to a thread of
 * the runtime and back. A few are made directly.
 *
 * The Worker ends soon after the last batch. While it does not respond (a dead disk), new calls are made directly, and so are
 * those that have waited for long.
 */
import { setImmediate } from "node:timers";
import { within } from "../../async/deadline.ts";
import { chunks } from "../../domain/chunks.ts";
import type { Digest } from "../../domain/receipt.ts";
import type { ToRead } from "../../domain/source_file.ts";
import { clock } from "../host/clock.ts";
import type { PathFacts, SharedBytes, SmallFile } from "../system.ts";
import { uncarried, workerCalls } from "../workers/worker_calls.ts";
import type { Answer, Ask, FileCalls, Found, ReadInto } from "./file_worker.ts";
import { expectedOnly } from "./open_source.ts";

export const SHORT_BYTES = 32 * 1024;
/** The Worker is started for at least so many calls at once, unless told otherwise; one that runs is used for at least so many. */
const START_FOR = 96;
const USE_FOR = 8;
const AT_ONCE = 500;
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

/**
 * Starts nothing yet: the Worker starts with the first `startFor` calls at once. `alone` makes a call directly; errors are those
 * that it would throw.
 */
export function createBatching({ startFor = START_FOR, longSilenceMs = LONG_SILENCE_MS } = {}) {
  const options = { name: "file_worker", here: import.meta.url, what: "Reading many files", restMs: REST_MS };
  const worker = workerCalls<FileCalls>(options);
  const waiting: Waiting[] = [];
  let unanswered = 0;
  /** When the Worker last answered, or was first asked. */
  let lastSign = 0;
  let silenceMs = SILENCE_MS;
  /** It could not be started, or broke: never again. */
  let isBroken = false;

  function ask(ask: Ask, alone: () => Promise<Found>): Promise<Found> {
    return new Promise((resolve, reject) => {
      waiting.push({ ask, alone, resolve, reject });
      // Until then everything runs that the same event made runnable: its calls join this batch.
      if (waiting.length === 1) setImmediate(findAll);
    });
  }

  function findAll(): void {
    const all = waiting.splice(0);
    const isEnough = all.length >= (worker.running ? USE_FOR : startFor);
    const isResponding = unanswered === 0 || clock.monotonic() - lastSign <= silenceMs;
    if (isBroken || !isEnough || !isResponding) return all.forEach(directly);
    for (const some of chunks(all, AT_ONCE)) void together(some);
  }

  function directly({ alone, resolve, reject }: Waiting): void {
    alone().then(resolve, reject);
  }

  async function together(batch: readonly Waiting[]): Promise<void> {
    if (unanswered++ === 0) lastSign = clock.monotonic();
    if (!worker.running) silenceMs = START_MS;
    try {
      const answering = worker.call("look", batch.map(({ ask }) => ask));
      const answers = await unlessSilent(answering);
      if (answers === null) batch.forEach(directly);
      // An answer after a long silence is ignored: the calls have been made directly, or still hang.
      const found = answers ?? await answering;
      batch.forEach((one, index) => {
        const answer = found[index];
        if (answer === undefined) directly(one);
        else if ("failed" in answer) one.reject(uncarried(answer.failed));
        else one.resolve(answer.found);
      });
    } catch {
      isBroken = true;
      batch.forEach(directly);
    } finally {
      unanswered -= 1;
      lastSign = clock.monotonic();
      silenceMs = SILENCE_MS;
    }
  }

  /** Null when the Worker has not answered anything for `longSilenceMs`. */
  async function unlessSilent(answering: Promise<Answer[]>): Promise<Answer[] | null> {
    for (let leftMs = longSilenceMs; leftMs > 0; leftMs = lastSign + longSilenceMs - clock.monotonic()) {
      const answers = await within(answering, leftMs, clock, null);
      if (answers !== null) return answers;
    }
    return null;
  }

  return {
    facts: (path: string, alone: () => Promise<PathFacts | null>) =>
      ask({ do: "facts", path }, alone) as Promise<PathFacts | null>,
    followedFacts: (path: string, alone: () => Promise<PathFacts | null>) =>
      ask({ do: "followedFacts", path }, alone) as Promise<PathFacts | null>,
    /** For at most {@linkcode SHORT_BYTES}. */
    read: (from: ToRead, offset: number, length: number, alone: () => Promise<Uint8Array<ArrayBuffer>>) =>
      ask({ do: "read", from: expectedOnly(from), offset, length }, alone) as Promise<Uint8Array<ArrayBuffer>>,
    /** For small files; a large one is hashed by `alone`. */
    hash: async (from: ToRead, alone: () => Promise<Digest>): Promise<Digest> =>
      await ask({ do: "hash", from: expectedOnly(from) }, alone) as Digest | null ?? await alone(),
    /** The Worker reads into `into`; `alone` must not: a Worker that is late may still write there. */
    content: async (
      from: ToRead,
      into: SharedBytes | null,
      alone: () => Promise<SmallFile | null>,
    ): Promise<SmallFile | null> => {
      const found = await ask({ do: "content", from: expectedOnly(from), into }, alone) as SmallFile | ReadInto | null;
      return found === null || "content" in found ? found : { ...found, content: into!.subarray(0, found.bytes) };
    },
  };
}
