/**
 * A fair counter of free places: who asks first is served first. It bounds how many batches are on their
 * way at once, per destination and over all of them.
 *
 * @module
 */
import { Failure } from "../domain/failure.ts";

/** Gives a place back; calling it twice does nothing more. */
export type Release = () => void;

/** Give back what you acquired in a `finally`. */
export interface Semaphore {
  /**
   * Waits for a place.
   * @throws {Failure} `stopped` when the signal is aborted first.
   */
  acquire(signal: AbortSignal): Promise<Release>;
}

/** A semaphore with `places` places (at least one). */
export function semaphore(places: number): Semaphore {
  let free = Math.max(1, Math.trunc(places));
  const waiting: (() => void)[] = [];

  const releaseOnce = (): Release => {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    };
  };

  return {
    acquire(signal) {
      if (signal.aborted) return Promise.reject(stopped());
      if (free > 0) {
        free -= 1;
        return Promise.resolve(releaseOnce());
      }
      return new Promise((resolve, reject) => {
        const give = () => {
          signal.removeEventListener("abort", leave);
          resolve(releaseOnce());
        };
        const leave = () => {
          const index = waiting.indexOf(give);
          if (index >= 0) waiting.splice(index, 1);
          reject(stopped());
        };
        waiting.push(give);
        signal.addEventListener("abort", leave, { once: true });
      });
    },
  };
}

function stopped(): Failure {
  return new Failure("stopped", "Cannot go on: image-transfer is stopping");
}
