/**
 * One lane of an outbox: claims a batch, carries it, sweeps behind it, and begins again, until its round is over.
 *
 * @module
 */
import { type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { Session } from "../methods/method.ts";
import { carry } from "./carry.ts";
import { crashPoint } from "./crash_point.ts";
import { guarded } from "./guarded.ts";
import type { Office } from "./office.ts";
import type { Way } from "./way.ts";

const BATCH_BYTES = 64 * 1024 * 1024;
/** How long a lane waits for company of a fresh file while another lane is busy anyway. */
const LINGER_MS = 50;
/** How long to wait when the watched folder is away. */
const SOURCE_AGAIN_MS = 2_000;
const MINUTE = 60_000;
/** No back-off lasts longer: a delivery due later than this says that the clock was set back. */
const LONGEST_WAIT_MS = 10 * MINUTE;

/** What a lane knows of its round. */
export interface RoundOfLane {
  /** Looks whether the destination is still the place it was, if that was not done just now. */
  readonly look: () => Promise<void>;
  /** Ends the round because of the destination. */
  readonly fail: (failure: FailureRecord) => void;
  /** Aborted when no new batch may begin. */
  readonly over: AbortSignal;
  /** Aborted when the batch in hand must be dropped. */
  readonly hard: AbortSignal;
}

/** Claims and carries batches, one after the other. */
export async function outboxLane(office: Office, way: Way, { look, fail, over, hard }: RoundOfLane): Promise<void> {
  const { tools, job, destination } = office;
  const { system, ledger } = tools;
  let full = false;
  while (!over.aborted) {
    try {
      const due = ledger.nextDue(job.name, destination.name);
      const inMs = due === null ? MINUTE : due - system.now();
      if (inMs > LONGEST_WAIT_MS) ledger.makeDue(job.name, destination.name);
      if (inMs > 0) {
        await office.wakeup.wait(Math.min(inMs, MINUTE), over);
        continue;
      }
      if (office.busy > 0 && !full) {
        await system.sleep(LINGER_MS, over);
        if (over.aborted || ledger.nextDue(job.name, destination.name) === null) continue;
      }
      if (await office.sourceAway()) {
        await office.wakeup.wait(SOURCE_AGAIN_MS, over);
        continue;
      }
      await look();
      if (over.aborted) return;
      const attempt = office.attempts.begin();
      const { order } = destination;
      const batch = ledger.claim({
        job: job.name,
        destination: destination.name,
        order,
        maxFiles: tools.batchFiles,
        maxBytes: BATCH_BYTES,
        attempt,
        now: system.now(),
      });
      if (batch.length === 0) {
        office.attempts.abandon(attempt);
        await office.wakeup.wait(LINGER_MS, over);
        continue;
      }
      crashPoint("after_claim", system);
      full = batch.length >= tools.batchFiles || batch.reduce((sum, { source }) => sum + source.size, 0) >= BATCH_BYTES / 2;
      office.busy += 1;
      try {
        const trouble = await carry(batch, attempt, way, hard);
        if (trouble) fail(trouble);
        else if (!hard.aborted) works(office);
      } finally {
        office.busy -= 1;
        office.wakeup.wake();
      }
      tools.delivered?.();
      sweepSoon(office, way.session, hard);
    } catch (error) {
      const failure = failureRecord(error);
      if (failure.code === "internal") tools.emit({ type: "notice", level: "error", message: failure.message, error });
      fail(failure);
    }
  }
}

/** Notes that the destination works. */
export function works(office: Office): void {
  office.own.prove();
  office.tools.host.prove();
}

/** Sweeps ended attempts beside the way of the batches, one call at a time. */
export function sweepSoon(office: Office, session: Session, signal: AbortSignal): void {
  const former = sweeping.get(session) ?? Promise.resolve();
  const guard = {
    what: `clean up at ${office.destination.name}`,
    timeoutMs: office.destination.timeoutMs,
    clock: office.tools.system,
  };
  const next = former
    .then(() => forgetSettled(office))
    .then(() => guarded(guard, signal, (end) => office.attempts.sweep(session, end)))
    .catch((error) => office.tools.emit({ type: "notice", level: "debug", message: failureRecord(error).message }));
  sweeping.set(session, next);
}

/** A delivery whose part was left may have been settled without another attempt: by a newer version, or by a person. */
export function forgetSettled({ attempts, tools }: Office): void {
  const left = attempts.left();
  if (left.length === 0) return;
  const rows = tools.ledger.query({ ids: left.map(({ id }) => id), states: ["queued", "sending", "deferred"] });
  const waiting = new Set(rows.map(({ delivery }) => delivery.id));
  for (const delivery of left) if (!waiting.has(delivery.id)) attempts.forget(delivery);
}

const sweeping = new WeakMap<Session, Promise<void>>();

/** Resolves when nothing is being swept with this session. */
export async function swept(session: Session): Promise<void> {
  await sweeping.get(session);
}
