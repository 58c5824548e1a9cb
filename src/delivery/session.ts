/**
 * The life of one session: connect, find the place, recover what was in hand, carry batches with several workers until the
 * destination fails or the outbox stops, close.
 */
import { anySignal, unlessAborted } from "../async/abort.ts";
import { mutex } from "../async/mutex.ts";
import { type FailureRecord, failureRecord } from "../domain/failure.ts";
import { audit } from "./audit/audit.ts";
import { sendAhead } from "./ahead/send_ahead.ts";
import type { OpenSession, Workers } from "./batch.ts";
import { type DestinationContext, stateChanged, succeed, trip } from "./destination_context.ts";
import { demandRoom, findPlace, type Place, watchPlace } from "./place.ts";
import { carry, recover } from "./carry.ts";
import { finalSweep, sweeper } from "./sweep.ts";
import { openSession } from "./timed_session.ts";
import type { Delivery } from "../domain/delivery.ts";
import { attemptOf } from "./attempts.ts";
import { crashPoint } from "./crash_point.ts";

const CONNECT_MS = 60_000;

/**
 * Runs one session until it is over; the batches that it still has in hand are finished beside the next session.
 *
 * @throws {Failure} what keeps the destination from being used; failures of batches trip the breaker and end the session.
 */
export async function runSession(context: DestinationContext, soft: AbortSignal, hard: AbortSignal): Promise<void> {
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
const MINUTE = 60_000;
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
