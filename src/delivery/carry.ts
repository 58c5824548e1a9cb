/**
 * Carries one batch through its steps: check → adopt → put → verify → publish → record. Round trips to the
 * destination are per batch, never per file; what happens to one file never decides the fate of another.
 */
import type { Delivery } from "../domain/delivery.ts";
import { Failure, type FailureRecord, failureRecord, isOutage } from "../domain/failure.ts";
import { attemptOf, stagedName } from "./attempts.ts";
import { type Batch, failureOf, giveUp, type Item, itemsOf, type OpenSession, undecided, type Unread } from "./batch.ts";
import { crashPoint } from "./crash_point.ts";
import type { DestinationContext } from "./destination_context.ts";
import { adoptExisting, adoptGone } from "./steps/adopt.ts";
import { checkSources, hashSources, lookForWriters } from "./steps/check.ts";
import { publish } from "./steps/publish.ts";
import { put } from "./steps/put.ts";
import { record } from "./steps/record.ts";
import { verifyStaged } from "./steps/verify.ts";
import { nameKey } from "../domain/names/file_name.ts";
import { printable } from "../domain/names/printable.ts";
import { chunks } from "../domain/chunks.ts";
import { sendsEarly } from "./ahead/send_ahead.ts";

/** How often a batch is halved to find the file that makes it fail; then the rest shares its failure. */
const MOST_PASSES = 40;

/**
 * Delivers what can be delivered and records what became of each.
 *
 * @returns the failure of the destination, if it had one: nothing more should be sent until it is back.
 */
export async function carry(
  deliveries: readonly Delivery[],
  attempt: string,
  open: OpenSession,
): Promise<FailureRecord | null> {
  const { context, hard } = open;
  const items = itemsOf(deliveries, () => attempt, context);
  using _names = takeNames(items, context);
  await pass({ ...open, items }, attempt, { left: MOST_PASSES });
  const failure = destinationFailure(items);
  const { attempts } = context;
  for (const item of items) {
    const own = failureOf(item);
    // The part that was resumed was wrong, not the file: the next attempt sends the whole file.
    if (own?.code === "mismatch" && attempts.leftover(item.delivery) !== undefined) {
      item.outcome = { failure: own, counts: false };
    }
    if (own && isOutage(own)) attempts.leave(item.delivery, item.staged);
    else attempts.forget(item.delivery);
  }
  await record({ ...open, items }, hard);
  attempts.end(attempt);
  return failure;
}

/** One pass of the steps. A batch that fails as a whole, but not by an outage, is tried again in halves. */
async function pass(unread: Unread, attempt: string, budget: { left: number }): Promise<void> {
  const { context, hard, items } = unread;
  budget.left -= 1;
  try {
    await checkSources(unread);
    const writers = lookForWriters(items, unread);
    const batch: Batch = { ...unread, writers };
    await adoptGone(batch, hard);
    await adoptExisting(batch, hard);
    await put(batch, hard);
    crashPoint("after_put", context.system);
    await verifyStaged(batch, hard);
    crashPoint("after_verify", context.system);
    if (undecided(items).length > 0) {
      // An earlier attempt that can still publish could replace a newer version with an old one.
      await context.attempts.endDoubts((doubtful) => unread.session.sweep(doubtful, hard));
      try {
        await publish(batch, hard);
      } catch (error) {
        context.attempts.doubt(attempt);
        throw error;
      }
    }
    crashPoint("after_publish", context.system);
  } catch (error) {
    const failure = failureRecord(error);
    if (failure.code === "internal") context.emit({ type: "notice", level: "error", message: failure.message, error });
    const rest = undecided(items);
    if (isOutage(failure) || rest.length < 2 || budget.left < 2) {
      for (const item of rest) item.outcome = { failure };
      return;
    }
    const middle = Math.ceil(rest.length / 2);
    for (const [name, half] of [[`${attempt}a`, rest.slice(0, middle)], [`${attempt}b`, rest.slice(middle)]] as const) {
      // What the failed pass left must not be taken for theirs.
      for (const item of half) {
        item.staged = stagedName(context.methodContext.stagingRoot, name, item.delivery);
        item.there = null;
        item.receipt = null;
      }
      await pass({ ...unread, items: half }, name, budget);
      // Not before: another worker may sweep ended attempts at any time.
      context.attempts.end(name);
    }
  }
}

/** The failure of the destination as a whole, if it has one. */
function destinationFailure(items: readonly Item[]): FailureRecord | null {
  const works = items.some((item) => item.outcome && "receipt" in item.outcome);
  let found: FailureRecord | null = null;
  for (const item of items) {
    const failure = failureOf(item);
    if (failure === null || !isOutage(failure)) continue;
    // If others arrived, a folder without write permission is this file's own failure.
    if (works && OWN_IF_OTHERS_ARRIVE.has(failure.code)) item.outcome = { failure: { ...failure, next: "later" } };
    else if (failure.code !== "stopped") found ??= failure;
  }
  return found;
}

const OWN_IF_OTHERS_ARRIVE: ReadonlySet<string> = new Set(["permission_denied", "not_a_folder"]);

/**
 * Reserves the targets, and puts off the items whose namesake is in this or another batch: the destination cannot be asked about
 * that one yet. Disposing of the result gives the names back.
 */
function takeNames(items: readonly Item[], { destination, names, removing }: DestinationContext): Disposable {
  const mine: string[] = [];
  for (const item of removing.size === 0 ? [] : undecided(items)) {
    const { target } = item.delivery;
    if (removing.has(nameKey(target))) putOff(item, `the file that was deleted at the source is just being removed there`);
  }
  if (destination.onConflict === "overwrite") {
    for (const item of undecided(items)) {
      const { target } = item.delivery;
      const holder = names.get(nameKey(target));
      if (holder === undefined) {
        names.set(nameKey(target), target);
        mine.push(nameKey(target));
      } else if (holder !== target) {
        putOff(item, `"${printable(holder)}" is being sent, which may be the same name there`);
      }
    }
  }
  return { [Symbol.dispose]: () => mine.forEach((name) => names.delete(name)) };
}

/** It is tried again soon, and no attempt is used up. */
function putOff(item: Item, why: string): void {
  const message = `Cannot send "${printable(item.delivery.target)}" yet: ${why}`;
  giveUp(item, new Failure("exists", message, { next: "later", hint: "It is sent afterwards." }));
  if (item.outcome !== null && "failure" in item.outcome) item.outcome = { ...item.outcome, counts: false };
}

const CHUNK = 500;

/**
 * Takes up what an earlier process had in hand when it ended: what is published is verified and recorded, what is staged whole is
 * verified and published (or sent again, as the session says), large parts are kept to go on from, and everything else of ours is swept.
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
