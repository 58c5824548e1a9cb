/**
 * The outbox of one destination: takes deliveries from the ledger in batches, carries them, stops when the
 * destination is away, and comes back by itself.
 *
 * @module
 */
import type { DestinationState, FormerFiles } from "../domain/destination_state.ts";
import { Failure, type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { Destination, Job } from "../domain/job.ts";
import type { Digest } from "../domain/receipt.ts";
import type { Stat } from "../methods/method.ts";
import { attempts } from "./attempts.ts";
import { concernsHost } from "./breaker.ts";
import { circuitBreaker } from "./breaker.ts";
import { withWatchdog } from "./watchdog.ts";
import type { DestinationContext, OutboxOptions } from "./destination_context.ts";
import { runSession, sweepAll } from "./session.ts";
import { semaphore } from "../async/semaphore.ts";
import { sourceRoot } from "../system/watching/source_root.ts";
import { sendAgain } from "./accept_disk.ts";
import { transfers } from "./transfers.ts";
import { bell } from "../async/bell.ts";

/** Whether all was delivered, or why the outbox gave up waiting. */
export interface Idleness {
  readonly drained: boolean;
  /** Null where all was delivered. */
  readonly failure: FailureRecord | null;
}

/** The sending half for one destination. */
export interface Outbox {
  readonly destination: Destination;
  /** Works until the signal is aborted; what runs then gets `shutdownTimeoutMs` to end. Never throws. */
  run(signal: AbortSignal): Promise<void>;
  /** There may be something new in the ledger. */
  wake(): void;
  state(): DestinationState;
  /** What is known of the destination since it was last open. */
  about(): { readonly method: string; readonly freeBytes: number | null; readonly about: string; readonly made: boolean };
  /** Sends nothing more until {@linkcode Outbox.resume}, over restarts too; what is under way goes on to its end. */
  pause(by: string): void;
  /**
   * Ends a pause, and probes at once where it holds: a person says that the cause is gone. With `former`, while it holds for a
   * missing disk, also that what is there now is the place, and what becomes of the files of the former one; else what is known to
   * be gone is sent again where that is asked for.
   */
  resume(former?: FormerFiles): Promise<void>;
  /** Whether it holds because its disk is missing or another one; how many delivered files that one has. */
  otherDisk(): { readonly images: number } | null;
  /** Nothing will go on with what is left of large files there, so the end sweeps it as well: the destination is not used any more. */
  abandonParts(): void;
  /** Probes at once where it holds or is away; a pause stays, and so do doubts that only {@linkcode Outbox.resume} ends. */
  probe(): void;
  /** Holds until {@linkcode Outbox.resume}, with this reason. */
  hold(failure: FailureRecord): void;
  /** Begins again with a new session: the destination is looked at anew. What is under way goes on to its end. */
  attachAgain(): void;
  /** Resolves when nothing waits any more, or when waiting is in vain for a run that has to end. */
  idle(signal: AbortSignal): Promise<Idleness>;
  /** What stands at these targets; null while there is no session. */
  survey(targets: readonly string[], signal: AbortSignal): Promise<(Stat | null)[] | null>;
  /** What these targets hold, `bytes` in all; null while there is no session. */
  digest(targets: readonly string[], bytes: number, signal: AbortSignal): Promise<(Digest | null)[] | null>;
}

/** Makes the outbox of a destination; nothing happens before {@linkcode Outbox.run}. */
export function outbox(job: Job, destination: Destination, tools: OutboxOptions): Outbox {
  const { system, ledger } = tools;
  const breaker = circuitBreaker(system);
  let known: { method: string; about: string } = { method: destination.method, about: "" };
  const context: DestinationContext = {
    job,
    destination,
    tools,
    breaker,
    attempts: attempts(system, ledger.parts(job.name, destination.name)),
    transfers: transfers(system, tools.emit),
    parallelTransfers: semaphore(destination.parallelTransfers),
    bell: bell(system),
    names: new Map(),
    busy: 0,
    paused: ledger.pausedBy(destination.name) !== null,
    recovered: false,
    accept: null,
    held: null,
    // A former process may have left something, even if this one ends before it has looked.
    littered: ledger.deviceOf(job.name, destination.name) !== null,
    keepsParts: true,
    session: null,
    freeBytes: null,
    made: false,
    draining: new Set(),
    endRound: () => {},
    sourceAway: sourceRoot(job.watchPath, system).isAway,
    trip(failure) {
      // Of a disk that is full it is known how full it is; of a place that is away nothing is.
      if (failure.code !== "disk_full") context.freeBytes = null;
      (concernsHost(failure) ? tools.host : breaker).trip(failure, destination.retryDelayMs);
    },
  };

  const state = (): DestinationState => {
    const by = context.paused ? ledger.pausedBy(destination.name) : null;
    if (by !== null) return { state: "paused", by };
    if (context.held !== null) return { state: "on_hold", failure: context.held, until: system.now() };
    if (breaker.state().state !== "open") return breaker.state();
    return context.session ? { state: "open" } : tools.host.state();
  };
  let before: DestinationState = state();
  const changed = () => {
    const now = state();
    if (!same(now, before)) {
      tools.emit({ type: "destination", name: destination.name, now, before });
      before = now;
    }
    context.bell.ring();
  };

  async function run(signal: AbortSignal): Promise<void> {
    const hard = new AbortController();
    const over = new AbortController();
    const giveTime = async () => {
      context.bell.ring();
      await system.sleep(tools.shutdownTimeoutMs, over.signal);
      hard.abort(new Failure("stopped", "image-transfer is stopping"));
    };
    if (signal.aborted) void giveTime();
    else signal.addEventListener("abort", () => void giveTime(), { once: true });
    const deaf = [breaker.listen(changed), tools.host.listen(changed)];
    // Paused long ago and forgotten: whoever starts the daemon learns why nothing is sent.
    if (before.state === "paused") {
      tools.emit({ type: "destination", name: destination.name, now: before, before: { state: "open" } });
    }
    try {
      while (!signal.aborted) await attend(signal, hard.signal);
      await Promise.all(context.draining);
      // A destination that is away cannot be swept: the next start does it.
      if (context.littered && [breaker, tools.host].every((circuitBreaker) => circuitBreaker.state().state === "open")) {
        await sweepAll(context);
      }
    } finally {
      over.abort();
      for (const stop of deaf) stop();
    }
  }

  /** Waits until a try makes sense, and has one round with a session. */
  async function attend(soft: AbortSignal, hard: AbortSignal): Promise<void> {
    if (context.paused || context.held !== null) return await context.bell.wait(MINUTE, soft);
    const waitMs = Math.max(breaker.wait(), tools.host.wait());
    if (waitMs > 0) return await context.bell.wait(Math.min(waitMs, MINUTE), soft);
    const leaveHost = tools.host.enter();
    if (leaveHost === null) return await context.bell.wait(SECOND, soft);
    const leaveOwn = breaker.enter();
    try {
      await runSession(
        context,
        (session) => {
          known = { method: session.method, about: session.about };
          changed();
        },
        soft,
        hard,
      );
    } catch (error) {
      const failure = failureRecord(error);
      if (failure.code === "internal") tools.emit({ type: "notice", level: "error", message: failure.message, error });
      if (!soft.aborted) context.trip(failure);
    } finally {
      leaveHost();
      leaveOwn?.();
      changed();
    }
  }

  /** Whether the end has come for a run that has to end; null while it makes sense to wait. */
  function verdict(): Idleness | null {
    const { queued, sending, deferred } = ledger.counts(job.name, destination.name);
    if (queued + sending + deferred === 0 && context.busy === 0) return { drained: true, failure: null };
    const now = state();
    if (now.state === "paused") {
      return { drained: false, failure: failureRecord(new Failure("stopped", `${destination.name} is paused by ${now.by}`)) };
    }
    if (context.busy > 0 || now.state === "open") return null;
    const failuresInARow = Math.max(breaker.failuresInARow(), tools.host.failuresInARow());
    if (now.state === "on_hold" || failuresInARow >= Math.max(1, destination.retryAttempts)) {
      return { drained: false, failure: now.failure };
    }
    return null;
  }

  function otherDisk(): { images: number } | null {
    const held = breaker.state();
    if (held.state !== "on_hold" || held.failure.code !== "device_missing") return null;
    return { images: ledger.counts(job.name, destination.name).delivered };
  }

  function probe(): void {
    breaker.probeSoon();
    tools.host.probeSoon();
    changed();
  }

  return {
    destination,
    run,
    wake: () => context.bell.ring(),
    state,
    about: () => ({ ...known, freeBytes: context.freeBytes, made: context.made }),
    pause(by) {
      ledger.setPaused(destination.name, by);
      context.paused = true;
      context.endRound();
      changed();
    },
    async resume(former) {
      ledger.setPaused(destination.name, null);
      context.paused = false;
      context.held = null;
      if (former !== undefined && otherDisk() !== null) context.accept = former;
      else if (former === "send_again") await sendAgain(context);
      probe();
    },
    otherDisk,
    abandonParts: () => void (context.keepsParts = false),
    probe,
    hold(failure) {
      context.held = failure;
      context.endRound();
      changed();
    },
    attachAgain: () => context.endRound(),
    async idle(signal) {
      while (!signal.aborted) {
        const end = verdict();
        if (end) return end;
        await context.bell.wait(SECOND, signal);
      }
      return { drained: false, failure: failureRecord(new Failure("stopped", "image-transfer is stopping")) };
    },
    async survey(targets, signal) {
      const { session } = context;
      if (session === null) return null;
      const watchdog = { what: `check ${destination.name}`, timeoutMs: destination.timeoutMs, clock: system };
      return await withWatchdog(watchdog, signal, (end) => session.survey(targets, end));
    },
    async digest(targets, bytes, signal) {
      const { session } = context;
      if (session === null) return null;
      const timeoutMs = destination.timeoutMs + bytes / SLOWEST_HASH;
      const watchdog = { what: `hash files at ${destination.name}`, timeoutMs, clock: system };
      return await withWatchdog(watchdog, signal, (end) => session.digest(targets, end));
    },
  };
}

/** Bytes in a millisecond. */
const SLOWEST_HASH = 5_000;
const SECOND = 1_000;
const MINUTE = 60_000;

/** The same for a person: the time of the next probe alone is no news. */
function same(a: DestinationState, b: DestinationState): boolean {
  if (a.state !== b.state) return false;
  if (a.state === "paused" || b.state === "paused") return a.state === "paused" && b.state === "paused" && a.by === b.by;
  if (a.state === "open" || b.state === "open") return true;
  return a.failure.code === b.failure.code && a.failure.message === b.failure.message;
}
