/**
 * Reads of whole files that take turns: none holds a place for longer than a slice of bytes or time, so that a file of terabytes, or one
 * that unzips to them, holds up no other. All jobs share the places.
 *
 * @module
 */
import { perOwner } from "../../async/mutex.ts";
import { semaphore } from "../../async/semaphore.ts";
import type { System } from "../../system/system.ts";

type ReadSystem = Pick<System, "read" | "monotonic">;

/** Gives `use` a `read` that waits for its turn now and then. */
export async function takingTurns<T>(
  system: ReadSystem,
  signal: AbortSignal,
  use: (system: Pick<System, "read">) => Promise<T>,
): Promise<T> {
  let place: Disposable | null = await first(system).acquire(signal);
  let [bytes, since] = [0, system.monotonic()];
  const leave = () => {
    place?.[Symbol.dispose]();
    place = null;
  };
  try {
    return await use({
      async read(from, offset, length) {
        bytes += length;
        if (place !== null && (bytes > SLICE_BYTES || system.monotonic() - since > SLICE_MS)) {
          leave();
          const next = await further(system).acquire(signal);
          leave();
          place = next;
          [bytes, since] = [length, system.monotonic()];
        }
        return await system.read(from, offset, length);
      },
    });
  } finally {
    leave();
  }
}

/** The most that is read of a file before others get their turn. */
export const SLICE_BYTES = 64 * 1024 * 1024;
const SLICE_MS = 500;
const first = perOwner(() => semaphore(8));
/** Whoever has had a turn already: never in the way of those that have not. */
const further = perOwner(() => semaphore(2));
