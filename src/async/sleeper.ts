/**
 * What the kit asks of a clock.
 *
 * @module
 */

/** A clock that can be waited on; tests move theirs by hand. */
export interface Sleeper {
  /** Resolves after `ms`, or at once, without an error, when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
