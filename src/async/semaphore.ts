/**
 * Fair counters of free places: first come, first served. One bounds how many batches are on their way to a
 * destination at once, another how many destinations are sent to at once. Our own, because async-mutex has no AbortSignal.
 */
import { Failure } from "../domain/failure.ts";
import { onAbort } from "./abort.ts";

/** Places that can be waited for. */
export interface Semaphore {
  /**
   * Waits for a place, which is free again when it is disposed of: `using _place = await places.acquire(signal);`.
   * @throws {Failure} `stopped` when the signal is aborted first.
   */
  acquire(signal: AbortSignal): Promise<Disposable>;
}

/** A semaphore with `places` places (at least one). */
export function semaphore(places: number): Semaphore {
  const alone = groupSemaphore(Math.trunc(places));
  return { acquire: (signal) => alone().acquire(signal) };
}

/**
 * Places for groups: a group has one place, no matter how many of its members are working, and keeps it only while no other
 * group waits, so that each gets its turn. Every call of the returned function makes a group; `places` may be infinite.
 */
export function groupSemaphore(places: number): () => Semaphore {
  let free = Math.max(1, places);
  const queue: Group[] = [];

  function letIn(): void {
    for (let next = queue[0]; next && (next.waiting.length === 0 || next.members > 0 || free > 0); next = queue[0]) {
      queue.shift();
      if (next.waiting.length > 0 && next.members === 0) free -= 1;
      for (const enter of next.waiting.splice(0)) enter();
    }
  }

  function leave(group: Group): void {
    group.members -= 1;
    if (group.members === 0) free += 1;
    letIn();
  }

  async function acquire(group: Group, signal: AbortSignal): Promise<Disposable> {
    const place = Promise.withResolvers<void>();
    const enter = () => {
      group.members += 1;
      place.resolve();
    };
    group.waiting.push(enter);
    if (!queue.includes(group)) queue.push(group);
    using _giveUp = onAbort(signal, () => {
      if (!group.waiting.includes(enter)) return;
      group.waiting.splice(group.waiting.indexOf(enter), 1);
      letIn();
      place.reject(new Failure("stopped", "Cannot continue: image-transfer is stopping"));
    });
    letIn();
    await place.promise;
    let held = true;
    return {
      [Symbol.dispose]() {
        if (held) leave(group);
        held = false;
      },
    };
  }

  return () => {
    const group: Group = { members: 0, waiting: [] };
    return { acquire: (signal) => acquire(group, signal) };
  };
}

interface Group {
  /** How many are working. */
  members: number;
  readonly waiting: (() => void)[];
}
