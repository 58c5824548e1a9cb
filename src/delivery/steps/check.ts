/**
 * Looks whether the sources of a batch are still the versions that were admitted, and reads their hashes.
 *
 * @module
 */
import { Failure, failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { fingerprint, racyMs, racyUntil, type SourceFile } from "../../domain/source_file.ts";
import { sourceFailure } from "../../system/source_failure.ts";
import type { PathFacts } from "../../system/system.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { type Batch, giveUp, type Item, undecided } from "../batch.ts";

/** Checks the sources before anything is sent; those that are gone or changed are given up. */
export async function checkSources(items: readonly Item[], batch: Batch): Promise<void> {
  await each(items, batch, async (item) => {
    const facts = await factsOf(item, batch);
    if (facts) item.ctimeMs = facts.ctimeMs;
  });
}

/**
 * Checks the sources again after they were sent: the version must not have changed meanwhile. A changed ctime
 * alone may only be a permission or another link: then the content decides.
 */
export async function recheckSources(items: readonly Item[], batch: Batch, signal: AbortSignal): Promise<void> {
  const doubtful: Item[] = [];
  await each(items, batch, async (item) => {
    const facts = await factsOf(item, batch);
    if (facts && facts.ctimeMs !== item.ctimeMs) doubtful.push(item);
  });
  for (const item of undecided(doubtful)) {
    try {
      // Without a hash nothing tells whether only its rights changed: the next attempt finds it at rest.
      if (item.sha256 === null) throw changed(item.delivery.source);
      const again = await batch.system.hash(item.delivery.source.absolutePath, signal);
      if (again.sha256 !== item.sha256) throw changed(item.delivery.source);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      giveUp(item, sourceFailure(error, item.delivery.source.absolutePath));
    }
  }
}

/** Reads the hashes of those sources that have none yet, and remembers them: small files side by side, large ones alone. */
export async function hashSources(items: readonly Item[], batch: Batch, signal: AbortSignal): Promise<void> {
  const wanted = undecided(items).filter(({ sha256 }) => sha256 === null);
  const isSmall = ({ delivery }: Item) => delivery.source.size < SMALL_BYTES;
  await mapLimit(wanted.filter(isSmall), batch.fileOperations, (item) => hashSource(item, batch, signal), signal);
  for (const item of wanted) if (!isSmall(item)) await hashSource(item, batch, signal);
}

async function hashSource(item: Item, batch: Batch, signal: AbortSignal): Promise<void> {
  const { source } = item.delivery;
  try {
    if (source.size >= LONG_READ_BYTES) await outlastRacy([item], batch, signal);
    const readAt = batch.system.now();
    const digest = await batch.system.hash(source.absolutePath, signal);
    if (digest.bytes !== source.size) throw changed(source);
    item.sha256 = digest.sha256;
    item.readAt = readAt;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    giveUp(item, sourceFailure(error, source.absolutePath));
  }
}

/** Waits until a rewrite of any of these sources would show in its facts. For one that comes from the future it would show now. */
export async function outlastRacy(items: readonly Item[], batch: Batch, signal: AbortSignal): Promise<void> {
  const now = batch.system.now();
  const waits = items.map(({ delivery: { source } }) => racyUntil(source) - now <= racyMs(source) ? racyUntil(source) - now : 0);
  const longest = waits.reduce((most, ms) => Math.max(most, ms), 0);
  if (longest > 0) await batch.system.sleep(longest, signal);
}

const SMALL_BYTES = 1024 * 1024;
/** Reading so much twice costs more than to begin a second later, beside the sending. */
const LONG_READ_BYTES = 1024 * 1024 * 1024;

/** Whoever missed a source: it is only gone if the watched folder is there and the file is not. */
export async function confirmGone(items: readonly Item[], batch: Batch): Promise<void> {
  for (const item of items) {
    if (!item.outcome || !("failure" in item.outcome) || item.outcome.failure.code !== "source_gone") continue;
    const { source } = item.delivery;
    const isThere = async () => await batch.sourceAway() || await batch.system.facts(source.absolutePath) !== null;
    // What cannot be looked at now is not known to be gone.
    if (await isThere().catch(() => true)) item.outcome = { failure: failureRecord(folderMissing(source)), counts: false };
  }
}

async function factsOf(item: Item, batch: Batch): Promise<PathFacts | null> {
  const { source } = item.delivery;
  const facts = await batch.system.facts(source.absolutePath);
  if (facts === null) {
    if (!await batch.sourceAway()) throw gone(source);
    // The folder is at fault, not the file: wait for it without using up attempts.
    item.outcome = { failure: failureRecord(folderMissing(source)), counts: false };
    return null;
  }
  if (facts.kind !== "file" || fingerprint(facts) !== fingerprint(source)) throw changed(source);
  return facts;
}

async function each(items: readonly Item[], batch: Batch, check: (item: Item) => Promise<void>): Promise<void> {
  const waiting = undecided(items);
  const worker = async () => {
    for (let item = waiting.shift(); item; item = waiting.shift()) {
      try {
        await check(item);
      } catch (error) {
        giveUp(item, sourceFailure(error, item.delivery.source.absolutePath));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(batch.fileOperations, waiting.length) }, worker));
}

function folderMissing(source: SourceFile): Failure {
  return new Failure("source_unreadable", `Cannot read ${quoted(source)}: the watched folder is missing`, {
    hint: "Bring the folder back (is its disk mounted?); delivery resumes automatically.",
  });
}

function gone(source: SourceFile): Failure {
  return new Failure("source_gone", `Cannot send ${quoted(source)}: it no longer exists`, {
    hint: "If it was moved or deleted on purpose, ignore this. To deliver it, put it back.",
  });
}

function changed(source: SourceFile): Failure {
  return new Failure("source_changed", `Cannot send ${quoted(source)}: it changed after it was finished`, {
    hint: "The new version is delivered when it is finished.",
  });
}

function quoted(source: SourceFile): string {
  return `"${printable(source.absolutePath)}"`;
}
