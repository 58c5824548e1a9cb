/**
 * Abort signals: joining them, acting on them, waiting beside them. Nobody else adds a listener to one, so none is forgotten.
 *
 * Our own instead of `AbortSignal.any`, because Deno 2.7 forgets the listeners of its signal at the next garbage collection;
 * libraries for it either use that or leave the removal of listeners to the caller.
 *
 * @module
 */

/** A signal of its own that follows others. It ends with its block: disposing of it aborts it and stops following. */
export interface LinkedSignal extends Disposable {
  /** Aborted, with its reason, when the first of the followed signals is. */
  readonly signal: AbortSignal;
  /** Aborts only this one. */
  abort(reason?: unknown): void;
}

/** Follows these signals: `using both = anySignal(signal, other);`. With none, a signal that ends with the block. */
export function anySignal(...signals: readonly AbortSignal[]): LinkedSignal {
  const own = new AbortController();
  const followed: Disposable[] = [];
  const abort = (reason?: unknown) => {
    for (const each of followed.splice(0)) each[Symbol.dispose]();
    if (!own.signal.aborted) own.abort(reason);
  };
  for (const signal of signals) {
    if (own.signal.aborted) break;
    followed.push(onAbort(signal, () => abort(signal.reason)));
  }
  return { signal: own.signal, abort, [Symbol.dispose]: () => abort(OVER) };
}

/** Calls `act` once the signal is aborted, or at once if it is already. Dispose of it to stop listening. */
export function onAbort(signal: AbortSignal, act: () => void): Disposable {
  if (signal.aborted) act();
  else signal.addEventListener("abort", act, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", act) };
}

/** Resolves when the signal is aborted. For a signal that is aborted sooner or later: its listener stays until then. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => onAbort(signal, resolve));
}

/** What the work gives, or the signal's reason thrown as soon as it is aborted; the work itself continues, and nobody hears of it. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const given = Promise.withResolvers<never>();
  using _listening = onAbort(signal, () => given.reject(signal.reason));
  return await Promise.race([given.promise, work]);
}

/** What the work gives, or `otherwise` as soon as the signal is aborted; the work itself continues, and nobody hears of it. */
export async function unlessAborted<T, O>(work: Promise<T>, signal: AbortSignal, otherwise: O): Promise<T | O> {
  const given = Promise.withResolvers<O>();
  using _listening = onAbort(signal, () => given.resolve(otherwise));
  return await Promise.race([given.promise, work]);
}

/** A reason of ours: making an error for each block would cost more than the rest. */
const OVER = "over";
