/**
 * Runs one step that talks to a destination and gives it up when nothing moves for too long, even if the
 * step itself does not listen: a frozen peer must never freeze the daemon.
 *
 * @module
 */
import { Failure } from "../domain/failure.ts";
import type { Clock } from "../system/system.ts";

/** What is guarded, and how long it may be silent. `what` completes the sentence `Cannot …`. */
export interface WatchdogOptions {
  /** What is done, for the message: `send 12 files to nas`. */
  readonly what: string;
  /** Longest time without a sign of life. */
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "monotonic" | "sleep">;
  /**
   * Asks the destination itself whether something moved (any number that grows), for tools that tell nothing.
   * Called when half the time has passed in silence.
   */
  readonly ask?: (signal: AbortSignal) => Promise<number>;
}

/**
 * The result of `act`, which is handed a signal and a function to call at every sign of life.
 *
 * @throws {Failure} `timeout` when it fell silent, `stopped` when `signal` was aborted.
 */
export async function withWatchdog<T>(
  options: WatchdogOptions,
  signal: AbortSignal,
  act: (signal: AbortSignal, alive: () => void) => Promise<T>,
): Promise<T> {
  const end = new AbortController();
  let lastSign = options.clock.monotonic();
  const alive = () => {
    lastSign = options.clock.monotonic();
  };
  const stop = () => end.abort(new Failure("stopped", `Cannot ${options.what}: image-transfer is stopping`));
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });

  const ended = new AbortController();
  try {
    const given = new Promise<never>((_, reject) => {
      const giveUp = () => reject(end.signal.reason);
      if (end.signal.aborted) giveUp();
      else end.signal.addEventListener("abort", giveUp, { once: true });
    });
    given.catch(() => undefined); // It may lose the race unheard.
    void watch();
    const acting = act(end.signal, alive);
    acting.catch(() => undefined); // Likewise.
    return await Promise.race([acting, given]);
  } catch (error) {
    // Whatever a killed tool says, the reason for killing it is the better one.
    throw end.signal.aborted ? end.signal.reason : error;
  } finally {
    ended.abort();
    signal.removeEventListener("abort", stop);
  }

  async function watch(): Promise<void> {
    let measured = 0;
    while (true) {
      const half = lastSign + options.timeoutMs / 2 - options.clock.monotonic();
      const left = lastSign + options.timeoutMs - options.clock.monotonic();
      await options.clock.sleep(Math.max(1, options.ask && half > 0 ? half : left), ended.signal);
      if (ended.signal.aborted) return;
      const silentMs = options.clock.monotonic() - lastSign;
      if (silentMs >= options.timeoutMs) {
        const seconds = Math.round(options.timeoutMs / 1000);
        end.abort(
          new Failure("timeout", `Cannot ${options.what}: no progress for ${seconds} s`, {
            hint: "It is retried automatically. If the link is just slow, raise transfer_timeout_seconds.",
          }),
        );
        return;
      }
      // Not awaited: a destination that does not answer must not keep the watch from its time.
      if (options.ask && silentMs >= options.timeoutMs / 2) {
        options.ask(ended.signal).then((now) => {
          if (now > measured) alive();
          measured = Math.max(now, measured);
        }, () => undefined);
      }
    }
  }
}
