/**
 * A queue between something that calls back and something that awaits.
 *
 * @module
 */

/** One producer, one consumer; what is queued when it ends is still handed out. */
export interface Queue<T> extends AsyncIterable<T> {
  readonly length: number;
  push(item: T): void;
  /** Takes everything out that waits. */
  clear(): T[];
  /** No more items; with an error, the consumer gets it after the last item. */
  end(error?: unknown): void;
  /** Resolves to the next item, or undefined at the end. */
  next(): Promise<T | undefined>;
}

/** Empty and unbounded: who must not grow without end looks at `length`. */
export function queue<T>(): Queue<T> {
  let items: T[] = [];
  let ended: { readonly error: unknown } | null = null;
  let wake: (() => void) | null = null;

  const next = async (): Promise<T | undefined> => {
    while (items.length === 0 && ended === null) await new Promise<void>((resolve) => wake = resolve);
    if (items.length > 0) return items.shift();
    if (ended?.error !== undefined) throw ended.error;
    return undefined;
  };
  const notify = () => {
    wake?.();
    wake = null;
  };

  return {
    get length() {
      return items.length;
    },
    push(item) {
      if (ended !== null) return;
      items.push(item);
      notify();
    },
    clear() {
      const taken = items;
      items = [];
      return taken;
    },
    end(error) {
      ended ??= { error };
      notify();
    },
    next,
    async *[Symbol.asyncIterator]() {
      for (let item = await next(); item !== undefined; item = await next()) yield item;
    },
  };
}
