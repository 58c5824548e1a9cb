/**
 * Takes up what an earlier process had in hand when it ended: what is published is verified and recorded, what is staged
 * whole is verified and published (or sent again, as the session says), large parts are kept to go on from, and everything else of ours is swept.
 *
 * @module
 */
import { chunks } from "../domain/chunks.ts";
import type { Delivery } from "../domain/delivery.ts";
import { Failure, isOutage } from "../domain/failure.ts";
import { sendsEarly } from "./ahead/send_ahead.ts";
import { attemptOf } from "./attempts.ts";
import { type Batch, failureOf, giveUp, itemsOf, type OpenSession, undecided } from "./batch.ts";
import { adoptExisting } from "./steps/adopt.ts";
import { checkSources, hashSources, lookForWriters } from "./steps/check.ts";
import { publish } from "./steps/publish.ts";
import { record } from "./steps/record.ts";
import { verifyStaged } from "./steps/verify.ts";

const CHUNK = 500;

/**
 * Recovers these deliveries and sweeps what is not needed any more.
 *
 * @throws {Failure} the destination's failure, if it has one: then it has to be done again.
 */
export async function recover(deliveries: readonly Delivery[], open: OpenSession): Promise<void> {
  const left = new Set(await open.session.leftovers(open.hard));
  if (open.session.parts && sendsEarly(open.context)) open.context.ahead.adopt(left);
  // Anything else may belong to a publication that is still running there: it must find nothing left to rename.
  const inHand = new Set(deliveries.map(attemptOf));
  await sweepUnneeded([...left].filter((attempt) => !inHand.has(attempt)), open);
  for (const some of chunks(deliveries, CHUNK)) {
    const items = itemsOf(some, attemptOf, open.context);
    const writers = lookForWriters(items, open);
    await writers.over();
    await recoverBatch({ ...open, items, writers }, left);
  }
  await sweepUnneeded([...left].filter((attempt) => inHand.has(attempt)), open);
}

async function recoverBatch(batch: Batch, left: ReadonlySet<string>): Promise<void> {
  const { context, items, session, hard } = batch;
  // The former process may have sent any of them.
  for (const { delivery } of items) context.begun.add(delivery.id);
  await adoptExisting(batch, hard);
  await checkSources(batch);
  // Only a hash can verify what a former process sent: a file of the right length may have holes.
  const provable = context.destination.verify === "checksum" && !session.sendsStagedAgain ? undecided(items) : [];
  const candidates = provable.filter((item) => left.has(attemptOf(item.delivery)));
  const stats = candidates.length === 0 ? [] : await session.survey(candidates.map((item) => item.staged), hard);
  const staged = candidates.filter((item, index) => stats[index]?.bytes === item.delivery.source.size);
  await hashSources(staged, context, hard);
  await verifyStaged({ ...batch, items: staged }, hard);
  // A staged file that turns out wrong is no failed attempt: it was never finished. It is sent again.
  for (const item of staged) if (failureOf(item)?.code === "mismatch") item.outcome = null;
  await publish({ ...batch, items: staged }, hard);
  // If one of them has an outcome, the former process may have begun to publish: then nothing of the attempt may stay.
  const doubtful = new Set(items.filter(({ outcome }) => outcome !== null).map(({ delivery }) => attemptOf(delivery)));
  for (const item of undecided(items)) {
    const attempt = attemptOf(item.delivery);
    if (left.has(attempt) && !doubtful.has(attempt)) context.attempts.leave(item.delivery, item.staged);
    giveUp(item, new Failure("stopped", "The attempt was interrupted when image-transfer stopped"));
  }
  const outage = items.map(failureOf).find((failure) => failure !== null && failure.code !== "stopped" && isOutage(failure));
  await record(batch, hard);
  if (outage) throw new Failure(outage.code, outage.message, { hint: outage.hint, next: outage.next });
}

async function sweepUnneeded(left: readonly string[], { context, session, hard }: OpenSession): Promise<void> {
  const kept = context.attempts.kept();
  const go = left.filter((attempt) => !kept.has(attempt));
  if (go.length === 0) return;
  await session.sweep(go, hard);
  context.emit({ type: "swept", name: context.destination.name, count: go.length });
}
