/**
 * What is noted of files: as they were just found, those that the ledger does not know become candidates; and what follows from a
 * settlement, which listeners are told once for each version.
 */
import { mapLimit } from "../../async/map_limit.ts";
import type { Job } from "../../config/settings.ts";
import type { FailureRecord } from "../../domain/failure.ts";
import type { FileFacts } from "../../domain/source_file.ts";
import { absolute, type SettleContext } from "../intake_context.ts";
import { type Candidate, isGivenUp, mayPass } from "./candidate.ts";
import type { Settlement } from "./settle.ts";
import { corrupt, unreadable } from "../source_faults.ts";

/** How files were found. */
export interface NoteOptions {
  /** Gives those a chance that were given up for a reason that may pass. */
  readonly retry?: boolean;
  /** When they were found, at the earliest (monotonic): those that were looked at since are open, and stay as they are. */
  readonly asOf?: number;
  /** {@linkcode Candidates.lastTouch} before they were looked at. */
  readonly touch?: number;
  /** The event for a file that is noted for the first time. */
  readonly news?: (path: string) => "created" | "changed";
}

interface Noted {
  /** To be settled: not known to the ledger, and not given up. */
  readonly open: string[];
  /** The ledger knows them as they are. */
  readonly known: string[];
  /** Left aside: they are older than `newer_than`. */
  readonly aside: readonly FileFacts[];
}

/** Notes these files with the facts that were just found. */
export function noteFiles(context: SettleContext, found: readonly FileFacts[], options: NoteOptions = {}): Noted {
  const { job, candidates, ledger, aside } = context;
  const { asOf = Infinity } = options;
  const overtaken = found.filter(({ path }) => (candidates.get(path)?.lookedAt ?? -Infinity) > asOf);
  const current = overtaken.length === 0 ? found : found.filter((facts) => !overtaken.includes(facts));
  const { fresh, recheck } = ledger.unknown(job.name, current, job.destinations.map(({ name }) => name));
  const unknown = new Set([...fresh, ...recheck].map(({ path }) => path));
  const known = current.map(({ path }) => path).filter((path) => !unknown.has(path));
  known.forEach(candidates.forget);
  const old = fresh.filter(aside.isOld);
  for (const { path } of old) candidates.forget(path);
  const counted = old.length === 0 ? fresh : fresh.filter((facts) => !aside.isOld(facts));
  const open = [
    ...overtaken,
    ...counted.filter((facts) => noteFile(context, facts, false, options)),
    ...recheck.filter((facts) => noteFile(context, facts, true, options)),
  ];
  return { open: open.map(({ path }) => path), known, aside: old };
}

/** Looks at these files now and notes them; returns those to be settled. */
export async function statFiles(
  context: SettleContext,
  paths: readonly string[],
  signal: AbortSignal,
  options: NoteOptions = {},
): Promise<string[]> {
  const touch = context.candidates.lastTouch();
  const found = await mapLimit(paths, STATS_AT_ONCE, (path) => statFile(context, path), signal);
  return noteFiles(context, found.filter((facts) => facts !== null), { ...options, touch }).open;
}

/** The file as it is now; null, and no candidate any more, where there is none. */
export async function statFile(context: SettleContext, path: string): Promise<FileFacts | null> {
  const { system, candidates } = context;
  try {
    const facts = await system.facts(absolute(context, path));
    if (facts?.kind === "file") return { path, ...facts };
    candidates.forget(path);
  } catch (error) {
    const candidate = candidates.get(path);
    if (candidate) refuse(context, candidate, unreadable(path, error));
  }
  return null;
}

/** True where there is something to settle. */
function noteFile(context: SettleContext, facts: FileFacts, recheck: boolean, options: NoteOptions): boolean {
  const { system, candidates } = context;
  const { candidate, first } = candidates.look(facts, system.monotonic(), system.now(), recheck, options.touch);
  if (first && !recheck) announce(context, facts.path, options.news?.(facts.path) ?? "created");
  if (!isGivenUp(candidate)) return true;
  if (!options.retry || !mayPass(candidate)) return false;
  const { content: _, ...again } = candidate;
  candidates.put({ ...again, state: { is: "new" } });
  return true;
}

function announce({ job, emit }: SettleContext, path: string, type: "created" | "changed"): void {
  const wanted = type === "created" ? ["create", "rename"] : ["write"];
  if (job.watchEvents.some((event) => wanted.includes(event))) emit({ type, job: job.name, path, ...isAll(job) });
}

/** Without destinations, the log of a job tells what happens in its folder. */
export function isAll({ destinations }: Pick<Job, "destinations">): { readonly isAll?: true } {
  return destinations.length === 0 ? { isAll: true } : {};
}

/** Short looks: many at once are cheaper than many one by one. */
const STATS_AT_ONCE = 128;

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
