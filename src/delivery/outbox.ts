/**
 * The outbox of one destination: takes deliveries from the ledger in batches, carries them, stops when the
 * destination is away, and resumes when it is back.
 */
import { anySignal, onAbort, unlessAborted } from "../async/abort.ts";
import type { Delivery, DestinationState, FormerFiles } from "../domain/delivery.ts";
import { Failure, type FailureRecord, failureRecord } from "../domain/failure.ts";
import { nameKey } from "../domain/names/file_name.ts";
import { demandRoom, findPlace, type Place, sendAgain, watchPlace } from "./place.ts";
import type { AheadView } from "./ahead/ahead_parts.ts";
import { audit, isAuditDue } from "./audit/audit.ts";
import {
  type DestinationContext,
  destinationContext,
  held,
  type Known,
  type OutboxOptions,
  stateChanged,
  stateOf,
  succeed,
  trip,
} from "./destination_context.ts";
import { finalSweep, sweepAll, sweeper } from "./sweep.ts";
import { openSession, type TimedSession } from "./timed_session.ts";
import { mutex } from "../async/mutex.ts";
import { sendAhead } from "./ahead/send_ahead.ts";
import type { OpenSession, Workers } from "./batch.ts";
import { carry, recover } from "./carry.ts";
import { attemptOf } from "./attempts.ts";
import { crashPoint } from "./crash_point.ts";

/** Whether all was delivered, or why the outbox gave up waiting. */
export interface Idleness {
  readonly drained: boolean;
  /** Null where all was delivered. */
  readonly failure: FailureRecord | null;
}

export type Outbox = ReturnType<typeof outbox>;

/** Makes the outbox of a destination; nothing happens before `run`. */
export function outbox(options: OutboxOptions) {
  const context = destinationContext(options);
  const { destination, ledger, state } = context;
  return {
    destination,
    /** Works until the signal is aborted; batches in hand then have `shutdownTimeoutMs` to finish. Never throws. */
    run: (signal: AbortSignal): Promise<void> => run(context, signal),
    /** There may be something new in the ledger. */
    wake: (): void => context.bell.ring(),
    state: (): DestinationState => stateOf(context),
    about: (): Known => state.known,
    /** What is there of files that are still being written. */
    ahead: (): readonly AheadView[] => context.ahead.view(),
    /** Sends nothing more until `resume`, even after a restart; batches in hand are finished. */
    pause(by: string): void {
      ledger.setPaused(destination.name, by);
      state.suspension = { state: "paused", by };
      endSession(context);
      stateChanged(context);
    },
    /**
     * Ends a pause, and probes at once if the destination is on hold. If it is on hold for a missing disk, `former` accepts the disk
     * that is there now and says what becomes of the files on the former one; otherwise `send_again` sends the files again that are
     * marked as gone.
     */
    async resume(former?: FormerFiles): Promise<void> {
      ledger.setPaused(destination.name, null);
      state.suspension = { state: "none" };
      if (former !== undefined && otherDisk(context) !== null) state.acceptedDisk = former;
      else if (former === "send_again") await sendAgain(context);
      probe(context);
    },
    /** If it is on hold because its disk is missing or another one: how many delivered files the former disk has. */
    otherDisk: (): { readonly images: number } | null => otherDisk(context),
    /** The destination is not used any more: the last sweep also removes the parts of large files. */
    abandonParts: (): void => void (state.keepsParts = false),
    /** The schedule sends nothing more until `open`, presumably at `until`; batches in hand are finished. */
    close(until: number | null): void {
      state.opening = { state: "closed", until };
      endSession(context);
      stateChanged(context);
    },
    open(): void {
      state.opening = { state: "open" };
      stateChanged(context);
    },
    /** Probes at once if it is on hold or backing off; a pause or `hold` stays until `resume`. */
    probe: (): void => probe(context),
    /** Puts it on hold until `resume`, with this reason. */
    hold(failure: FailureRecord): void {
      state.suspension = held(state.suspension, failure);
      endSession(context);
      stateChanged(context);
    },
    /** Begins again with a new session, which checks the destination anew; batches in hand are finished. */
    attachAgain: (): void => endSession(context),
    /** For `--once`: resolves when nothing is left to deliver, or when nothing else can be delivered now. */
    idle: (signal: AbortSignal): Promise<Idleness> => idle(context, signal),
    /** Begins an audit as soon as nothing is sent, unless one runs; false where the destination has none (`audit: false`). */
    audit(): boolean {
      if (destination.audit === null) return false;
      state.audit.asked = true;
      context.bell.ring();
      return true;
    },
    /** Whether an audit was asked for that has not begun. */
    owesAudit: (): boolean => state.audit.asked,
    /** Resolves when no audit runs or is due, the destination cannot be used, or the time is up. */
    async audited(atMostMs: number, signal: AbortSignal): Promise<void> {
      const { destination: { audit }, system } = context;
      const until = system.monotonic() + atMostMs;
      while (audit !== null && !signal.aborted && system.monotonic() < until) {
        if (!isAuditDue(context, audit) || stateOf(context).state !== "open") return;
        await system.sleep(SECOND, signal);
      }
    },
    /** The session at work; null while there is none. */
    session: (): Pick<TimedSession, "attach" | "survey" | "digest" | "flush" | "remove" | "emptyTrash"> | null =>
      state.connection.state === "open" ? state.connection.session : null,
    /** Keeps these targets from being given to anything until the result is disposed of; without those that a batch in hand has. */
    reserve(targets: readonly string[]): ReadonlySet<string> & Disposable {
      const inHand = new Set(ledger.inFlight(context.job.name, destination.name).map(({ target }) => nameKey(target)));
      const mine = targets.filter((target) => !inHand.has(nameKey(target)));
      for (const target of mine) context.removing.add(nameKey(target));
      const release = () => mine.forEach((target) => context.removing.delete(nameKey(target)));
      return Object.assign(new Set(mine), { [Symbol.dispose]: release });
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
  // The pause may be long forgotten: the log of each start says why nothing is sent.
  if (state.announced.state === "paused") {
    emit({ type: "destination", job: context.job.name, name: destination.name, now: state.announced, before: { state: "open" } });
  }
  try {
    while (!signal.aborted) await attend(context, signal, hard.signal);
    await Promise.all(state.closing);
    // A destination that cannot be reached is swept by the next start; one that is full can be reached.
    const isAway = [breaker, hostBreaker].map((one) => one.state()).some((now) =>
      now.state !== "open" && !(now.state === "on_hold" && now.failure.code === "disk_full")
    );
    if (state.staging !== "empty" && !isAway) await sweepAll(context);
  } finally {
    over.abort();
    for (const stop of deaf) stop();
  }
}

/** Waits until a try makes sense, then runs one session. */
async function attend(context: DestinationContext, soft: AbortSignal, hard: AbortSignal): Promise<void> {
  const { state, breaker, hostBreaker, bell, emit } = context;
  if (state.suspension.state !== "none" || state.opening.state === "closed") return void await bell.wait(MINUTE, soft);
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
  while (!signal.aborted) {
    const end = verdict(context);
    if (end) return end;
    await context.bell.wait(SECOND, signal);
  }
  return { drained: false, failure: failureRecord(new Failure("stopped", "image-transfer is stopping")) };
}

/** Null while it makes sense to wait. */
function verdict(context: DestinationContext): Idleness | null {
  const { ledger, job, destination: { name, retryAttempts }, breaker, hostBreaker, state: { batches } } = context;
  const { queued, sending, deferred } = ledger.counts(job.name, name);
  if (queued + sending + deferred + batches === 0) return { drained: true, failure: null };
  const now = stateOf(context);
  if (now.state === "paused") {
    return { drained: false, failure: failureRecord(new Failure("stopped", `${name} is paused by ${now.by}`)) };
  }
  if (batches > 0 || now.state === "open") return null;
  if (now.state === "closed") {
    return { drained: false, failure: failureRecord(new Failure("stopped", `The schedule of ${job.name} is closed`)) };
  }
  const failuresInARow = Math.max(breaker.failuresInARow(), hostBreaker.failuresInARow());
  const isInVain = now.state === "on_hold" || failuresInARow >= Math.max(1, retryAttempts);
  return isInVain ? { drained: false, failure: now.failure } : null;
}

/** Batches in hand are finished. */
function endSession({ state: { connection } }: DestinationContext): void {
  if (connection.state !== "closed") connection.end();
}

function otherDisk({ breaker, ledger, job, destination }: DestinationContext): { images: number } | null {
  const state = breaker.state();
  if (state.state !== "on_hold" || !["device_missing", "folder_changed"].includes(state.failure.code)) return null;
  return { images: ledger.counts(job.name, destination.name).delivered };
}

function probe(context: DestinationContext): void {
  context.breaker.probeSoon();
  context.hostBreaker.probeSoon();
  stateChanged(context);
}

const SECOND = 1_000;
const MINUTE = 60_000;

// The life of one session: connect, find the place, recover what was in hand, carry batches with several workers until the destination
// fails or the outbox stops, close.

const CONNECT_MS = 60_000;

/**
 * Runs one session until it is over; the batches that it still has in hand are finished beside the next session.
 *
 * @throws {Failure} what keeps the destination from being used; failures of batches trip the breaker and end the session.
 */
async function runSession(context: DestinationContext, soft: AbortSignal, hard: AbortSignal): Promise<void> {
  const { state } = context;
  using over = anySignal(soft);
  const end = () => over.abort();
  // A pause may come while the connection is made.
  state.connection = { state: "opening", end };
  try {
    const session = await openSession(context, CONNECT_MS, soft);
    const open: OpenSession = { context, session, sweeper: sweeper(context, session), soft, hard };
    let working: Promise<unknown> = Promise.resolve();
    try {
      // The host answered, even if the folder turns out to be unusable.
      context.hostBreaker.close();
      const place = await findPlace(open);
      demandRoom(context);
      context.breaker.close();
      if (over.signal.aborted) return;
      state.connection = { state: "open", end, session };
      state.known = { ...state.known, method: session.method };
      stateChanged(context);
      if (state.staging !== "own") {
        state.staging = "former";
        await recover(context.ledger.inFlight(context.job.name, context.destination.name), open);
        state.staging = "own";
      }
      if (over.signal.aborted) return;
      // A former process may have ended between the last record and the removal of its source.
      context.delivered?.();
      context.ledger.makeDue(context.job.name, context.destination.name);
      working = work(open, place, over.signal, end);
      await unlessAborted(working, over.signal, null);
    } finally {
      end();
      const closing = close(open, working);
      state.closing.add(closing);
      void closing.finally(() => state.closing.delete(closing));
    }
  } finally {
    state.connection = { state: "closed" };
  }
}

async function work(open: OpenSession, place: Place, over: AbortSignal, end: () => void): Promise<void> {
  const { context } = open;
  const fail = (failure: FailureRecord) => {
    if (!over.aborted) trip(context, failure);
    end();
  };
  place.loopSearch.catch((error) => fail(failureRecord(error)));
  // One more than may send: it checks and hashes the next batch while the others' are being sent.
  const shared: Workers = { look: place.look, inTurn: mutex(), fail, over };
  const workers = Array.from({ length: context.destination.parallelTransfers + 1 }, () => runWorker(open, shared));
  await Promise.all([...workers, sendAhead(open, shared), audit(open, shared), watchPlace(place, context, fail, over)]);
}

/** Waits for the workers of a session that is over, tidies up, and closes it. Never throws. */
async function close({ context, session, sweeper, soft }: OpenSession, working: Promise<unknown>): Promise<void> {
  await using _session = session;
  try {
    await working;
    await sweeper.done();
    if (soft.aborted && context.state.closing.size <= 1) await finalSweep(context, session);
  } catch (error) {
    context.emit({ type: "notice", level: "debug", message: failureRecord(error).message });
  }
}

const BATCH_BYTES = 64 * 1024 * 1024;
/** How long a worker waits for more files while another one is busy anyway. */
const LINGER_MS = 50;
const SOURCE_AGAIN_MS = 2_000;
/** No back-off lasts longer: a delivery that is due later shows that the clock was set back. */
const LONGEST_WAIT_MS = 10 * MINUTE;

async function runWorker(open: OpenSession, { look, inTurn, fail, over }: Workers): Promise<void> {
  const { context, sweeper, hard } = open;
  // Who has just waited, or had a full batch, does not wait for more files.
  let mayLinger = true;
  while (!over.aborted) {
    try {
      const claimed = await inTurn(() => nextBatch(open, mayLinger, look, over));
      mayLinger = claimed !== "later";
      if (claimed === "later") {
        await context.system.sleep(LINGER_MS, over);
        continue;
      }
      const [first] = claimed;
      if (first === undefined) continue;
      crashPoint("after_claim", context.system);
      const bytes = claimed.reduce((sum, { source }) => sum + source.size, 0);
      mayLinger = claimed.length < context.batchFiles && bytes < BATCH_BYTES / 2;
      context.state.batches += 1;
      try {
        const failure = await carry(claimed, attemptOf(first), open);
        if (failure) fail(failure);
        else if (!hard.aborted) succeed(context);
      } finally {
        context.state.batches -= 1;
        context.bell.ring();
      }
      context.delivered?.();
      sweeper.soon(hard);
    } catch (error) {
      const failure = failureRecord(error);
      if (failure.code === "internal") context.emit({ type: "notice", level: "error", message: failure.message, error });
      fail(failure);
    }
  }
}

/**
 * Waits until something is due, and claims it; nothing where the wait was in vain, `later` where a busy destination lets more files
 * come first. One worker waits for all: a file that comes wakes one.
 */
async function nextBatch(
  { context, session }: OpenSession,
  mayLinger: boolean,
  look: () => Promise<void>,
  over: AbortSignal,
): Promise<readonly Delivery[] | "later"> {
  const { ledger, job, destination, system, bell, state, attempts, batchFiles } = context;
  if (over.aborted) return [];
  const due = ledger.nextDue(job.name, destination.name);
  const inMs = due === null ? MINUTE : due - system.now();
  if (inMs > LONGEST_WAIT_MS) ledger.makeDue(job.name, destination.name);
  if (inMs > 0) {
    await bell.wait(Math.min(inMs, MINUTE), over);
    return [];
  }
  if (state.batches > 0 && mayLinger) return "later";
  // A watched folder that cannot be looked at is no fault of the destination.
  if (await context.sourceAway().catch(() => true)) {
    await bell.wait(SOURCE_AGAIN_MS, over);
    return [];
  }
  await look();
  if (over.aborted) return [];
  const attempt = attempts.begin();
  const claimed = ledger.claim({
    job: job.name,
    destination: destination.name,
    order: destination.order,
    maxFiles: batchFiles,
    // So that there is a file for each stream, while another batch is checked and named.
    maxBytes: BATCH_BYTES * Math.ceil((session.streams?.() ?? 1) / 2),
    attempt,
    now: system.now(),
  });
  if (claimed.length > 0) return claimed;
  attempts.abandon(attempt);
  await bell.wait(LINGER_MS, over);
  return [];
}
