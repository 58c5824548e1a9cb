/**
 * Fair counters of free places: who asks first is served first. One bounds how many batches are on their way to a
 * destination at once, another how many destinations are sent to at once.
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

/**
 * Places that groups take: a group has one place however many of its members are at work, and keeps it only while no other
 * group waits, so that each gets its turn. Every call of the returned function makes a group; `places` may be infinite.
 */
export function groupPlaces(places: number): () => Semaphore {
  let free = Math.max(1, places);
  const queue: Group[] = [];

  function letIn(): void {
    for (let next = queue[0]; next && (next.waiting.length === 0 || next.members > 0 || free > 0); next = queue[0]) {
      queue.shift();
      if (next.waiting.length > 0 && next.members === 0) free -= 1;
      for (const give of next.waiting.splice(0)) give();
    }
  }

  return () => {
    const group: Group = { members: 0, waiting: [] };
    const enter = (): Release => {
      group.members += 1;
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        group.members -= 1;
        if (group.members === 0) free += 1;
        letIn();
      };
    };
    return {
      acquire(signal) {
        if (signal.aborted) return Promise.reject(stopped());
        return new Promise((resolve, reject) => {
          const give = () => {
            signal.removeEventListener("abort", leave);
            resolve(enter());
          };
          const leave = () => {
            group.waiting.splice(group.waiting.indexOf(give), 1);
            letIn();
            reject(stopped());
          };
          group.waiting.push(give);
          signal.addEventListener("abort", leave, { once: true });
          if (!queue.includes(group)) queue.push(group);
          letIn();
        });
      },
    };
  };
}

interface Group {
  /** At work. */
  members: number;
  readonly waiting: (() => void)[];
}

function stopped(): Failure {
  return new Failure("stopped", "Cannot go on: image-transfer is stopping");
}
