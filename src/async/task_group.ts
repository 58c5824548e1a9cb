/**
 * Work in the background, a few pieces at a time; whoever brings more waits until one has ended. Our own, because p-limit knows
 * neither an AbortSignal nor what to do with the errors of work that nobody awaits.
 *
 * @module
 */
export interface TaskGroup {
  /** Starts the work as soon as there is room; resolves when it has started, or has been dropped because the signal is aborted. */
  start(work: () => Promise<void>, signal: AbortSignal): Promise<void>;
  /** Resolves when nothing runs any more. */
  settled(): Promise<void>;
  idle(): boolean;
}

/** Room for so many at once. Errors go to `onError`, but for those that come from stopping. */
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
