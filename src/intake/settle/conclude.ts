/**
 * What follows from a settlement: the candidate's next state, and what listeners are told, once for each version.
 *
 * @module
 */
import type { FailureRecord } from "../../domain/failure.ts";
import type { SettleContext } from "../intake_context.ts";
import { corrupt } from "../source_faults.ts";
import type { Candidate } from "./candidate.ts";
import type { Settlement } from "./settle.ts";

type Concluding = Pick<SettleContext, "job" | "system" | "candidates" | "emit">;

/** The candidate, if it is finished. */
export function conclude(
  context: Concluding,
  candidate: Candidate,
  settlement: Exclude<Settlement, { is: "undecided" }>,
): Candidate | null {
  const { job, candidates, emit } = context;
  const { path } = candidate.facts;
  switch (settlement.is) {
    case "finished":
      if (settlement.incomplete === null) return candidate;
      emit({ type: "incomplete", job: job.name, path, reason: settlement.incomplete, sent: true });
      return { ...candidate, incomplete: settlement.incomplete };
    case "waiting":
      keepWaiting(context, candidate, settlement);
      return null;
    case "incomplete":
      if (candidate.told !== "incomplete") emit({ type: "incomplete", job: job.name, path, reason: settlement.reason });
      candidates.put({ ...candidate, told: "incomplete", state: settlement });
      return null;
    case "corrupt":
      refuse(context, candidate, corrupt(path, settlement.reason));
      return null;
    default:
      return settlement satisfies never;
  }
}

/** Shows what it is waiting for, and how it grows. */
export function keepWaiting(
  { job, system, candidates, emit }: Concluding,
  candidate: Candidate,
  { reason, againMs }: Extract<Settlement, { is: "waiting" }>,
): void {
  const { facts: { path, size }, declared } = candidate;
  const now = system.monotonic();
  const tells = size !== candidate.toldSize && now - candidate.toldAt >= TELL_EVERY_MS;
  if (tells) emit({ type: "growing", job: job.name, path, size, declared });
  const told = tells ? { toldSize: size, toldAt: now } : {};
  candidates.put({ ...candidate, ...told, state: { is: "waiting", reason, again: now + againMs } });
}

/** Gives a file up that is at fault. */
export function refuse({ job, candidates, emit }: Concluding, candidate: Candidate, failure: FailureRecord): void {
  const told = `refused: ${failure.code}`;
  if (candidate.told !== told) emit({ type: "refused", job: job.name, path: candidate.facts.path, failure });
  candidates.put({ ...candidate, told, state: { is: "refused", failure } });
}

const TELL_EVERY_MS = 1_000;
