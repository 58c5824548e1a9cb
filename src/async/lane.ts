/**
 * Lets a few pieces of work run side by side; whoever brings more waits until one has ended.
 *
 * @module
 */
export interface Lane {
  /** Starts the work as soon as there is room; resolves when it has started. */
  run(work: () => Promise<void>, signal: AbortSignal): Promise<void>;
  /** Resolves when nothing runs any more. */
  empty(): Promise<void>;
  idle(): boolean;
}

/** A lane for so many at once. Errors go to `onError`, but for those that come from stopping. */
export function lane(atOnce: number, onError: (error: unknown) => void): Lane {
  const running = new Set<Promise<void>>();
  return {
    async run(work, signal) {
      while (running.size >= atOnce) await Promise.race(running);
      if (signal.aborted) return;
      const mine: Promise<void> = work()
        .catch((error) => {
          if (!signal.aborted) onError(error);
        })
        .finally(() => running.delete(mine));
      running.add(mine);
    },
    async empty() {
      await Promise.all(running);
    },
    idle: () => running.size === 0,
  };
}
