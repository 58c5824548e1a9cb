/** One at a time. Our own, because async-mutex has no mutex by key, and the rest of it is not needed. */

/** `inTurn(work)` waits until all earlier work has ended, successfully or not. */
export function mutex(): <R>(work: () => Promise<R>) => Promise<R> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

/** One mutex for each key: `inTurn(key, work)`. */
export function keyedMutex(): <R>(key: string, work: () => Promise<R>) => Promise<R> {
  const last = new Map<string, Promise<unknown>>();
  return async (key, work) => {
    const before = last.get(key);
    const mine = (async () => {
      await before?.catch(() => undefined);
      return await work();
    })();
    last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (last.get(key) === mine) last.delete(key);
    }
  };
}

/**
 * What a module keeps for the life of a program, apart for each `System`: made by `make` when it is first asked for. What a program that has
 * ended still holds, holds nobody else.
 */
export function perOwner<T extends object>(make: () => T): (owner: object) => T {
  const made = new WeakMap<object, T>();
  return (owner) => {
    const own = made.get(owner) ?? make();
    made.set(owner, own);
    return own;
  };
}
