/**
 * Checks that the sources of a batch are still the versions that were admitted and that no program writes to them, and hashes them.
 */
import { mapLimit } from "../../async/map_limit.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import { type Failure, failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { racyMs, racyUntil, sameFingerprint, type SourceFile, untilTicked } from "../../domain/source_file.ts";
import { sourceFailure, sourceFailureOf } from "../../system/fault.ts";
import type { PathFacts } from "../../system/system.ts";
import { failureOf, giveUp, type Item, type OpenSession, sizeOf, undecided, type Unread, type WritersLook } from "../batch.ts";
import type { DestinationContext } from "../destination_context.ts";

/** Checks the sources before anything is sent; those that are gone or changed are given up. */
export async function checkSources({ items, context }: Unread): Promise<void> {
  await each(items, context, async (item) => {
    const facts = await factsOf(item, context);
    if (facts === null) return;
    item.ctimeMs = facts.ctimeMs;
    item.mode = facts.mode;
  });
}

/**
 * Checks after sending that the sources did not change meanwhile. A changed ctime alone may only mean new permissions or another
 * link, and an event that its writer told late: then the content decides.
 */
export async function recheckSources({ items, context }: Unread, signal: AbortSignal): Promise<void> {
  const doubtful: Item[] = [];
  await each(items, context, async (item) => {
    const facts = await factsOf(item, context);
    if (facts === null) return;
    const { source: { absolutePath } } = item.delivery;
    const isHeard = item.readAt !== null && context.looks?.heardSince(absolutePath, item.readAt);
    if (isHeard || facts.ctimeMs !== item.ctimeMs) doubtful.push(item);
  });
  for (const item of undecided(doubtful)) {
    try {
      // Without a hash it may be more than a change of permissions: the next attempt decides.
      if (item.sha256 === null) throw changed(item.delivery.source);
      const again = await context.system.hash(item.delivery.source, signal);
      if (again.sha256 !== item.sha256) throw changed(item.delivery.source);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      giveUp(item, sourceFailure(error, item.delivery.source.absolutePath));
    }
  }
}

/** Hashes the sources that have no hash yet: small files in parallel, large ones one at a time. */
export async function hashSources(items: readonly Item[], context: DestinationContext, signal: AbortSignal): Promise<void> {
  const wanted = undecided(items).filter(({ sha256 }) => sha256 === null);
  const isSmall = ({ delivery }: Item) => delivery.source.size < SMALL_BYTES;
  await mapLimit(wanted.filter(isSmall), context.fileOperations, (item) => hashSource(item, context, signal), signal);
  for (const item of wanted) if (!isSmall(item)) await hashSource(item, context, signal);
}

async function hashSource(item: Item, context: DestinationContext, signal: AbortSignal): Promise<void> {
  const { source } = item.delivery;
  try {
    await (isLongRead(item) ? outlastRacy : outlastTick)([item], context, signal);
    const readAt = context.system.now();
    takeHash(item, await context.system.hash(source, signal), readAt);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    giveUp(item, sourceFailure(error, source.absolutePath));
  }
}

/** Stores the hash of a source that was read from `readAt` on; gives the item up if its length has changed. */
export function takeHash(item: Item, digest: Digest, readAt: number): void {
  const { source } = item.delivery;
  if (digest.bytes !== source.size) return giveUp(item, changed(source));
  item.sha256 = digest.sha256;
  item.readAt = readAt;
}

/** Reading so much twice would cost more than waiting for a second first. */
export function isLongRead({ delivery }: Item): boolean {
  return delivery.source.size >= LONG_READ_BYTES;
}

/** Waits until a rewrite of any of these sources would show in its facts. With a time in the future it shows already. */
export async function outlastRacy(items: readonly Item[], context: DestinationContext, signal: AbortSignal): Promise<void> {
  const now = context.system.now();
  const waits = items.map(({ delivery: { source } }) => racyUntil(source) - now <= racyMs(source) ? racyUntil(source) - now : 0);
  const longest = waits.reduce((most, ms) => Math.max(most, ms), 0);
  if (longest > 0) await context.system.sleep(longest, signal);
}

/** Waits until a write to any of these sources would show in its times. */
export async function outlastTick(items: readonly Item[], { system }: DestinationContext, signal: AbortSignal): Promise<void> {
  const waitMs = untilTicked(items.map(({ delivery: { source } }) => source), system.now());
  if (waitMs > 0) await system.sleep(waitMs, signal);
}

const SMALL_BYTES = 1024 * 1024;
const LONG_READ_BYTES = 1024 * 1024 * 1024;

/** Whichever step missed a source: it only counts as gone if the watched folder is there and the file is not. */
export async function confirmGone({ items, context }: Unread): Promise<void> {
  for (const item of items) {
    if (failureOf(item)?.code !== "source_gone") continue;
    const { source } = item.delivery;
    const isThere = async () => await context.sourceAway() || await context.system.facts(source.absolutePath) !== null;
    // If it cannot be checked now, it may not be gone.
    if (await isThere().catch(() => true)) item.outcome = { failure: failureRecord(folderMissing(source)), counts: false };
  }
}

async function factsOf(item: Item, context: DestinationContext): Promise<PathFacts | null> {
  const { source } = item.delivery;
  const facts = await context.system.facts(source.absolutePath);
  if (facts === null) {
    if (!await context.sourceAway()) throw failure(CAUSES.source_gone, `Cannot send ${quoted(source)}`);
    // The folder is at fault, not the file: wait for it without using up attempts.
    item.outcome = { failure: failureRecord(folderMissing(source)), counts: false };
    return null;
  }
  if (facts.kind !== "file" || !sameFingerprint(facts, source)) throw changed(source);
  return facts;
}

async function each(
  items: readonly Item[],
  { fileOperations }: DestinationContext,
  check: (item: Item) => Promise<void>,
): Promise<void> {
  await mapLimit(undecided(items), fileOperations, async (item) => {
    try {
      await check(item);
    } catch (error) {
      giveUp(item, sourceFailure(error, item.delivery.source.absolutePath));
    }
  });
}

function folderMissing(source: SourceFile): Failure {
  return failure(CAUSES.watched_folder_missing, `Cannot read ${quoted(source)}`);
}

function changed(source: SourceFile): Failure {
  return failure(CAUSES.source_newer, `Cannot send ${quoted(source)}`);
}

function quoted(source: SourceFile): string {
  return `"${printable(source.absolutePath)}"`;
}

/** Begins to look for the writers of these sources; those that are open for writing are given up. */
export function lookForWriters(items: readonly Item[], open: OpenSession): WritersLook {
  const { context, session, hard } = open;
  const { destination } = context;
  const isSmall = items.length <= SENT_EARLY_FILES && sizeOf(items) <= SENT_EARLY_BYTES;
  const maySendEarly = isSmall && destination.verify === "checksum" && session.showsInPut !== true;
  const pathOf = ({ delivery }: Item) => delivery.source.absolutePath;
  let isOver = false;
  const look = async () => {
    const waiting = undecided(items);
    const early = await Promise.all(waiting.map(({ delivery }) => context.looks?.of(delivery.source)?.catch(() => undefined)));
    // What was open then may be closed by now.
    const unknown = waiting.filter((_, index) => early[index] !== false);
    if (unknown.length > 0) await outlastTick(unknown, context, hard);
    try {
      const open = unknown.length === 0 ? null : await context.system.openForWriting(unknown.map(pathOf), hard);
      for (const item of unknown) if (open?.has(pathOf(item))) postpone(item, sourceFailureOf("busy", pathOf(item)));
    } catch (error) {
      if (hard.aborted) throw hard.reason;
      for (const item of unknown) postpone(item, sourceFailure(error, pathOf(item)));
    }
    isOver = true;
  };
  const looking = look();
  looking.catch(() => undefined); // Awaited before anything is published.
  return {
    over: () => looking,
    async beforeSending() {
      if (!maySendEarly) await looking;
      return isOver;
    },
  };
}

/** No attempt is used up: nothing is wrong with the file. */
function postpone(item: Item, failure: Error): void {
  item.outcome ??= { failure: failureRecord(failure), counts: false };
}

const SENT_EARLY_FILES = 8;
/** They are sent and hashed one after the other in less time than a look takes. */
const SENT_EARLY_BYTES = 16 * 1024 * 1024;
