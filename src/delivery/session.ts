/**
 * The life of one session: connect, find the place, recover what was in hand, carry batches with several workers until the
 * destination fails or the outbox stops, close.
 *
 * @module
 */
import { anySignal, unlessAborted } from "../async/abort.ts";
import { mutex } from "../async/mutex.ts";
import { type FailureRecord, failureRecord } from "../domain/failure.ts";
import { audit } from "./audit/audit.ts";
import { sendAhead } from "./ahead/send_ahead.ts";
import type { OpenSession } from "./batch.ts";
import { type DestinationContext, stateChanged, trip } from "./destination_context.ts";
import { demandRoom, findPlace, type Place, watchPlace } from "./place.ts";
import { recover } from "./recover.ts";
import { finalSweep, sweeper } from "./sweep.ts";
import { openSession } from "./timed_session.ts";
import { runWorker, type Workers } from "./worker.ts";

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
      await recoverFormer(open);
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

/** Recovers what a former process had in hand, once. */
async function recoverFormer(open: OpenSession): Promise<void> {
  const { state, ledger, job, destination } = open.context;
  if (state.staging === "own") return;
  state.staging = "former";
  await recover(ledger.inFlight(job.name, destination.name), open);
  state.staging = "own";
}

/** Lets workers carry batches until the session is over. */
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
