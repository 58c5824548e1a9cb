/**
 * The outbox of one destination: takes deliveries from the ledger in batches, carries them, stops when the
 * destination is away, and resumes when it is back.
 *
 * @module
 */
import { onAbort } from "../async/abort.ts";
import type { DestinationState, FormerFiles } from "../domain/destination_state.ts";
import { Failure, type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { Destination } from "../config/settings.ts";
import type { Digest } from "../domain/receipt.ts";
import type { Stat } from "../methods/method.ts";
import { sendAgain } from "./accept_disk.ts";
import {
  type DestinationContext,
  destinationContext,
  type OutboxOptions,
  stateChanged,
  stateOf,
  trip,
} from "./destination_context.ts";
import { held, type Idleness, idleness, type Known } from "./outbox_state.ts";
import { runSession } from "./session.ts";
import { sweepAll } from "./sweep.ts";

/** The sending half for one destination. */
export interface Outbox {
  readonly destination: Destination;
  /** Works until the signal is aborted; what runs then gets `shutdownTimeoutMs` to end. Never throws. */
  run(signal: AbortSignal): Promise<void>;
  /** There may be something new in the ledger. */
  wake(): void;
  state(): DestinationState;
  about(): Known;
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
export function outbox(options: OutboxOptions): Outbox {
  const context = destinationContext(options);
  const { destination, ledger, state } = context;
  return {
    destination,
    run: (signal) => run(context, signal),
    wake: () => context.bell.ring(),
    state: () => stateOf(context),
    about: () => state.known,
    pause(by) {
      ledger.setPaused(destination.name, by);
      state.suspension = { state: "paused", by };
      endSession(context);
      stateChanged(context);
    },
    async resume(former) {
      ledger.setPaused(destination.name, null);
      state.suspension = { state: "none" };
      if (former !== undefined && otherDisk(context) !== null) state.acceptedDisk = former;
      else if (former === "send_again") await sendAgain(context);
      probe(context);
    },
    otherDisk: () => otherDisk(context),
    abandonParts: () => void (state.keepsParts = false),
    probe: () => probe(context),
    hold(failure) {
      state.suspension = held(state.suspension, failure);
      endSession(context);
      stateChanged(context);
    },
    attachAgain: () => endSession(context),
    idle: (signal) => idle(context, signal),
    async survey(targets, signal) {
      return state.connection.state === "open" ? await state.connection.session.survey(targets, signal) : null;
    },
    async digest(targets, bytes, signal) {
      return state.connection.state === "open" ? await state.connection.session.digest(targets, bytes, signal) : null;
    },
  };
}

async function run(context: DestinationContext, signal: AbortSignal): Promise<void> {
  const { state, breaker, hostBreaker, destination, system, shutdownTimeoutMs, emit } = context;
  const hard = new AbortController();
  const over = new AbortController();
  using _stopping = onAbort(signal, async () => {
    context.bell.ring();
    await system.sleep(shutdownTimeoutMs, over.signal);
    hard.abort(new Failure("stopped", "image-transfer is stopping"));
  });
  const changed = () => stateChanged(context);
  const deaf = [breaker.listen(changed), hostBreaker.listen(changed)];
  // Paused long ago and forgotten: whoever starts the daemon learns why nothing is sent.
  if (state.announced.state === "paused") {
    emit({ type: "destination", name: destination.name, now: state.announced, before: { state: "open" } });
  }
  try {
    while (!signal.aborted) await attend(context, signal, hard.signal);
    await Promise.all(state.closing);
    // A destination that is away cannot be swept: the next start does it.
    const isAway = [breaker, hostBreaker].some((one) => one.state().state !== "open");
    if (state.staging !== "empty" && !isAway) await sweepAll(context);
  } finally {
    over.abort();
    for (const stop of deaf) stop();
  }
}

/** Waits until a try makes sense, and has one session. */
async function attend(context: DestinationContext, soft: AbortSignal, hard: AbortSignal): Promise<void> {
  const { state, breaker, hostBreaker, bell, emit } = context;
  if (state.suspension.state !== "none") return void await bell.wait(MINUTE, soft);
  const waitMs = Math.max(breaker.wait(), hostBreaker.wait());
  if (waitMs > 0) return void await bell.wait(Math.min(waitMs, MINUTE), soft);
  const leaveHost = hostBreaker.enter();
  if (leaveHost === null) return void await bell.wait(SECOND, soft);
  const leave = breaker.enter();
  try {
    await runSession(context, soft, hard);
  } catch (error) {
    const failure = failureRecord(error);
    if (failure.code === "internal") emit({ type: "notice", level: "error", message: failure.message, error });
    if (!soft.aborted) trip(context, failure);
  } finally {
    leaveHost();
    leave?.();
    stateChanged(context);
  }
}

async function idle(context: DestinationContext, signal: AbortSignal): Promise<Idleness> {
  const { ledger, job, destination: { name, retryAttempts }, breaker, hostBreaker, state, bell } = context;
  while (!signal.aborted) {
    const { queued, sending, deferred } = ledger.counts(job.name, name);
    const end = idleness({
      name,
      waiting: queued + sending + deferred,
      batches: state.batches,
      state: stateOf(context),
      failuresInARow: Math.max(breaker.failuresInARow(), hostBreaker.failuresInARow()),
      retryAttempts,
    });
    if (end) return end;
    await bell.wait(SECOND, signal);
  }
  return { drained: false, failure: failureRecord(new Failure("stopped", "image-transfer is stopping")) };
}

function endSession({ state: { connection } }: DestinationContext): void {
  if (connection.state !== "closed") connection.end();
}

function otherDisk({ breaker, ledger, job, destination }: DestinationContext): { images: number } | null {
  const state = breaker.state();
  if (state.state !== "on_hold" || state.failure.code !== "device_missing") return null;
  return { images: ledger.counts(job.name, destination.name).delivered };
}

function probe(context: DestinationContext): void {
  context.breaker.probeSoon();
  context.hostBreaker.probeSoon();
  stateChanged(context);
}

const SECOND = 1_000;
const MINUTE = 60_000;
