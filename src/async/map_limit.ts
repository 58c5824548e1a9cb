/**
 * Bounded concurrency: the work of a batch, some at a time. Our own, because p-map rejects while other work is
 * still running, which may be writing files.
 */
import { untilAborted } from "./abort.ts";

/**
 * Calls `work` for every item, at most `limit` at once, and returns the results in the order of the items.
 * After the first error nothing new is started; it is thrown when all running work has ended. Once the signal is aborted, nothing new is
 * started either, and its reason is thrown at once: running work may hang, and must listen to the signal itself.
 */
export async function mapLimit<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  const errors: unknown[] = [];
  let next = 0;
  async function worker(): Promise<void> {
    while (next < items.length && errors.length === 0 && !signal?.aborted) {
      const index = next++;
      try {
        results[index] = await work(items[index]!, index);
      } catch (error) {
        errors.push(error);
      }
    }
  }
  const all = Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  await (signal ? untilAborted(all, signal) : all);
  if (errors.length > 0) throw errors[0];
  return results;
}
