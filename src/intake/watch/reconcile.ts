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
import { andFound, foundIn, NOTHING_FOUND } from "./unmatched.ts";

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
  const walk = { recursive: isDeep(job), skipHidden: job.ignoreHiddenFiles, known: known.scanBegins(thorough) };
  for await (const { files, digest, unreadable: notRead } of system.walk(job.watchPath, walk, walking)) {
    for (const { path, reason } of notRead) unreadable.note(path, reason);
    const former = known.found(digest);
    if (former !== undefined) {
      found = andFound(found, former);
      continue;
    }
    const wanted = files.filter(({ path }) => patterns.wants(path));
    const batch = foundIn(files, wanted.length);
    found = andFound(found, batch);
    let knownHere = 0;
    for (let start = 0; start < wanted.length; start += FILES_AT_ONCE) {
      if (start > 0) await system.sleep(0);
      const some = await reconcileStretch(context, wanted.slice(start, start + FILES_AT_ONCE), begun, signal);
      knownHere += some.known;
      admitted += some.admitted;
    }
    if (knownHere === wanted.length) known.add(digest, batch);
  }
  unreadable.scanned();
  missingEvents.scanned();
  await settleAgain(context, candidates.notSeenSince(begun), signal);
  matches.scanned(found);
  return { files: found.wanted, admitted, milliseconds: Math.round(system.monotonic() - begun) };
}

/** Files that the walk found one after the other; returns how many of them were known, and how many are admitted now. */
async function reconcileStretch(
  context: IntakeContext,
  stretch: readonly FileFacts[],
  begun: number,
  signal: AbortSignal,
): Promise<{ readonly known: number; readonly admitted: number }> {
  const { candidates, missingEvents } = context;
  const unheard = stretch.filter(({ path }) => !candidates.isHeardOf(path));
  const noted = noteFiles(context, stretch, { retry: true, asOf: begun });
  // Changed rights alone give no event that counts.
  missingEvents.found(unheard.filter(({ path }) => candidates.get(path)?.recheck === false));
  // The walk's look was the first; the second, just before it is settled, shows whether the file rests.
  const admitted = noted.open.length > 0 ? await settleAgain(context, noted.open, signal) : 0;
  return { known: noted.known.length, admitted };
}

/** Files that the ledger is asked about at once: a few milliseconds, so that events get their turn. */
const FILES_AT_ONCE = 500;
