/**
 * Abort signals: joining them, reacting to them, and waiting that they end. Only this file adds listeners to them, so none is left behind.
 *
 * Our own, because on Deno 2.7 the signal of `AbortSignal.any` loses its listeners at the next garbage collection.
 */

/** A signal that follows others. It ends with its block: disposing of it aborts it and stops following. */
interface LinkedSignal extends Disposable {
  /** Aborted, with its reason, when the first of the followed signals is. */
  readonly signal: AbortSignal;
  /** Aborts only this one. */
  abort(reason?: unknown): void;
}

/** Follows these signals: `using both = anySignal(signal, other);`. Without arguments, a signal that just ends with the block. */
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

/** Calls `act` when the signal is aborted, or now if it already is. Dispose of it to stop listening. */
export function onAbort(signal: AbortSignal, act: () => void): Disposable {
  if (signal.aborted) act();
  else signal.addEventListener("abort", act, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", act) };
}

/** Resolves when the signal is aborted. Only for a signal that will be aborted: the listener stays until then. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => onAbort(signal, resolve));
}

/** The result of the work; throws the signal's reason as soon as it is aborted. The work itself continues, and its result is ignored. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const given = Promise.withResolvers<never>();
  using _listening = onAbort(signal, () => given.reject(signal.reason));
  return await Promise.race([given.promise, work]);
}

/** The result of the work, or `otherwise` as soon as the signal is aborted. The work itself continues, and its result is ignored. */
export async function unlessAborted<T, O>(work: Promise<T>, signal: AbortSignal, otherwise: O): Promise<T | O> {
  const given = Promise.withResolvers<O>();
  using _listening = onAbort(signal, () => given.resolve(otherwise));
  return await Promise.race([given.promise, work]);
}

/** A constant: creating an error for each block would cost more than the rest. */
const OVER = "over";
