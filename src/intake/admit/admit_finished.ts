/**
 * The last step of the intake: finished candidates are looked at once more and written to the ledger, if they are still the
 * version that was settled. A file that changed meanwhile stays a candidate, one at fault is refused.
 *
 * @module
 */
import { mapLimit } from "../../async/map_limit.ts";
import type { Delivery } from "../../domain/delivery.ts";
import type { FailureRecord } from "../../domain/failure.ts";
import type { Admission } from "../../ledger/intake_ledger.ts";
import { wayTo } from "../../system/way_to.ts";
import { absolute, type SettleContext } from "../intake_context.ts";
import { type Candidate, lookAgain } from "../settle/candidate.ts";
import { refuse } from "../settle/conclude.ts";
import { mayHaveSums } from "../settle/inspect.ts";
import { folderOf, lastPart } from "../source_path.ts";
import { unreadable } from "../source_faults.ts";
import { isStill, lastLook } from "./last_look.ts";

/** Admits finished candidates; returns how many. */
export async function admitFinished(
  context: SettleContext,
  finished: readonly Candidate[],
  signal: AbortSignal,
): Promise<number> {
  const [toRead = [], toLookAt = []] = [true, false].map((whole) =>
    finished.filter((one) => isReadWhole(context, one) === whole)
  );
  // The others do not wait for them.
  return await admitSome(context, toLookAt, LOOKS_AT_ONCE, signal) + await admitSome(context, toRead, READS_AT_ONCE, signal);
}

/** Whether the whole file is read for its checksums before it is admitted. */
export function isReadWhole({ job }: Pick<SettleContext, "job">, { facts, content }: Candidate): boolean {
  return job.verifySource !== false && mayHaveSums(lastPart(facts.path), content);
}

async function admitSome(
  context: SettleContext,
  finished: readonly Candidate[],
  atOnce: number,
  signal: AbortSignal,
): Promise<number> {
  const { system, ledger, candidates } = context;
  const steady = await steadyWays(context, finished, signal);
  const looked = await mapLimit(finished, atOnce, async (candidate) => {
    const looked = await orRefuse(context, candidate, signal, () => lastLook(context, candidate, signal));
    return looked && { candidate, ...looked };
  }, signal);
  const sound = await steady(looked.filter((each) => each !== null));
  let count = 0;
  for (let start = 0; start < sound.length; start += BATCH) {
    // A transaction blocks the event loop: others get their turn between two.
    if (start > 0) await system.sleep(0);
    // While others were looked at, something may have happened to this one.
    const batch = sound.slice(start, start + BATCH).filter(({ candidate }) => candidates.isCurrent(candidate));
    if (batch.length === 0) continue;
    const deliveries = ledger.admit(batch.map(({ admission }) => admission), system.now());
    tellAdmitted(context, batch.map(({ admission }) => admission), deliveries);
    for (const { candidate, admission, refused } of batch) {
      tellWarning(context, candidate, admission);
      settled(context, candidate, refused);
    }
    if (deliveries.length > 0) context.admitted();
    count += batch.length;
  }
  return count;
}

/**
 * Gives what leaves out the files that were perhaps not found in the watched folder, because another account may have exchanged a folder
 * on the way to them while they were looked at. They are looked at again.
 */
async function steadyWays(context: SettleContext, finished: readonly Candidate[], signal: AbortSignal) {
  const { job, system, candidates } = context;
  const folderIn = ({ facts }: Candidate) => absolute(context, folderOf(facts.path));
  const folders = [...new Set(finished.map(folderIn))];
  const find = (some: readonly string[]) =>
    mapLimit(some, LOOKS_AT_ONCE, (folder) => wayTo(folder, job.linkFreeFrom ?? job.watchPath, system), signal);
  const before = new Map((await find(folders)).map((way, index) => [folders[index]!, way]));
  return async <T extends { readonly candidate: Candidate }>(looked: readonly T[]): Promise<T[]> => {
    const doubtful = folders.filter((folder) => before.get(folder)!.exchangeable.length > 0);
    const after = new Map((await find(doubtful)).map(({ state }, index) => [doubtful[index]!, state]));
    return looked.filter(({ candidate }) => {
      const folder = folderIn(candidate);
      const { is, state } = before.get(folder)!;
      if (is === "steady" && (after.get(folder) ?? state) === state) return true;
      if (is === "elsewhere") candidates.forget(candidate.facts.path);
      else if (candidates.isCurrent(candidate)) candidates.put(lookAgain(candidate, system.monotonic() + SOON_MS));
      return false;
    });
  };
}

/** The ledger has it; it stays listed where some destinations do not get it. */
function settled(context: SettleContext, candidate: Candidate, refused: FailureRecord | null): void {
  if (refused === null) context.candidates.forget(candidate.facts.path);
  else refuse(context, candidate, refused);
}

/** Compares the content of a candidate that differs in its ctime only with what the ledger knows. */
export async function compareKnown(context: SettleContext, candidate: Candidate, signal: AbortSignal): Promise<void> {
  const { system, ledger, emit } = context;
  await orRefuse(context, candidate, signal, async () => {
    const looked = await lastLook(context, candidate, signal);
    if (looked === null) return;
    const { admission, refused } = looked;
    const { sha256 } = await system.hash(admission.source, signal);
    if (!await isStill(context, candidate)) return;
    const deliveries = ledger.recheck(admission, sha256, system.now());
    settled(context, candidate, refused);
    if (deliveries.length === 0) return;
    tellWarning(context, candidate, admission);
    for (const delivery of deliveries) emit({ type: "queued", delivery });
    context.admitted();
  });
}

/** Does it; an error that is the file's refuses the file, and gives null. */
async function orRefuse<T>(
  context: SettleContext,
  candidate: Candidate,
  signal: AbortSignal,
  act: () => Promise<T>,
): Promise<T | null> {
  try {
    return await act();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    refuse(context, candidate, unreadable(candidate.facts.path, error));
    return null;
  }
}

function tellAdmitted({ emit, job }: SettleContext, admissions: readonly Admission[], deliveries: readonly Delivery[]): void {
  const queued = new Set(deliveries.map(({ source }) => source.path));
  const watchesOnly = job.destinations.length === 0;
  for (const { source } of admissions) {
    if (watchesOnly || queued.has(source.path)) emit({ type: "ready", job: source.job, path: source.path, size: source.size });
  }
  for (const delivery of deliveries) emit({ type: "queued", delivery });
}

/** Listeners know already of what is sent although it is incomplete. */
function tellWarning({ emit, job }: SettleContext, { facts: { path }, incomplete }: Candidate, { warning }: Admission): void {
  if (warning === undefined || incomplete !== undefined) return;
  const what = job.destinations.length === 0 ? "is finished, but may be damaged" : "is sent as it is";
  emit({ type: "notice", level: "warning", message: `"${path}" ${what}: ${warning}` });
}

const SOON_MS = 1_000;
/** Whole files. */
const READS_AT_ONCE = 8;
const LOOKS_AT_ONCE = 500;
/** Files of one transaction: 20 ms or so. */
const BATCH = 500;
