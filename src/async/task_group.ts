/**
 * Work in the background, a few pieces at a time. Our own, because p-limit has neither an AbortSignal nor a place for the
 * errors of work that nobody awaits.
 */
/** Errors are never thrown to whoever starts the work. */
export interface TaskGroup {
  /** Starts the work as soon as there is room; resolves when it has started, or was dropped because the signal is aborted. */
  start(work: () => Promise<void>, signal: AbortSignal): Promise<void>;
  /** Resolves when nothing runs any more. */
  settled(): Promise<void>;
  idle(): boolean;
}

/** Runs at most `limit` at once. Errors go to `onError`, except those after the signal was aborted. */
export function taskGroup(limit: number, onError: (error: unknown) => void): TaskGroup {
  const running = new Set<Promise<void>>();
  const waiting: (() => void)[] = [];

  function next(): void {
    while (running.size < limit && waiting.length > 0) waiting.shift()!();
  }

  async function run(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) onError(error);
    }
  }

  return {
    start: (work, signal) =>
      new Promise((resolve) => {
        waiting.push(() => {
          resolve();
          if (signal.aborted) return;
          const mine = run(work, signal).finally(() => {
            running.delete(mine);
            next();
          });
          running.add(mine);
        });
        next();
      }),
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
    idle: () => running.size === 0,
  };
}
