/**
 * Finds the truth: walks the whole watched folder and asks the ledger about every file. Whatever the events did
 * not tell is found here.
 *
 * @module
 */
import type { Job } from "../../config/settings.ts";
import type { System } from "../../system/system.ts";
import type { Candidates } from "../settle/candidates.ts";
import type { Judge } from "../settle/judge.ts";
import type { KnownFiles } from "./known_files.ts";
import { isDeep, type Patterns } from "../patterns.ts";
import { matching, type Unmatched } from "./unmatched.ts";
import type { Unannounced } from "./unannounced.ts";
import type { Unreadables } from "./unreadables.ts";

/** The parts of one intake that a scan needs. */
export interface ReconcileTools {
  readonly job: Job;
  readonly system: Pick<System, "walk" | "monotonic" | "sleep">;
  readonly patterns: Patterns;
  readonly judge: Judge;
  readonly candidates: Candidates;
  readonly known: KnownFiles;
  readonly unreadables: Unreadables;
  readonly unannounced: Unannounced;
}

/** What a scan came to; `files` are those that the patterns want. */
export interface Scan {
  readonly files: number;
  readonly unmatched: Unmatched | null;
  readonly admitted: number;
  readonly milliseconds: number;
}

/**
 * Walks once; throws where the watched folder itself cannot be read. `thorough` asks the ledger about every file,
 * also about those that the last scan found known. `walking` ends the walk alone.
 */
export async function reconcile(
  tools: ReconcileTools,
  thorough: boolean,
  signal: AbortSignal,
  walking = signal,
): Promise<Scan> {
  const { job, system, patterns, judge, candidates, known, unreadables, unannounced } = tools;
  const begun = system.monotonic();
  const found = matching();
  let admitted = 0;
  unreadables.scanBegins();
  unannounced.scanBegins();
  known.scanBegins(thorough);
  for await (const batch of system.walk(job.watchPath, { recursive: isDeep(job), skipHidden: job.ignoreHiddenFiles }, walking)) {
    const wanted = batch.files.filter(({ path }) => patterns.wants(path));
    for (const { path, reason } of batch.unreadable) unreadables.note(path, reason);
    found.count(batch.files, wanted.length);
    for (let start = 0; start < wanted.length; start += AT_ONCE) {
      const stretch = wanted.slice(start, start + AT_ONCE);
      if (known.includes(stretch)) continue;
      if (start > 0) await system.sleep(0);
      const unheard = stretch.filter(({ path }) => !candidates.isHeardOf(path));
      const { open, known: asTheyAre } = judge.meet(stretch, { retry: true, asOf: begun });
      if (asTheyAre.length === stretch.length) known.add(stretch);
      // Changed rights alone are not told.
      unannounced.found(unheard.filter(({ path }) => candidates.get(path)?.recheck === false));
      // The walk's look was the first; the second, just before it is judged, shows whether the file rests.
      if (open.length > 0) admitted += await judge.judge(await judge.revisit(open, signal), signal);
    }
  }
  unreadables.scanned();
  unannounced.scanned();
  await judge.judge(await judge.revisit(candidates.notSeenSince(begun), signal), signal);
  return { files: found.wanted, unmatched: found.unmatched, admitted, milliseconds: Math.round(system.monotonic() - begun) };
}

/** Files that the ledger is asked about at once: a few milliseconds, so that events get their turn. */
const AT_ONCE = 500;
