/**
 * One worker of an open session: claims a batch, carries it, has its leftovers swept, and starts over, until the session ends.
 *
 * @module
 */
import type { Delivery } from "../domain/delivery.ts";
import { type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { mutex } from "../async/mutex.ts";
import { attemptOf } from "./attempts.ts";
import type { OpenSession } from "./batch.ts";
import { carry } from "./carry.ts";
import { crashPoint } from "./crash_point.ts";
import { type DestinationContext, succeed } from "./destination_context.ts";

const BATCH_BYTES = 64 * 1024 * 1024;
/** How long a worker waits for more files while another one is busy anyway. */
const LINGER_MS = 50;
/** How long to wait while the watched folder is missing. */
const SOURCE_AGAIN_MS = 2_000;
const MINUTE = 60_000;
/** No back-off lasts longer: a delivery that is due later shows that the clock was set back. */
const LONGEST_WAIT_MS = 10 * MINUTE;

/** What the workers of a session share. */
export interface Workers {
  /** Checks that the place is still the right one. */
  readonly look: () => Promise<void>;
  /** They wait and claim one after the other. */
  readonly inTurn: ReturnType<typeof mutex>;
  /** Ends the session because of the destination. */
  readonly fail: (failure: FailureRecord) => void;
  /** Aborted when no new batch may begin. */
  readonly over: AbortSignal;
}

/** Claims and carries batches, one after the other. */
export async function runWorker(open: OpenSession, { look, inTurn, fail, over }: Workers): Promise<void> {
  const { context } = open;
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
      mayLinger = !isFull(claimed, context);
      await carryClaimed(claimed, attemptOf(first), open, fail);
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
  open: OpenSession,
  mayLinger: boolean,
  look: () => Promise<void>,
  over: AbortSignal,
): Promise<readonly Delivery[] | "later"> {
  const { context } = open;
  const { ledger, job, destination, system, bell, state } = context;
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
  const claimed = over.aborted ? [] : claim(open);
  if (claimed.length === 0) await bell.wait(LINGER_MS, over);
  return claimed;
}

/** Begins an attempt, unless nothing can be claimed. */
function claim({ context, session }: OpenSession): Delivery[] {
  const { job, destination, ledger, system, batchFiles, attempts } = context;
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
  if (claimed.length === 0) attempts.abandon(attempt);
  return claimed;
}

function isFull(claimed: readonly Delivery[], { batchFiles }: DestinationContext): boolean {
  return claimed.length >= batchFiles || claimed.reduce((sum, { source }) => sum + source.size, 0) >= BATCH_BYTES / 2;
}

async function carryClaimed(
  claimed: readonly Delivery[],
  attempt: string,
  open: OpenSession,
  fail: (failure: FailureRecord) => void,
): Promise<void> {
  const { context, sweeper, hard } = open;
  context.state.batches += 1;
  try {
    const failure = await carry(claimed, attempt, open);
    if (failure) fail(failure);
    else if (!hard.aborted) succeed(context);
  } finally {
    context.state.batches -= 1;
    context.bell.ring();
  }
  context.delivered?.();
  sweeper.soon(hard);
}
