/**
 * The last step of the intake: finished candidates are looked at once more and admitted, if they are still the
 * version that was judged.
 *
 * @module
 */
import { Failure, type FailureRecord, failureRecord } from "../../domain/failure.ts";
import { repetitions } from "../../domain/repetition.ts";
import { racyMs, racyUntil } from "../../domain/source_file.ts";
import type { Admission } from "../../ledger/intake_ledger.ts";
import { admissionOf, admit } from "./admit.ts";
import { type Candidate, sameVersion } from "../settle/candidate.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { checkSums } from "../settle/inspect_content.ts";
import type { JudgeTools } from "../judge_tools.ts";
import { folderOf, lastPart } from "../patterns.ts";
import { CLOCKS_DIFFER_MS } from "../settle/settle.ts";
import { cameBack, corrupt, unreadable } from "../source_faults.ts";

/** One moment, by both clocks, milliseconds. */
interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

interface AdmissionTools {
  readonly absolute: (path: string) => string;
  readonly refuse: (candidate: Candidate, failure: FailureRecord) => void;
}

/** The way from finished to admitted; a file that changed meanwhile stays a candidate, one at fault is refused. */
export interface Admissions {
  /** Admits finished candidates; returns how many. */
  admitAll(finished: readonly Candidate[], signal: AbortSignal): Promise<number>;
  /** Compares the content of a candidate that differs in its ctime only with what the ledger knows. */
  compare(candidate: Candidate, signal: AbortSignal): Promise<void>;
}

/** `absolute` turns a path of the job into the system's own; `refuse` is told of each file that is at fault. */
export function admissions(tools: JudgeTools, { absolute, refuse }: AdmissionTools): Admissions {
  const { job, system, ledger, candidates, emit } = tools;

  async function admitAll(finished: readonly Candidate[], signal: AbortSignal): Promise<number> {
    if (finished.length === 0) return 0;
    await outlastTimestamps(finished, signal);
    const sound: { candidate: Candidate; admission: Admission }[] = [];
    await mapLimit(
      finished,
      job.verifySource === false ? LOOKS_AT_ONCE : READS_AT_ONCE,
      (candidate) =>
        orRefuse(candidate, signal, async () => {
          const admission = await lastLook(candidate, signal);
          if (admission !== null) sound.push({ candidate, admission });
        }),
      signal,
    );
    let count = 0;
    let queued = 0;
    for (let start = 0; start < sound.length; start += BATCH) {
      // A transaction blocks the event loop: others get their turn between two.
      if (start > 0) await system.sleep(0);
      // While others were looked at, something may have happened to this one.
      const still = sound.slice(start, start + BATCH).filter(({ candidate }) => isUntouched(candidate));
      queued += admit(still.map(({ admission }) => admission), tools).length;
      for (const { candidate, admission } of still) tellWarning(candidate, admission);
      count += still.length;
      for (const { candidate } of still) candidates.forget(candidate.facts.path);
    }
    if (queued > 0) tools.admitted();
    return count;
  }

  /** Does it; an error that is the file's refuses the file. */
  async function orRefuse(candidate: Candidate, signal: AbortSignal, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      refuse(candidate, error instanceof Failure ? failureRecord(error) : unreadable(candidate.facts.path, error));
    }
  }

  /** What is to be admitted; null where the file changed since it was judged. */
  async function lastLook(candidate: Candidate, signal: AbortSignal): Promise<Admission | null> {
    const { path, size } = candidate.facts;
    const absolutePath = absolute(path);
    const before = { wall: system.now(), monotonic: system.monotonic() };
    const admission = admissionOf(job, candidate.facts, absolutePath, candidate.cards ?? null, tools.methodOf);
    const former = formerRound(candidate);
    if (former !== null) {
      const failure = cameBack(path, former);
      refuse(candidate, failure);
      tools.loops({ ...failure, next: "hold" });
      return null;
    }
    const sums = job.verifySource === false ? null : await checkSums({ absolutePath, name: lastPart(path), size }, tools, signal);
    if (sums !== null && job.verifySource === "refuse") {
      refuse(candidate, corrupt(path, sums));
      return null;
    }
    const warning = sums ?? warningOf(candidate);
    if (!await isStill(candidate)) return null;
    return { ...admission, ...(warning === null ? {} : { warning }), ...await race(candidate, before) };
  }

  /** What is wrong with a file that is sent all the same. */
  function warningOf({ verdict, incomplete }: Candidate): string | null {
    if (incomplete !== undefined) return `it is incomplete: ${incomplete}`;
    if (verdict?.verdict === "corrupt") return job.verifySource === false ? null : verdict.reason;
    return verdict !== undefined && "warning" in verdict ? verdict.warning ?? null : null;
  }

  /** Listeners know already of what is sent although it is incomplete. */
  function tellWarning({ facts: { path }, incomplete }: Candidate, { warning }: Admission): void {
    if (warning === undefined || incomplete !== undefined) return;
    emit({ type: "notice", level: "warning", message: `"${path}" is sent as it is: ${warning}` });
  }

  /** Until when the file is racy, `before` its bytes were read; empty where it was not. */
  async function race({ facts, changedAt }: Candidate, before: Moment): Promise<Pick<Admission, "racyUntil">> {
    const isLocal = await tools.writers.isLocal(facts, absolute(folderOf(facts.path)));
    // Where another computer's clock may tell the times, only how long we have seen the file like this counts, or a great age.
    const seenMs = before.wall - facts.ctimeMs > CLOCKS_DIFFER_MS ? Infinity : before.monotonic - changedAt;
    const until = isLocal ? racyUntil(facts) : before.wall + racyMs(facts) - seenMs;
    return until > before.wall ? { racyUntil: until } : {};
  }

  /**
   * The same file one repetition of its folders shorter, if this one came back from there: it was made after the first of them
   * was taken, and all of them were. Trees that were made in another way are just deep.
   */
  function formerRound({ facts: { path, size, ctimeMs } }: Candidate): string | null {
    for (const { shorter } of repetitions(path)) {
      const admitted = shorter.map((former) => ledger.admittedAt(job.name, former, size));
      const [first = null] = admitted;
      if (first === null || admitted.includes(null)) continue;
      // Some systems tell it in whole seconds.
      if (first <= ctimeMs + 999) return shorter.at(-1) ?? null;
    }
    return null;
  }

  async function isStill(candidate: Candidate): Promise<boolean> {
    const facts = await system.facts(absolute(candidate.facts.path));
    if (facts?.kind !== "file") candidates.forget(candidate.facts.path);
    return facts !== null && isUntouched(candidate) && sameVersion(candidate.facts, { path: candidate.facts.path, ...facts });
  }

  function isUntouched(candidate: Candidate): boolean {
    const known = candidates.get(candidate.facts.path);
    return known !== undefined && known.touches === candidate.touches && sameVersion(known.facts, candidate.facts);
  }

  async function compare(candidate: Candidate, signal: AbortSignal): Promise<void> {
    await orRefuse(candidate, signal, async () => {
      const admission = await lastLook(candidate, signal);
      if (admission === null) return;
      const { sha256 } = await system.hash(admission.source.absolutePath, signal);
      if (!await isStill(candidate)) return;
      const deliveries = ledger.recheck(admission, sha256, system.now());
      candidates.forget(candidate.facts.path);
      if (deliveries.length > 0) tellWarning(candidate, admission);
      for (const delivery of deliveries) emit({ type: "queued", delivery });
      if (deliveries.length > 0) tools.admitted();
    });
  }

  /** A write within the same tick of the file system's clock would not show in the file's times: let the tick pass first. */
  async function outlastTimestamps(finished: readonly Candidate[], signal: AbortSignal): Promise<void> {
    const now = system.now();
    const ages = finished.map(({ facts }) => Math.abs(now - facts.mtimeMs));
    const youngest = ages.reduce((least, age) => Math.min(least, age), Infinity);
    if (youngest < TICK_MS) await system.sleep(TICK_MS - youngest, signal);
  }

  return { admitAll, compare };
}

/** Whole files. */
const READS_AT_ONCE = 8;
const LOOKS_AT_ONCE = 128;
/** Files of one transaction: 20 ms or so. */
const BATCH = 500;
const TICK_MS = 12;
