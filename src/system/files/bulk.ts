/**
 * Many small files at a time, in a Worker: copied, hashed and named one by one from here, each costs a dozen switches to a thread of the
 * runtime and back. Each caller has a Worker of its own, so a disk that does not respond delays only calls about itself.
 */
import { onAbort } from "../../async/abort.ts";
import type { BulkFiles } from "../system.ts";
import { workerCalls } from "../workers/worker_calls.ts";
import type { FileCalls, Stop } from "./file_worker.ts";

/** Files in one message: their caller is told how far it is after each. */
const AT_ONCE = 64;
/** The Worker is started for at least so many files at once; one that runs is used for at least so many. */
const START_FOR = 64;
const USE_FOR = 8;
const REST_MS = 3_000;
/** It is not used any more after so many messages in a row of which it could do nothing. */
const MOST_FRUITLESS = 3;

/** Starts nothing yet. */
export function bulkFiles(): BulkFiles {
  const options = { name: "file_worker", here: import.meta.url, what: "Working on many small files", restMs: REST_MS };
  const worker = workerCalls<FileCalls>(options);
  // Of a file system without hard links, or times, it is not asked again and again for what it cannot do.
  const fruitless = { copy: 0, hash: 0, name: 0 };

  /** Gives `none` for what was not done. */
  async function inTurns<Q, A>(
    what: keyof typeof fruitless,
    asks: readonly Q[],
    none: A,
    call: (some: readonly Q[], stop: Stop) => Promise<A[]>,
    signal: AbortSignal,
    done: (first: number, answers: readonly A[]) => void = () => {},
  ): Promise<A[]> {
    signal.throwIfAborted();
    const answers: A[] = asks.map(() => none);
    if (asks.length < (worker.running ? USE_FOR : START_FOR)) return answers;
    const stop: Stop = new Int32Array(new SharedArrayBuffer(4));
    using _stopping = onAbort(signal, () => Atomics.store(stop, 0, 1));
    for (let first = 0; first < asks.length && fruitless[what] < MOST_FRUITLESS; first += AT_ONCE) {
      const found = await call(asks.slice(first, first + AT_ONCE), stop).catch(() => []);
      signal.throwIfAborted();
      found.forEach((answer, index) => answers[first + index] = answer);
      fruitless[what] = found.some((answer) => answer !== none) ? 0 : fruitless[what] + 1;
      done(first, found);
    }
    return answers;
  }

  return {
    copy: (copies, onFile, signal) =>
      inTurns("copy", copies, null, (some, stop) => worker.call("copyMany", some, stop), signal, (first, digests) => {
        digests.forEach((digest, index) => digest && onFile(first + index, digest.bytes));
      }),
    hash: (paths, signal) => inTurns("hash", paths, null, (some, stop) => worker.call("hashMany", some, stop), signal),
    name: (names, signal) => inTurns("name", names, false, (some, stop) => worker.call("nameMany", some, stop), signal),
    [Symbol.dispose]: () => worker[Symbol.dispose](),
  };
}
