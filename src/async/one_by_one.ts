/**
 * Works off what is brought, one piece after the other, in the background.
 *
 * @module
 */
export interface OneByOne<T> {
  add(item: T, signal: AbortSignal): void;
}

/** A queue whose items are handed to `act`. When the signal is aborted the rest is dropped; errors are `act`'s to tell. */
export function oneByOne<T>(
  act: (item: T, signal: AbortSignal) => Promise<void>,
  onError: (error: unknown) => void,
): OneByOne<T> {
  const items: T[] = [];
  let working = false;

  async function work(signal: AbortSignal): Promise<void> {
    working = true;
    for (let item = items.shift(); item !== undefined; item = items.shift()) {
      if (signal.aborted) {
        items.length = 0;
        break;
      }
      await act(item, signal).catch((error) => {
        if (!signal.aborted) onError(error);
      });
    }
    working = false;
  }

  return {
    add(item, signal) {
      items.push(item);
      if (!working) void work(signal);
    },
  };
}
