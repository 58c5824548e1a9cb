/** A queue from callbacks to a loop that awaits. */

/** One producer, one consumer; items that are queued when it ends are still delivered. */
interface Queue<T> extends AsyncIterable<T> {
  readonly length: number;
  push(item: T): void;
  /** Removes and returns all waiting items. */
  clear(): T[];
  /** No more items; with an error, the consumer gets it after the last item. */
  end(error?: unknown): void;
  /** Resolves to the next item, or undefined at the end. */
  next(): Promise<T | undefined>;
}

/** Empty and unbounded: to limit its length, check `length` before `push`. */
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
