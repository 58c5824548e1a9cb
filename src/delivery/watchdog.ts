/**
 * Runs a step that talks to a destination and gives it up if there is no progress for too long, even if the step itself ignores
 * its signal.
 *
 * @module
 */
import { anySignal, onAbort, untilAborted } from "../async/abort.ts";
import { Failure } from "../domain/failure.ts";
import type { Clock } from "../system/system.ts";

/** What is watched, and how long it may show no progress. `what` completes the sentence `Cannot …`. */
export interface WatchdogOptions {
  /** What is done, for the message: `send 12 files to nas`. */
  readonly what: string;
  /** Longest time without a sign of life. */
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "monotonic" | "sleep">;
  /**
   * Asks the destination itself for progress (any number that grows), because some tools report none.
   * Called when half the time has passed without a sign of life.
   */
  readonly ask?: (signal: AbortSignal) => Promise<number>;
  /** Called once after 10 s without a sign of life, for a step that is answered at once by nature. */
  readonly onSilence?: () => void;
}

/**
 * The result of `act`, which is handed a signal and a function to call at every sign of life.
 *
 * @throws {Failure} `timeout` without progress, `stopped` when `signal` was aborted.
 */
export async function withWatchdog<T>(
  options: WatchdogOptions,
  signal: AbortSignal,
  act: (signal: AbortSignal, alive: () => void) => Promise<T>,
): Promise<T> {
  const { what, clock } = options;
  // Not aborted after a success: a session that was opened with it lives on.
  const end = new AbortController();
  using over = anySignal();
  using _stopping = onAbort(signal, () => end.abort(new Failure("stopped", `Cannot ${what}: image-transfer is stopping`)));
  const lastSign = { at: clock.monotonic() };
  void watch(options, lastSign, end, over.signal);
  try {
    return await untilAborted(act(end.signal, () => void (lastSign.at = clock.monotonic())), end.signal);
  } catch (error) {
    // A killed tool may say anything: the reason for killing it is the better message.
    throw end.signal.aborted ? end.signal.reason : error;
  }
}

async function watch(
  { what, timeoutMs, clock, ask, onSilence }: WatchdogOptions,
  lastSign: { at: number },
  end: AbortController,
  over: AbortSignal,
): Promise<void> {
  let measured = 0;
  let tellMs = onSilence === undefined ? Infinity : SILENT_MS;
  while (true) {
    const silentMs = clock.monotonic() - lastSign.at;
    if (silentMs >= timeoutMs) {
      const message = `Cannot ${what}: no progress for ${Math.round(timeoutMs / 1000)} s`;
      const hint = "It is retried automatically. If the link is just slow, raise transfer_timeout_seconds.";
      return end.abort(new Failure("timeout", message, { hint }));
    }
    if (silentMs >= tellMs) {
      tellMs = Infinity;
      onSilence?.();
    }
    const isHalf = silentMs >= timeoutMs / 2;
    // Not awaited: the time-out must come even if the destination does not answer.
    if (ask && isHalf) {
      ask(over).then((now) => {
        if (now > measured) lastSign.at = clock.monotonic();
        measured = Math.max(now, measured);
      }, () => undefined);
    }
    await clock.sleep(Math.max(1, Math.min(tellMs, ask && !isHalf ? timeoutMs / 2 : timeoutMs) - silentMs), over);
    if (over.aborted) return;
  }
}

const SILENT_MS = 10_000;
