/**
 * Waits for something, but not for ever.
 *
 * @module
 */
import type { Clock } from "../system/system.ts";

/** Whether it has come to its end, well or not, within so many milliseconds. It goes on all the same. */
export async function isDoneWithin(ms: number, going: Promise<unknown>, system: Pick<Clock, "sleep">): Promise<boolean> {
  const end = new AbortController();
  const done = going.then(() => true, () => true);
  try {
    return await Promise.race([done, system.sleep(ms, end.signal).then(() => false)]);
  } finally {
    end.abort();
  }
}
