/**
 * Does something with each of many, a few at a time.
 *
 * @module
 */

/** Calls `act` for each item, at most `atOnce` at a time; the first error ends it after those under way. Stops when aborted. */
export async function inBatches<T>(
  items: readonly T[],
  atOnce: number,
  signal: AbortSignal,
  act: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      signal.throwIfAborted();
      await act(items[next++]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
}
