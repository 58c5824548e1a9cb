/**
 * The last look at a finished file before it is admitted: what the ledger will be told of it, as long as it is still the version that
 * was settled.
 *
 * @module
 */
import { type FailureRecord, failureRecord } from "../../domain/failure.ts";
import { repetitions } from "../../domain/repetition.ts";
import { type FileFacts, racyMs, racyUntil } from "../../domain/source_file.ts";
import type { Admission } from "../../ledger/intake_ledger.ts";
import { absolute, type SettleContext } from "../intake_context.ts";
import { folderOf, lastPart } from "../source_path.ts";
import { type Candidate, sameVersion } from "../settle/candidate.ts";
import { refuse } from "../settle/conclude.ts";
import { checkSums } from "../settle/inspect.ts";
import { CLOCKS_DIFFER_MS } from "../settle/settle.ts";
import { cameBack, corrupt } from "../source_faults.ts";
import { admissionOf } from "./admission.ts";

/** One moment, by both clocks, milliseconds. */
interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

/** What is to be admitted. */
export interface Looked {
  readonly admission: Admission;
  /** Why some destinations do not get the file; null where all do. */
  readonly refused: FailureRecord | null;
}

/** What is to be admitted; null where the file changed since it was settled, or is at fault: then it was refused. */
export async function lastLook(context: SettleContext, candidate: Candidate, signal: AbortSignal): Promise<Looked | null> {
  const { job, system } = context;
  const { path, size, mtimeMs, identity } = candidate.facts;
  const absolutePath = absolute(context, path);
  const before = { wall: system.now(), monotonic: system.monotonic() };
  const { admission, refused } = admissionOf(
    job,
    candidate.facts,
    absolutePath,
    candidate.content?.cards ?? null,
    context.chosenMethod,
  );
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
    refused: refused === null ? null : failureRecord(refused),
  };
}

/** Whether the file is the version that was settled, and nothing was heard of it since. */
export async function isStill(context: SettleContext, candidate: Candidate): Promise<boolean> {
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
