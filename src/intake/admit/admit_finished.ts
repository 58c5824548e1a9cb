/**
 * The last step of the intake: a finished candidate is looked at once more, and one that is still the version that was settled is written
 * to the ledger as one delivery per destination, night and target path frozen. What changed meanwhile stays a candidate, what is at
 * fault is refused.
 *
 * The night follows from the file's time of last change, which every file has; a YYYYMMDD folder in the path stays as it is. Where
 * `watch_path` has `NIGHT` in it, that folder tells the night, and the path begins below it.
 */
import { mapLimit } from "../../async/map_limit.ts";
import type { Job } from "../../config/settings.ts";
import type { Delivery } from "../../domain/delivery.ts";
import { Failure, type FailureRecord, failureRecord } from "../../domain/failure.ts";
import { targetPath } from "../../domain/names/layout.ts";
import { nightFolder, observingNight } from "../../domain/night/night.ts";
import { folderOf, lastPart, repetitions } from "../../domain/names/file_name.ts";
import { type FileFacts, racyMs, racyUntil, type SourceFile } from "../../domain/source_file.ts";
import { absolute, type SettleContext } from "../intake_context.ts";
import { type Candidate, lookAgain, sameVersion } from "../settle/candidate.ts";
import { refuse } from "../settle/note_files.ts";
import { type Cards, checkSums, mayHaveSums } from "../settle/inspect.ts";
import { CLOCKS_DIFFER_MS } from "../settle/settle.ts";
import { cameBack, corrupt, unreadable } from "../source_faults.ts";
import type { Admission } from "../../ledger/intake_ledger.ts";
import { wayTo } from "../../system/way_to.ts";

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

/** What the ledger is told of a finished file, and why some destinations do not get it; null where all do. */
interface Admitted {
  readonly admission: Admission;
  readonly refused: FailureRecord | null;
}

/** One moment, by both clocks, milliseconds. */
interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

/** What is to be admitted; null where the file changed since it was settled, or is at fault: then it was refused. */
async function lastLook(context: SettleContext, candidate: Candidate, signal: AbortSignal): Promise<Admitted | null> {
  const { job, system } = context;
  const { path, size, mtimeMs, identity } = candidate.facts;
  const absolutePath = absolute(context, path);
  const before = { wall: system.now(), monotonic: system.monotonic() };
  const cards = candidate.content?.cards ?? null;
  const { admission, refused } = admissionOf(job, candidate.facts, absolutePath, cards, context.chosenMethod);
  const original = await originalOf(context, candidate);
  if (original !== null) {
    const failure = cameBack(path, original);
    refuse(context, candidate, failure);
    context.loops({ ...failure, next: "hold" });
    return null;
  }
  const file = { absolutePath, name: lastPart(path), size, mtimeMs, identity };
  const sums = job.verifySource === false ? null : await checkSums(file, candidate.content, system, signal);
  if (sums !== null && job.verifySource === "refuse") {
    refuse(context, candidate, corrupt(path, sums));
    return null;
  }
  const warning = sums ?? warningOf(context, candidate);
  if (!await isStill(context, candidate)) return null;
  return {
    admission: { ...admission, ...(warning === null ? {} : { warning }), ...await race(context, candidate, before) },
    refused,
  };
}

/** Whether the file is the version that was settled, and nothing was heard of it since. */
async function isStill(context: SettleContext, candidate: Candidate): Promise<boolean> {
  const { path } = candidate.facts;
  const facts = await context.system.facts(absolute(context, path));
  if (facts?.kind !== "file") context.candidates.forget(path);
  return facts !== null && context.candidates.isCurrent(candidate) && sameVersion(candidate.facts, { path, ...facts });
}

/** What is wrong with a file that is sent all the same. */
function warningOf({ job }: SettleContext, { content, incomplete }: Candidate): string | null {
  if (incomplete !== undefined) return `it is incomplete: ${incomplete}`;
  const verdict = content?.verdict;
  if (verdict?.verdict === "corrupt") return job.verifySource === false ? null : verdict.reason;
  return verdict !== undefined && "warning" in verdict ? verdict.warning ?? null : null;
}

/** Until when the file is racy, its bytes being read after `before`; empty where it is not. */
async function race(
  context: SettleContext,
  { facts, changedAt }: Candidate,
  before: Moment,
): Promise<Pick<Admission, "racyUntil">> {
  const isLocal = await context.writers.isLocal(facts, absolute(context, folderOf(facts.path)));
  // Where another computer's clock may tell the times, only how long we have seen the file like this counts, or a great age.
  const seenMs = before.wall - facts.ctimeMs > CLOCKS_DIFFER_MS ? Infinity : before.monotonic - changedAt;
  const until = isLocal ? racyUntil(facts) : before.wall + racyMs(facts) - seenMs;
  return until > before.wall ? { racyUntil: until } : {};
}

/**
 * The same file one repetition of its folders shorter, if this one came back from there: it was made after the first of them
 * was admitted, and all of them were. Trees that were made in another way are just deep.
 */
async function originalOf(context: SettleContext, { facts }: Candidate): Promise<string | null> {
  const { job, ledger } = context;
  for (const { shorter } of repetitions(facts.path)) {
    const admitted = shorter.map((former) => ledger.admitted(job.name, former, facts.size));
    const [first = null] = admitted;
    if (first === null || admitted.includes(null)) continue;
    if (await madeAfter(context, facts, first)) return shorter.at(-1) ?? null;
  }
  return null;
}

/**
 * Where the ctime is told in whole seconds, a copy with the time of the original may be made in the second of its admission:
 * then the time of its creation decides, as far as it is known.
 */
async function madeAfter(
  context: SettleContext,
  { path, ctimeMs, mtimeMs }: FileFacts,
  { at, mtimeMs: original }: { at: number; mtimeMs: number },
): Promise<boolean> {
  if (at <= ctimeMs) return true;
  const kept = mtimeMs === (mtimeMs % 1_000 === 0 ? original - original % 1_000 : original);
  if (!kept || at > ctimeMs + 999) return false;
  const born = (await context.system.facts(absolute(context, path)))?.bornMs ?? 0;
  return born === 0 || at <= born;
}

/**
 * What the ledger is told of a finished file. A destination whose layout needs a header card that the file does not have is left
 * out, and the others get it all the same.
 * `methodOf` tells the method of a destination where `auto` has chosen one already.
 *
 * @throws {Failure} `bad_name` for a path that cannot be a target; `header_missing` where no destination can have it.
 */
export function admissionOf(
  job: Job,
  facts: FileFacts,
  absolutePath: string,
  cards: Cards | null,
  methodOf: (destination: string) => string | null,
): Admitted {
  const source: SourceFile = { ...facts, job: job.name, absolutePath };
  const night = nightOf(job, facts);
  const path = locate(job, facts)?.path ?? facts.path;
  const targets: Admission["targets"][number][] = [];
  const refused: Failure[] = [];
  for (const { name, layout, transport } of job.destinations) {
    try {
      const target = targetPath(layout, { path, night, job: job.name, cards });
      targets.push({ destination: name, target, method: methodOf(name) ?? transport.method });
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "header_missing") throw error;
      refused.push(error);
    }
  }
  if (refused[0] !== undefined && targets.length === 0) throw refused[0];
  const admission = { source, night, targets, ...(cards === null || Object.keys(cards).length === 0 ? {} : { cards }) };
  return { admission, refused: refused[0] === undefined ? null : failureRecord(refused[0]) };
}

/** The observing night of a file, `YYYYMMDD`. */
export function nightOf(job: Pick<Job, "night" | "nightFolder">, facts: Pick<FileFacts, "path" | "mtimeMs">): string {
  return locate(job, facts)?.night ?? observingNight(facts.mtimeMs, job.night);
}

function locate(job: Pick<Job, "nightFolder">, { path }: Pick<FileFacts, "path">) {
  return job.nightFolder === undefined ? null : nightFolder(job.nightFolder).locate(path);
}
