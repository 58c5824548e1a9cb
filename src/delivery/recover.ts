/**
 * Takes up what an earlier process had in hand when it ended: what is published is proven and recorded, what is staged
 * whole is proven and published, large parts are kept to go on from, and everything else of ours is swept.
 *
 * @module
 */
import type { Delivery } from "../domain/delivery.ts";
import { Failure, isOutage } from "../domain/failure.ts";
import { adoptExisting } from "./steps/adopt.ts";
import { checkSources, hashSources } from "./steps/check.ts";
import { withWatchdog } from "./watchdog.ts";
import { asking, verifyStaged } from "./steps/verify.ts";
import { publish } from "./steps/publish.ts";
import { record } from "./steps/record.ts";
import { type Batch, giveUp, type Item, itemOf, undecided } from "./batch.ts";

const CHUNK = 500;

/**
 * Settles these deliveries and sweeps what is not needed any more.
 *
 * @throws {Failure} the destination's failure, if it has one: then it has to be done again.
 */
export async function recover(deliveries: readonly Delivery[], batch: Batch, signal: AbortSignal): Promise<void> {
  const left = new Set(await withWatchdog(asking(batch), signal, (end) => batch.session.leftovers(end)));
  // What is not in hand may belong to a publication that still works on over there: it must have nothing left to name.
  const inHand = new Set(deliveries.map(attemptOf));
  await sweepStrangers(new Set([...left].filter((attempt) => !inHand.has(attempt))), batch, signal);
  for (let start = 0; start < deliveries.length; start += CHUNK) {
    await settle(deliveries.slice(start, start + CHUNK), left, batch, signal);
  }
  await sweepStrangers(new Set([...left].filter((attempt) => inHand.has(attempt))), batch, signal);
}

async function settle(
  deliveries: readonly Delivery[],
  left: ReadonlySet<string>,
  batch: Batch,
  signal: AbortSignal,
): Promise<void> {
  const items = deliveries.map((delivery) => itemOf(delivery, attemptOf(delivery), batch));
  await adoptExisting(items, batch, signal);
  await checkSources(items, batch);
  // Only a hash proves what nobody saw arriving: a file of the right length may have holes.
  const provable = batch.destination.verify === "checksum" ? undecided(items) : [];
  const staged = await wholeStaged(provable.filter((item) => left.has(attemptOf(item.delivery))), batch, signal);
  await hashSources(staged, batch, signal);
  await verifyStaged(undecided(staged), batch, signal);
  for (const item of staged) forgetMismatch(item);
  await publish(undecided(staged), batch, signal);
  // Where one of them came to its end, the former process may have asked for publication: then nothing of the attempt may stay.
  const doubtful = new Set(items.filter(({ outcome }) => outcome !== null).map(({ delivery }) => attemptOf(delivery)));
  for (const item of undecided(items)) {
    const attempt = attemptOf(item.delivery);
    if (left.has(attempt) && !doubtful.has(attempt)) batch.attempts.leave(item.delivery, item.staged);
    giveUp(item, new Failure("stopped", "The attempt was interrupted when image-transfer stopped"));
  }
  const outage = items.map((item) => item.outcome && "failure" in item.outcome ? item.outcome.failure : null)
    .find((failure) => failure !== null && failure.code !== "stopped" && isOutage(failure));
  await record(items, batch, signal);
  if (outage) throw new Failure(outage.code, outage.message, { hint: outage.hint, next: outage.next });
}

/** Those items whose staged file is as long as it should be. */
async function wholeStaged(items: readonly Item[], batch: Batch, signal: AbortSignal): Promise<Item[]> {
  if (items.length === 0) return [];
  const stats = await withWatchdog(asking(batch), signal, (end) => batch.session.survey(items.map((item) => item.staged), end));
  return items.filter((item, index) => stats[index]?.bytes === item.delivery.source.size);
}

/** A staged file that turns out wrong is no failed attempt: it was never finished. It is sent again. */
function forgetMismatch(item: Item): void {
  if (item.outcome && "failure" in item.outcome && item.outcome.failure.code === "mismatch") item.outcome = null;
}

async function sweepStrangers(left: ReadonlySet<string>, batch: Batch, signal: AbortSignal): Promise<void> {
  const kept = batch.attempts.kept();
  const go = [...left].filter((attempt) => !kept.has(attempt));
  if (go.length === 0) return;
  await withWatchdog(
    { ...asking(batch), what: `clean up at ${batch.destination.name}` },
    signal,
    (end) => batch.session.sweep(go, end),
  );
  batch.emit({ type: "swept", name: batch.destination.name, count: go.length });
}

function attemptOf({ state }: Delivery): string {
  return state.state === "sending" ? state.attempt : "none";
}
