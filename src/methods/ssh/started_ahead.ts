/**
 * Programs that are started before they are needed: the connection, the login shell with its start-up files and the program at the
 * far end are there already when a file is finished. That takes a tenth of a second or more, and several round
 * trips, off every delivery.
 */
import { reasonOf } from "../../domain/names/reason.ts";
import type { Child } from "../../system/system.ts";

export interface Waiting extends AsyncDisposable {
  readonly child: Child;
}

/** Those of one session. Starts nothing yet; at most `most` wait. A failed start is told to `log` only: whoever finds none starts one. */
export function startedAhead<T extends Waiting>(most: number, start: () => Promise<T>, log: (message: string) => void) {
  const waiting: T[] = [];
  const over = new WeakSet<T>();
  let starting = 0;
  let pending: Promise<void> = Promise.resolve();
  let closed = false;

  async function startOne(): Promise<void> {
    starting++;
    try {
      const started = await start();
      if (closed) return await started[Symbol.asyncDispose]();
      waiting.push(started);
      void started.child.finished.then(() => over.add(started));
    } catch (error) {
      log(`Cannot start a program ahead: ${reasonOf(error)}`);
    } finally {
      starting--;
    }
  }

  return {
    /** One that waits; undefined where there is none. One that died while it waited says nothing about the files. */
    async take(): Promise<T | undefined> {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        if (!over.has(next)) return next;
        await next[Symbol.asyncDispose]();
      }
    },
    /** Starts one more, unless enough wait. Never throws. */
    startMore(): void {
      const alive = waiting.filter((each) => !over.has(each)).length;
      if (closed || alive + starting >= most) return;
      const one = startOne();
      pending = pending.then(() => one);
    },
    /** Ends those that wait; no more are started. */
    async close(): Promise<void> {
      closed = true;
      await pending;
      await Promise.all(waiting.splice(0).map((each) => each[Symbol.asyncDispose]()));
    },
  };
}
