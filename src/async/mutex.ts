/**
 * One at a time. Our own, because async-mutex has no mutex by key, and the rest of it is not needed.
 *
 * @module
 */

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

/** As {@linkcode keyedMutex}, apart for each owner: `inTurn(owner, key, work)`. What a program that ended still holds, holds nobody else. */
export function ownedMutex(): <R>(owner: object, key: string, work: () => Promise<R>) => Promise<R> {
  const mutexes = new WeakMap<object, ReturnType<typeof keyedMutex>>();
  return (owner, key, work) => {
    const inTurn = mutexes.get(owner) ?? keyedMutex();
    mutexes.set(owner, inTurn);
    return inTurn(key, work);
  };
}
