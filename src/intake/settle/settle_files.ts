/**
 * Settles candidates as far as that can be done now, and has those admitted that are finished. One file's failure is that file's
 * alone.
 *
 * @module
 */
import { type SharedDeadline, sharedDeadline } from "../../async/deadline.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { admitFinished, compareKnown } from "../admit/admit_finished.ts";
import { absolute, type SettleContext } from "../intake_context.ts";
import type { Candidate } from "./candidate.ts";
import { type NoteOptions, statFiles } from "./note_files.ts";
import { isCostly, type Outcome, settleFile } from "./settle_file.ts";
import type { WriterOf } from "./writers.ts";

/** Settles these candidates; returns how many were admitted. */
export async function settleFiles(context: SettleContext, paths: readonly string[], signal: AbortSignal): Promise<number> {
  const { candidates, system, comparing } = context;
  const begun = candidates.begin(paths);
  /** Those that end later, whatever becomes of the others. */
  const later = new Set<string>();
  const end = (path: string, afterMs: number) => candidates.end(path, system.monotonic() + afterMs);
  let againMs = FAILED_AGAIN_MS;
  try {
    const finished = await finishedOf(context, begun, {
      signal,
      endLater: (path, settling) => {
        later.add(path);
        settling.catch((error) => signal.aborted || context.onError(error)).finally(() => end(path, 0));
      },
    });
    for (const candidate of finished.filter(({ recheck }) => recheck)) {
      const { path } = candidate.facts;
      later.add(path);
      void comparing.start(() => compareKnown(context, candidate, signal).finally(() => end(path, FAILED_AGAIN_MS)), signal);
    }
    const admitted = await admitFinished(context, finished.filter(({ recheck }) => !recheck), signal);
    againMs = 0;
    return admitted;
  } finally {
    for (const path of begun) if (!later.has(path)) end(path, againMs);
  }
}

/** Looks at these files again before it settles them. */
export async function settleAgain(
  context: SettleContext,
  paths: readonly string[],
  signal: AbortSignal,
  options: NoteOptions = {},
): Promise<number> {
  return await settleFiles(context, await statFiles(context, paths, signal, options), signal);
}

interface Settling {
  readonly signal: AbortSignal;
  /** Does not wait for a file that takes too long: an open can take minutes. */
  readonly endLater: (path: string, settling: Promise<unknown>) => void;
}

/** Those that are finished. Writers are asked about in one look for all files that depend on them. */
async function finishedOf(context: SettleContext, paths: readonly string[], settling: Settling): Promise<Candidate[]> {
  using limit = sharedDeadline(PATIENCE_MS, context.system);
  const first = await settleEach(context, paths, null, limit, settling);
  const unsure = first.flatMap((outcome) => outcome?.is === "unsure" ? [outcome.path] : []);
  if (unsure.length === 0) return finishedIn(first);
  const writerOf = await context.writers.of(unsure.map((path) => absolute(context, path)), settling.signal);
  return [...finishedIn(first), ...finishedIn(await settleEach(context, unsure, writerOf, limit, settling))];
}

const finishedIn = (outcomes: readonly Outcome[]) =>
  outcomes.flatMap((outcome) => outcome?.is === "finished" ? [outcome.candidate] : []);

function settleEach(
  context: SettleContext,
  paths: readonly string[],
  writerOf: WriterOf | null,
  limit: SharedDeadline,
  { signal, endLater }: Settling,
): Promise<Outcome[]> {
  const atOnce = paths.some((path) => isCostly(path)) ? COSTLY_AT_ONCE : LOOKS_AT_ONCE;
  return mapLimit(paths, atOnce, async (path) => {
    const settling = settleFile(context, path, writerOf, signal);
    if (isCostly(path) || await limit.inTime(settling)) return await settling;
    endLater(path, settling);
    return null;
  }, signal);
}

const COSTLY_AT_ONCE = 8;
/** Short looks: many at once are cheaper than many one by one. */
const LOOKS_AT_ONCE = 128;
/** A file that another machine has leased opens after 45 s, one that must be fetched from a tape after hours. */
const PATIENCE_MS = 5_000;
/** After an error that is not the file's, the ledger's for example. */
const FAILED_AGAIN_MS = 5_000;
