/**
 * One signal out of several. In place of `AbortSignal.any`, whose signal Deno 2.7 forgets: when the garbage collector has
 * been there, nobody is told of the end any more.
 *
 * @module
 */

/** A signal that lives until disposed of; dispose of it, or the signals it follows keep it for ever. */
export interface EitherSignal extends Disposable {
  /** Aborted, with its reason, when the first of the followed signals is. */
  readonly signal: AbortSignal;
  /** Aborts only this one. */
  abort(reason?: unknown): void;
}

/** Follows these signals: `using both = eitherSignal(signal, limit);`. */
export function eitherSignal(...signals: readonly AbortSignal[]): EitherSignal {
  const own = new AbortController();
  const letGo: (() => void)[] = [];
  const dispose = () => {
    for (const remove of letGo.splice(0)) remove();
  };
  for (const signal of signals) {
    if (signal.aborted) {
      own.abort(signal.reason);
      break;
    }
    const follow = () => {
      own.abort(signal.reason);
      dispose();
    };
    signal.addEventListener("abort", follow, { once: true });
    letGo.push(() => signal.removeEventListener("abort", follow));
  }
  if (own.signal.aborted) dispose();
  return { signal: own.signal, abort: (reason) => own.abort(reason), [Symbol.dispose]: dispose };
}
