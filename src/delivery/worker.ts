/**
 * One lane of an outbox: claims a batch, carries it, sweeps behind it, and begins again, until its round is over.
 *
 * @module
 */
import { type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { Session } from "../methods/method.ts";
import { carry } from "./carry.ts";
import { crashPoint } from "./crash_point.ts";
import { withWatchdog } from "./watchdog.ts";
import type { DestinationContext } from "./destination_context.ts";
import type { Batch } from "./batch.ts";

const BATCH_BYTES = 64 * 1024 * 1024;
/** How long a lane waits for company of a fresh file while another lane is busy anyway. */
const LINGER_MS = 50;
/** How long to wait when the watched folder is away. */
const SOURCE_AGAIN_MS = 2_000;
const MINUTE = 60_000;
/** No back-off lasts longer: a delivery due later than this says that the clock was set back. */
const LONGEST_WAIT_MS = 10 * MINUTE;

/** What a lane knows of its round. */
export interface SessionOfWorker {
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
export async function runWorker(
  context: DestinationContext,
  batch: Batch,
  { look, fail, over, hard }: SessionOfWorker,
): Promise<void> {
  const { tools, job, destination } = context;
  const { system, ledger } = tools;
  let full = false;
  while (!over.aborted) {
    try {
      const due = ledger.nextDue(job.name, destination.name);
      const inMs = due === null ? MINUTE : due - system.now();
      if (inMs > LONGEST_WAIT_MS) ledger.makeDue(job.name, destination.name);
      if (inMs > 0) {
        await context.bell.wait(Math.min(inMs, MINUTE), over);
        continue;
      }
      if (context.busy > 0 && !full) {
        await system.sleep(LINGER_MS, over);
        if (over.aborted || ledger.nextDue(job.name, destination.name) === null) continue;
      }
      if (await context.sourceAway()) {
        await context.bell.wait(SOURCE_AGAIN_MS, over);
        continue;
      }
      await look();
      if (over.aborted) return;
      const attempt = context.attempts.begin();
      const { order } = destination;
      const claimed = ledger.claim({
        job: job.name,
        destination: destination.name,
        order,
        maxFiles: tools.batchFiles,
        maxBytes: BATCH_BYTES,
        attempt,
        now: system.now(),
      });
      if (claimed.length === 0) {
        context.attempts.abandon(attempt);
        await context.bell.wait(LINGER_MS, over);
        continue;
      }
      crashPoint("after_claim", system);
      full = claimed.length >= tools.batchFiles || claimed.reduce((sum, { source }) => sum + source.size, 0) >= BATCH_BYTES / 2;
      context.busy += 1;
      try {
        const trouble = await carry(claimed, attempt, batch, hard);
        if (trouble) fail(trouble);
        else if (!hard.aborted) works(context);
      } finally {
        context.busy -= 1;
        context.bell.ring();
      }
      tools.delivered?.();
      sweepSoon(context, batch.session, hard);
    } catch (error) {
      const failure = failureRecord(error);
      if (failure.code === "internal") tools.emit({ type: "notice", level: "error", message: failure.message, error });
      fail(failure);
    }
  }
}

/** Notes that the destination works. */
export function works(context: DestinationContext): void {
  context.breaker.succeed();
  context.tools.host.succeed();
}

/** Sweeps ended attempts beside the way of the batches, one call at a time. */
export function sweepSoon(context: DestinationContext, session: Session, signal: AbortSignal): void {
  const former = sweeping.get(session) ?? Promise.resolve();
  const watchdog = {
    what: `clean up at ${context.destination.name}`,
    timeoutMs: context.destination.timeoutMs,
    clock: context.tools.system,
  };
  const next = former
    .then(() => forgetSettled(context))
    .then(() => withWatchdog(watchdog, signal, (end) => context.attempts.sweep(session, end)))
    .catch((error) => context.tools.emit({ type: "notice", level: "debug", message: failureRecord(error).message }));
  sweeping.set(session, next);
}

/** A delivery whose part was left may have been settled without another attempt: by a newer version, or by a person. */
export function forgetSettled({ attempts, tools }: DestinationContext): void {
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
