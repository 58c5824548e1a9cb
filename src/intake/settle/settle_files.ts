/**
 * Settles candidates as far as that can be done now, and has those admitted that are finished. One file's failure is that file's
 * alone.
 *
 * @module
 */
import { sharedDeadline } from "../../async/deadline.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { admitFinished, compareKnown, isReadWhole } from "../admit/admit_finished.ts";
import { absolute, type SettleContext } from "../intake_context.ts";
import { type Candidate, lookAgain } from "./candidate.ts";
import { SLICE_BYTES } from "./fair_reads.ts";
import { type NoteOptions, statFiles } from "./note_files.ts";
import { isCostly, type Outcome, settleFile } from "./settle_file.ts";
import type { WriterOf } from "./writers.ts";

/**
 * Settles these candidates; returns how many were admitted. Writers are asked about in one look for all files that depend on them; the
 * others do not wait for it.
 */
export async function settleFiles(context: SettleContext, paths: readonly string[], signal: AbortSignal): Promise<number> {
  const { candidates, system, writers } = context;
  const { admitted, unsure } = await settleBegun(context, candidates.begin(paths), null, signal);
  if (unsure.length === 0) return admitted;
  const answered = candidates.ask(unsure);
  try {
    const writerOf = await writers.of(unsure.map((path) => absolute(context, path)), signal);
    return admitted + (await settleBegun(context, answered(), writerOf, signal)).admitted;
  } finally {
    // Without an answer.
    for (const path of answered()) candidates.end(path, system.monotonic() + FAILED_AGAIN_MS);
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

/** How many were admitted, and the files that depend on their writers: they are still being settled. */
interface Settled {
  readonly admitted: number;
  readonly unsure: readonly string[];
}

/** Settles those that were begun. Without `writerOf`, nothing is known of their writers yet. */
async function settleBegun(
  context: SettleContext,
  begun: readonly string[],
  writerOf: WriterOf | null,
  signal: AbortSignal,
): Promise<Settled> {
  const { candidates, system, comparing } = context;
  /** Those that end later, whatever becomes of the others. */
  const later = new Set<string>();
  const end = (path: string, afterMs: number) => candidates.end(path, system.monotonic() + afterMs);
  let againMs = FAILED_AGAIN_MS;
  try {
    const outcomes = await settleEach(context, begun, writerOf, {
      signal,
      endLater: (path, settling) => {
        later.add(path);
        showChecking(context, path);
        settling.catch((error) => signal.aborted || context.onError(error)).finally(() => endChecking(context, path, 0));
      },
    });
    const all = outcomes.flatMap((outcome) => outcome?.is === "finished" ? [outcome.candidate] : []);
    const isSlow = (candidate: Candidate) => candidate.facts.size > SLICE_BYTES && isReadWhole(context, candidate);
    for (const candidate of all.filter((one) => !one.recheck && isSlow(one))) {
      const { path } = candidate.facts;
      later.add(path);
      showChecking(context, path);
      admitFinished(context, [candidate], signal).then(() => 0, (error) => {
        if (!signal.aborted) context.onError(error);
        return FAILED_AGAIN_MS;
      }).then((afterMs) => endChecking(context, path, afterMs));
    }
    const finished = all.filter((one) => one.recheck || !isSlow(one));
    for (const candidate of finished.filter(({ recheck }) => recheck)) {
      const { path } = candidate.facts;
      later.add(path);
      void comparing.start(() => compareKnown(context, candidate, signal).finally(() => end(path, FAILED_AGAIN_MS)), signal);
    }
    context.looks.begin(
      finished.filter(({ closed }) => closed).map(({ facts }) => ({ ...facts, absolutePath: absolute(context, facts.path) })),
    );
    const admitted = await admitFinished(context, finished.filter(({ recheck }) => !recheck), signal);
    againMs = 0;
    const unsure = outcomes.flatMap((outcome) => outcome?.is === "unsure" && writerOf === null ? [outcome.path] : []);
    for (const path of unsure) later.add(path);
    return { admitted, unsure };
  } finally {
    for (const path of begun) if (!later.has(path)) end(path, againMs);
  }
}

interface Settling {
  readonly signal: AbortSignal;
  /** Does not wait for a file that takes too long: an open can take minutes. */
  readonly endLater: (path: string, settling: Promise<unknown>) => void;
}

async function settleEach(
  context: SettleContext,
  paths: readonly string[],
  writerOf: WriterOf | null,
  { signal, endLater }: Settling,
): Promise<Outcome[]> {
  using limit = sharedDeadline(PATIENCE_MS, context.system);
  const atOnce = paths.some((path) => isCostly(path)) ? COSTLY_AT_ONCE : LOOKS_AT_ONCE;
  return await mapLimit(paths, atOnce, async (path) => {
    const settling = settleFile(context, path, writerOf, signal);
    if (await limit.inTime(settling)) return await settling;
    endLater(path, settling);
    return null;
  }, signal);
}

/** Until it is known what becomes of it, it waits for that alone. */
function showChecking({ candidates }: SettleContext, path: string): void {
  const candidate = candidates.get(path);
  if (candidate) candidates.put({ ...candidate, state: { is: "waiting", reason: "checking", again: Infinity } });
}

function endChecking({ candidates, system }: SettleContext, path: string, afterMs: number): void {
  const again = system.monotonic() + afterMs;
  const candidate = candidates.get(path);
  const isUndecided = candidate?.state.is === "waiting" && candidate.state.reason === "checking";
  if (candidate && isUndecided) candidates.put(lookAgain(candidate, again));
  candidates.end(path, again);
}

const COSTLY_AT_ONCE = 8;
/** Short looks: many at once are cheaper than many one by one. */
const LOOKS_AT_ONCE = 128;
/** A file that another machine has leased opens after 45 s, one that must be fetched from a tape after hours. */
const PATIENCE_MS = 5_000;
/** After an error that is not the file's, the ledger's for example. */
const FAILED_AGAIN_MS = 5_000;
