/**
 * Finds the truth: walks the whole watched folder and asks the ledger about every file. Whatever the events did
 * not tell is found here.
 *
 * @module
 */
import type { FileFacts } from "../../domain/source_file.ts";
import type { IntakeContext } from "../intake_context.ts";
import { isDeep } from "../patterns.ts";
import { noteFiles } from "../settle/note_files.ts";
import { settleAgain } from "../settle/settle_files.ts";
import { andFound, NOTHING_FOUND } from "./unmatched.ts";

/** What a scan came to; `files` are those that the patterns want. */
export interface Scan {
  readonly files: number;
  readonly admitted: number;
  readonly milliseconds: number;
}

/**
 * Walks once; throws where the watched folder itself cannot be read. `thorough` asks the ledger about every file,
 * also about those that the last scan found known. `walking` ends the walk alone.
 */
export async function reconcile(
  context: IntakeContext,
  thorough: boolean,
  signal: AbortSignal,
  walking = signal,
): Promise<Scan> {
  const { job, system, patterns, candidates, known, unreadable, missingEvents, matches } = context;
  const begun = system.monotonic();
  let found = NOTHING_FOUND;
  let admitted = 0;
  unreadable.scanBegins();
  missingEvents.scanBegins();
  known.scanBegins(thorough);
  for await (const batch of system.walk(job.watchPath, { recursive: isDeep(job), skipHidden: job.ignoreHiddenFiles }, walking)) {
    const wanted = batch.files.filter(({ path }) => patterns.wants(path));
    for (const { path, reason } of batch.unreadable) unreadable.note(path, reason);
    found = andFound(found, batch.files, wanted.length);
    for (let start = 0; start < wanted.length; start += FILES_AT_ONCE) {
      const stretch = wanted.slice(start, start + FILES_AT_ONCE);
      if (known.includes(stretch)) continue;
      if (start > 0) await system.sleep(0);
      admitted += await reconcileStretch(context, stretch, begun, signal);
    }
  }
  unreadable.scanned();
  missingEvents.scanned();
  await settleAgain(context, candidates.notSeenSince(begun), signal);
  matches.scanned(found);
  return { files: found.wanted, admitted, milliseconds: Math.round(system.monotonic() - begun) };
}

/** Files that the walk found one after the other; returns how many of them were admitted. */
async function reconcileStretch(
  context: IntakeContext,
  stretch: readonly FileFacts[],
  begun: number,
  signal: AbortSignal,
): Promise<number> {
  const { candidates, known, missingEvents } = context;
  const unheard = stretch.filter(({ path }) => !candidates.isHeardOf(path));
  const noted = noteFiles(context, stretch, { retry: true, asOf: begun });
  if (noted.known.length === stretch.length) known.add(stretch);
  // Changed rights alone give no event that counts.
  missingEvents.found(unheard.filter(({ path }) => candidates.get(path)?.recheck === false));
  // The walk's look was the first; the second, just before it is settled, shows whether the file rests.
  return noted.open.length > 0 ? await settleAgain(context, noted.open, signal) : 0;
}

/** Files that the ledger is asked about at once: a few milliseconds, so that events get their turn. */
const FILES_AT_ONCE = 500;
