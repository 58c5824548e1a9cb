/**
 * Carries one batch through the corridor: check → adopt → put → prove → publish → record. Rounds to the
 * destination are per batch, never per file; what happens to one file never decides the fate of another.
 *
 * @module
 */
import type { Delivery } from "../domain/delivery.ts";
import { Failure, type FailureRecord, failureRecord, isOutage } from "../domain/failure.ts";
import { adoptExisting, adoptGone } from "./steps/adopt.ts";
import { checkSources } from "./steps/check.ts";
import { crashPoint } from "./crash_point.ts";
import { takeNames } from "./steps/folded_names.ts";
import { withWatchdog } from "./watchdog.ts";
import { asking, verifyStaged } from "./steps/verify.ts";
import { publish } from "./steps/publish.ts";
import { put } from "./steps/put.ts";
import { record } from "./steps/record.ts";
import { type Batch, giveUp, type Item, itemOf, stagedName, undecided } from "./batch.ts";

/** How often a batch is cut in two to find the file that spoils it; then the rest shares its failure. */
const MOST_PASSES = 40;

/**
 * Delivers what can be delivered and records what became of each.
 *
 * @returns the failure of the destination, if it had one: nothing more should be sent until it is back.
 */
export async function carry(
  deliveries: readonly Delivery[],
  attempt: string,
  batch: Batch,
  signal: AbortSignal,
): Promise<FailureRecord | null> {
  const items = deliveries.map((delivery) => itemOf(delivery, attempt, batch));
  using _names = takeNames(items, batch);
  await pass(items, attempt, { left: MOST_PASSES }, batch, signal);
  const trouble = troubleOf(items);
  for (const item of items) keepOrForget(item, batch);
  await record(items, batch, signal);
  batch.attempts.end(attempt);
  return trouble;
}

/** One pass of the corridor. A batch that fails as a whole, but not by an outage, is tried again in halves. */
async function pass(
  items: readonly Item[],
  attempt: string,
  budget: { left: number },
  batch: Batch,
  signal: AbortSignal,
): Promise<void> {
  budget.left -= 1;
  try {
    await checkSources(items, batch);
    await adoptGone(items, batch, signal);
    await adoptExisting(items, batch, signal);
    await put(undecided(items), batch, signal);
    crashPoint("after_put", batch.system);
    await verifyStaged(undecided(items), batch, signal);
    crashPoint("after_verify", batch.system);
    await publishAlone(undecided(items), attempt, batch, signal);
    crashPoint("after_publish", batch.system);
  } catch (error) {
    const failure = failureRecord(error);
    if (failure.code === "internal") batch.emit({ type: "notice", level: "error", message: failure.message, error });
    const rest = undecided(items);
    if (isOutage(failure) || rest.length < 2 || budget.left < 2) {
      for (const item of rest) giveUp(item, failureOf(failure));
      return;
    }
    const middle = Math.ceil(rest.length / 2);
    for (const [name, half] of [[`${attempt}a`, rest.slice(0, middle)], [`${attempt}b`, rest.slice(middle)]] as const) {
      await pass(restaged(half, name, batch), name, budget, batch, signal);
      // Not before: another lane may sweep what has ended at any time.
      batch.attempts.end(name);
    }
  }
}

/** Publishes when no earlier attempt can do so any more: it could put an old version in the place of a newer one. */
async function publishAlone(items: readonly Item[], attempt: string, batch: Batch, signal: AbortSignal): Promise<void> {
  if (items.length === 0) return;
  const watchdog = { ...asking(batch), what: `end an earlier attempt at ${batch.destination.name}` };
  await batch.attempts.endDoubts((attempts) => withWatchdog(watchdog, signal, (end) => batch.session.sweep(attempts, end)));
  try {
    await publish(items, batch, signal);
  } catch (error) {
    batch.attempts.doubt(attempt);
    throw error;
  }
}

/** The same items under fresh staging names: what is left of the spoilt pass must not be taken for theirs. */
function restaged(items: readonly Item[], attempt: string, batch: Batch): readonly Item[] {
  for (const item of items) {
    item.staged = stagedName(batch.stagingRoot, attempt, item.delivery);
    item.receipt = null;
  }
  return items;
}

/** What speaks against the destination as a whole. */
function troubleOf(items: readonly Item[]): FailureRecord | null {
  const outages = items.filter((item) => item.outcome && "failure" in item.outcome && isOutage(item.outcome.failure));
  const works = items.some((item) => item.outcome && "receipt" in item.outcome);
  let trouble: FailureRecord | null = null;
  for (const item of outages) {
    const outcome = item.outcome as { failure: FailureRecord };
    // Where others arrived, a folder that may not be written is this file's own trouble.
    if (works && OWN_IF_OTHERS_ARRIVE.has(outcome.failure.code)) {
      item.outcome = { failure: { ...outcome.failure, next: "later" } };
    } else if (outcome.failure.code !== "stopped") {
      trouble ??= outcome.failure;
    }
  }
  return trouble;
}

const OWN_IF_OTHERS_ARRIVE: ReadonlySet<string> = new Set(["permission_denied", "not_a_folder"]);

function keepOrForget(item: Item, batch: Batch): void {
  const { outcome } = item;
  const mismatch = outcome && "failure" in outcome && outcome.failure.code === "mismatch";
  // The part that it went on with was wrong. Without it the next attempt sends the whole: the file itself is not at fault.
  if (mismatch && batch.attempts.leftover(item.delivery) !== undefined) item.outcome = { ...outcome, counts: false };
  if (outcome && "failure" in outcome && isOutage(outcome.failure)) batch.attempts.leave(item.delivery, item.staged);
  else batch.attempts.forget(item.delivery);
}

function failureOf(record: FailureRecord): Failure {
  return new Failure(record.code, record.message, { hint: record.hint, next: record.next });
}
