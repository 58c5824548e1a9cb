/**
 * Carries one batch through its steps: check → adopt → put → verify → publish → record. Round trips to the
 * destination are per batch, never per file; what happens to one file never decides the fate of another.
 */
import { defer, deliver, type Delivery, fail, park } from "../domain/delivery.ts";
import { backOff, Failure, type FailureRecord, failureRecord, isOutage } from "../domain/failure.ts";
import { attemptOf, stagedName } from "./attempts.ts";
import {
  type Batch,
  failureOf,
  giveUp,
  type Item,
  itemsOf,
  type OpenSession,
  type Outcome,
  sizeOf,
  undecided,
  type Unread,
} from "./batch.ts";
import { crashPoint } from "./crash_point.ts";
import type { DestinationContext } from "./destination_context.ts";
import { adoptExisting, adoptGone } from "./steps/adopt.ts";
import { checkSources, confirmGone, hashSources, lookForWriters, recheckSources } from "./steps/check.ts";
import { put } from "./steps/put.ts";
import { nameKey } from "../domain/names/file_name.ts";
import { printable } from "../domain/names/printable.ts";
import { chunks } from "../domain/chunks.ts";
import { sendsEarly } from "./ahead/send_ahead.ts";
import { verify, type WeakerProof } from "../domain/receipt.ts";
import { isMirror, type Replaced, takeReplaced } from "./mirror/replaced.ts";
import type { Destination } from "../config/settings.ts";

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

/** Gives every item its receipt or its failure. One round trip to the destination, whatever the number of items. */
async function verifyStaged(batch: Batch, signal: AbortSignal): Promise<void> {
  const { context: { destination, system }, session, writers } = batch;
  const items = undecided(batch.items);
  if (items.length === 0) return;
  const hashSent = async () => {
    // What was sent before it was known that no program writes to it is hashed now.
    await writers.over();
    if (destination.verify === "checksum") await hashSources(items, batch.context, signal);
  };
  const [found] = await Promise.all([digestsOf(items, batch, signal), hashSent()]);
  await recheckSources({ ...batch, items }, signal);
  const level = destination.verify === "checksum" ? session.proof : destination.verify;
  items.forEach((item, index) => {
    if (item.outcome !== null) return;
    try {
      const sent = { bytes: item.delivery.source.size, sha256: item.sha256 };
      item.receipt = verify(sent, found[index] ?? null, level, system.now());
    } catch (error) {
      const { code, message, hint } = failureRecord(error);
      const what = `Cannot verify "${printable(item.delivery.source.path)}" at ${destination.name}`;
      giveUp(item, new Failure(code, `${what}: ${message}`, { hint }));
    }
  });
}

/** What the destination has under the staging names, as far as the configured level compares it. */
async function digestsOf(
  items: readonly Item[],
  { context, session }: Batch,
  signal: AbortSignal,
): Promise<readonly ({ readonly bytes: number; readonly sha256: string | null; readonly shownBy?: WeakerProof } | null)[]> {
  const paths = items.map((item) => item.staged);
  switch (context.destination.verify) {
    case "checksum": {
      const unknown = items.filter(({ there }) => there === null);
      const digests = unknown.length === 0
        ? []
        : await session.digest(unknown.map(({ staged }) => staged), sizeOf(unknown), signal);
      const found = new Map(unknown.map((item, index) => [item, digests[index] ?? null]));
      return items.map((item) => item.there ?? found.get(item) ?? null);
    }
    case "size":
      return (await session.survey(paths, signal)).map((stat) => stat && { bytes: stat.bytes, sha256: null });
    case "none":
      return [];
  }
  context.destination.verify satisfies never;
}

async function publish(batch: Batch, signal: AbortSignal): Promise<void> {
  const { items, context, session } = batch;
  const verified = undecided(items).filter((item) => item.receipt !== null);
  if (verified.length === 0) return;
  const { destination, emit } = context;
  const { onConflict, fileMode, directoryMode } = destination;
  const publications = verified.map((item) => ({
    staged: item.staged,
    target: item.delivery.target,
    onConflict,
    fileMode,
    directoryMode,
  }));
  const outcomes = await session.publish(publications, signal);
  const replaced: Replaced[] = [];
  verified.forEach((item, index) => {
    const outcome = outcomes[index];
    if (!outcome) return giveUp(item, new Error("the method gave no outcome for a publication"));
    if (!outcome.published) {
      const { code, message, hint, next } = outcome.failure;
      const isSkipped = code === "exists" && onConflict === "skip";
      return giveUp(item, new Failure(isSkipped ? "skipped" : code, message, { hint, next }));
    }
    const { former } = outcome;
    if (former !== undefined && isMirror(context)) replaced.push({ item, former });
    else if (item.receipt) item.outcome = { receipt: item.receipt };
    if (former === undefined) return;
    const names = `"${printable(item.delivery.target)}" at ${destination.name}`;
    const message = `A different file had the name ${names}: kept as "${printable(former)}"`;
    emit({ type: "notice", level: "info", message });
  });
  // Without their outcomes: if the destination goes away now, the next attempt finds them there, and comes here again.
  await takeReplaced(replaced, batch, signal);
  for (const { item } of replaced) if (item.receipt) item.outcome = { receipt: item.receipt };
  context.unflushed.forget(verified.flatMap(({ delivery }, index) => outcomes[index]?.published ? [delivery.target] : []));
}

const RETRY_MS = 5_000;

/** Records all items. While the ledger cannot be written (its disk is full), it waits and tries again. */
async function record(batch: Unread, signal: AbortSignal): Promise<void> {
  const { items, context, session, soft } = batch;
  const { ledger, system, attempts, destination, once, emit, begun } = context;
  await confirmGone(batch);
  const rules = { destination, now: system.now(), random: system.random(), once, stopping: soft.aborted };
  const deliveries = items.map((item): Delivery => {
    const outcome = item.outcome ?? { failure: failureRecord(new Error("delivery ended without an outcome")) };
    return nextState({ ...item.delivery, method: session.method }, outcome, rules);
  });
  crashPoint("before_record", system);
  const reads = new Map(
    items.flatMap(({ delivery, sha256, readAt }) =>
      readAt === null || sha256 === null ? [] : [[delivery.id, { at: readAt, sha256 }]]
    ),
  );
  const parts = new Map(items.flatMap(({ delivery }) => {
    const staged = session.resumes ? attempts.leftover(delivery) : undefined;
    return staged === undefined ? [] : [[delivery.id, staged]];
  }));
  let rewritten: boolean | null = null;
  for (let told = false; rewritten === null; told = true) {
    try {
      rewritten = ledger.record(deliveries, system.now(), reads, parts);
    } catch (error) {
      const message = `Cannot write the ledger: ${failureRecord(error).message}. Retrying`;
      if (!told) emit({ type: "notice", level: "error", message, error });
      // The next start asks the destination.
      if (signal.aborted) throw error;
      await system.sleep(RETRY_MS, signal);
    }
  }
  crashPoint("after_record", system);
  if (rewritten) context.rewritten?.();
  deliveries.forEach((delivery, index) => {
    const { state } = delivery.state;
    if (state === "sending") return;
    const { outcome } = items[index]!;
    const found = outcome !== null && "found" in outcome ? { found: true as const } : {};
    if (state === "delivered" || state === "failed") begun.delete(delivery.id);
    emit(state === "delivered" ? { type: state, delivery, ...found } : { type: state, delivery });
  });
}

interface StateRules extends Pick<DestinationContext, "once"> {
  readonly destination: Pick<Destination, "retryAttempts" | "retryDelayMs">;
  readonly now: number;
  readonly random: number;
  /** The daemon is asked to end: connections end with it, sometimes because their programs were asked as well. */
  readonly stopping: boolean;
}

/** Outages leave `attempts` as they are; `retryAttempts` counts tries, the first one included, and 0 is taken for 1. */
export function nextState(delivery: Delivery, outcome: Outcome, rules: StateRules): Delivery {
  if ("receipt" in outcome) return deliver(delivery, outcome.receipt);
  const { failure } = outcome;
  const { retryAttempts, retryDelayMs } = rules.destination;
  if (failure.code === "stopped" || (rules.stopping && isOutage(failure) && failure.next !== "hold")) return park(delivery);
  if (failure.next === "never") return fail(delivery, failure);
  if (isOutage(failure)) return defer(delivery, failure, rules.now + backOff(3, retryDelayMs, rules.random), false);
  if (outcome.counts === false) return defer(delivery, failure, rules.now + backOff(1, retryDelayMs, rules.random), false);
  const tried = delivery.attempts + 1;
  if (tried >= Math.max(1, retryAttempts)) {
    // The intake admits the new version when it is finished, and that ends the wait of this one.
    if (failure.code !== "source_changed") return fail(delivery, failure);
    // The run ends when all is done: a source that keeps changing is left to the next run.
    if (rules.once) return fail(delivery, { ...failure, code: "superseded", next: "never" });
  }
  return defer(delivery, failure, rules.now + backOff(tried, retryDelayMs, rules.random), true);
}
