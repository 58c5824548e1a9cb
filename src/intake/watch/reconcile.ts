/**
 * Finds the truth: walks the whole watched folder and asks the ledger about every file. Whatever the events did
 * not tell is found here.
 *
 * @module
 */
import { chunks } from "../../domain/chunks.ts";
import type { FileFacts } from "../../domain/source_file.ts";
import type { Stretch } from "../../system/system.ts";
import type { IntakeContext } from "../intake_context.ts";
import { isDeep } from "../patterns.ts";
import { noteFiles } from "../settle/note_files.ts";
import { settleAgain } from "../settle/settle_files.ts";
import type { Trust } from "./known_files.ts";
import { foldersTell } from "./remote_folder.ts";
import { andFound, type Found, foundIn, NOTHING_FOUND } from "./unmatched.ts";

/** What a scan came to; `files` are those that the patterns want. */
export interface Scan {
  readonly files: number;
  readonly admitted: number;
  readonly milliseconds: number;
}

/** How a scan is done. */
export interface ScanRequest {
  readonly trust: Trust;
  /** Events tell of changes. */
  readonly events: boolean;
}

/**
 * Walks once; throws where the watched folder itself cannot be read. What `trust` does not take for known is held against the ledger.
 * `walking` ends the walk alone.
 */
export async function reconcile(
  context: IntakeContext,
  { trust, events }: ScanRequest,
  signal: AbortSignal,
  walking = signal,
): Promise<Scan> {
  const { job, system, candidates, known, unreadable, missingEvents, matches } = context;
  const begun = system.monotonic();
  let found = NOTHING_FOUND;
  let admitted = 0;
  let asked = 0;
  unreadable.scanBegins();
  missingEvents.scanBegins();
  const former = known.scanBegins(trust, events && await foldersTell(job.watchPath, system));
  const walk = { recursive: isDeep(job), skipHidden: job.ignoreHiddenFiles, known: former };
  for await (const { files, stretches = [], unreadable: notRead } of system.walk(job.watchPath, walk, walking)) {
    for (const { path, reason } of notRead) unreadable.note(path, reason);
    let start = 0;
    for (const stretch of stretches) {
      if (asked >= FILES_AT_ONCE) {
        // Others get their turn.
        await system.sleep(0);
        asked = 0;
      }
      asked += stretch.files;
      const its = await reconcileStretch(context, stretch, files.slice(start, start += stretch.files), begun, signal);
      found = andFound(found, its.found);
      admitted += its.admitted;
    }
  }
  unreadable.scanned();
  missingEvents.scanned();
  // Those that are gone, and those in folders that were not read.
  await settleAgain(context, candidates.notSeenSince(begun), signal, { retry: true });
  matches.scanned(found);
  context.aside.scanned({ files: found.aside, bytes: found.asideBytes });
  return { files: found.wanted, admitted, milliseconds: Math.round(system.monotonic() - begun) };
}

/** Returns what the stretch consists of, and how many of its files are admitted now. */
async function reconcileStretch(
  context: IntakeContext,
  stretch: Stretch,
  files: readonly FileFacts[],
  begun: number,
  signal: AbortSignal,
): Promise<Pick<Scan, "admitted"> & { readonly found: Found }> {
  const { system, patterns, known, unreadable } = context;
  const former = known.found(stretch);
  if (former !== undefined) {
    known.note(stretch, former);
    return { found: former, admitted: 0 };
  }
  const wanted = files.filter(({ path }) => patterns.wants(path));
  let found = foundIn(files, wanted.length);
  // A stretch that has some is read again: they are listed for as long as scans find them.
  let knownHere = -unreadable.noteReserved(files);
  let admitted = 0;
  for (const some of chunks(wanted, FILES_AT_ONCE)) {
    if (some.length === FILES_AT_ONCE) await system.sleep(0);
    const its = await reconcileFiles(context, some, begun, signal);
    knownHere += its.known + its.aside.length;
    admitted += its.admitted;
    const asideBytes = its.aside.reduce((sum, { size }) => sum + size, 0);
    found = { ...found, aside: found.aside + its.aside.length, asideBytes: found.asideBytes + asideBytes };
  }
  known.note(stretch, knownHere === wanted.length ? found : null);
  return { found, admitted };
}

/** Returns how many of them were known, which are left aside, and how many are admitted now. */
async function reconcileFiles(
  context: IntakeContext,
  files: readonly FileFacts[],
  begun: number,
  signal: AbortSignal,
): Promise<{ readonly known: number; readonly aside: readonly FileFacts[]; readonly admitted: number }> {
  const { candidates, missingEvents } = context;
  const unheard = files.filter(({ path }) => !candidates.isHeardOf(path));
  const noted = noteFiles(context, files, { retry: true, asOf: begun });
  // Changed rights alone give no event that counts.
  missingEvents.found(unheard.filter(({ path }) => candidates.get(path)?.recheck === false));
  // The walk's look was the first; the second, just before it is settled, shows whether the file rests.
  const admitted = noted.open.length > 0 ? await settleAgain(context, noted.open, signal) : 0;
  return { known: noted.known.length, aside: noted.aside, admitted };
}

/** Files that the ledger is asked about at once: a few milliseconds, so that events get their turn. */
const FILES_AT_ONCE = 500;
