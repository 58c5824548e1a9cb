/**
 * Is all well? The one judgement behind the headline, `status` and its exit code, the page and its view Trouble: what is wrong, worst
 * first, and how bad all of it is. Each of them only puts it into words.
 */
import type { Counts } from "../../ledger/history.ts";
import type { Failure } from "../../domain/failure.ts";
import { type Orphan, waitingOf, withoutOrphans } from "../../ledger/orphans.ts";
import type { NightSummary } from "../night/night_summary.ts";
import type { Headline, StatusReport } from "./status_json.ts";

/** A destination of a job. */
interface Place {
  readonly job: string;
  readonly destination: string;
}

/** Something that is not as it should be. */
export type Finding =
  | { readonly is: "not_running" }
  /** The daemon itself cannot work. */
  | { readonly is: "stopped"; readonly trouble: NonNullable<StatusReport["trouble"]> }
  | Place & { readonly is: "on_hold" | "backing_off" | "paused" }
  | { readonly is: "not_watched" | "unmatched" | "events_missing"; readonly job: string }
  | { readonly is: "failed"; readonly count: number }
  /** Delivered files that an audit found damaged, or no longer there. */
  | Place & { readonly is: "lost"; readonly damaged: number; readonly vanished: number }
  /** What the last audit could not read, and what somebody may have changed on purpose. */
  | Place & { readonly is: "unreadable" | "changed"; readonly count: number }
  /** Files that were seen and are left alone until they change. */
  | {
    readonly is: "not_sent";
    readonly job: string;
    readonly incomplete: number;
    readonly rejected: number;
    readonly folders: number;
  }
  /** Images of tonight that were delivered, and are known to be gone from their destination. */
  | Place & { readonly is: "missing"; readonly expected: number; readonly gone: number }
  /** A mirror waits for a person before it removes files. */
  | Place & { readonly is: "removals_held"; readonly reason: string; readonly accept: string }
  /** The server no longer has the job; it runs until a person accepts that. */
  | { readonly is: "removed_on_server"; readonly job: string }
  /** The jobs of the server cannot be used. */
  | { readonly is: "jobs_rejected"; readonly reason: string }
  | { readonly is: "misconfigured"; readonly fault: Failure }
  | { readonly is: "orphaned"; readonly orphan: Orphan };

/** Ends a job that the server no longer has; with its name after it, this one alone. */
export const ACCEPT_REMOVED = "image-transfer pocketbase accept";

/** `bad`: a person is needed. `warning`: something waits, or resumes automatically. `note`: worth knowing; all is well with it. */
type Severity = "bad" | "warning" | "note";

export interface Overview {
  readonly level: Headline["level"];
  /** Worst first. */
  readonly findings: readonly Finding[];
  /** Of what can be sent: orphans are left out. */
  readonly counts: Counts;
  /** What all that waits is waiting for: the schedule of its job, or a person where that is `manual`. Null where some of it is sent. */
  readonly waitsFor: "schedule" | "person" | null;
}

/** What is judged besides the status. */
interface Besides {
  readonly orphans: readonly Orphan[];
  readonly tonight: Pick<NightSummary, "destinations">;
  /** Why the configuration cannot be used; null where it can, or nobody has read it. */
  readonly fault?: Failure | null;
}

/** Worst first: in this order they are listed, and the first one is the headline. */
const SEVERITY: Readonly<Record<Finding["is"], Severity>> = {
  not_running: "bad",
  stopped: "bad",
  not_watched: "bad",
  on_hold: "bad",
  lost: "bad",
  failed: "bad",
  backing_off: "warning",
  paused: "warning",
  not_sent: "warning",
  unmatched: "warning",
  missing: "warning",
  removals_held: "warning",
  jobs_rejected: "warning",
  removed_on_server: "warning",
  unreadable: "warning",
  misconfigured: "warning",
  events_missing: "note",
  orphaned: "note",
  changed: "note",
};
const ORDER = Object.keys(SEVERITY);

/** Judges a status as the daemon sends it; its own verdict is ignored. */
export function overviewOf(
  status: Omit<StatusReport, "all_well" | "headline">,
  { orphans, tonight, fault = null }: Besides,
): Overview {
  const counts = withoutOrphans(status.deliveries, orphans);
  const failed = counts.failed - status.destinations.reduce((sum, one) => sum + lostAt(one), 0);
  const findings = [...found()].toSorted((a, b) => ORDER.indexOf(a.is) - ORDER.indexOf(b.is));
  const worst = (["bad", "warning"] as const).find((severity) => findings.some((one) => severityOf(one) === severity));
  const level = worst ?? (waitingOf(counts) > 0 ? "busy" : "good");
  return { level, findings, counts, waitsFor: waitsFor(status) };

  function* found(): Generator<Finding, void> {
    if (!status.running) yield { is: "not_running" };
    else {
      yield* status.jobs.flatMap((job) => [...findingsOfJob(job)]);
      yield* status.destinations.flatMap((destination) => [...findingsOfDestination(destination)]);
      if (status.trouble !== undefined) yield { is: "stopped", trouble: status.trouble };
      if (status.jobs_rejected !== undefined) yield { is: "jobs_rejected", reason: status.jobs_rejected };
    }
    if (failed > 0) yield { is: "failed", count: failed };
    for (const { job, name: destination, expected, failed: gone } of tonight.destinations) {
      const known = status.destinations.find((one) => one.job === job && one.name === destination);
      // Where deliveries have failed, the ledger counts both as one.
      if (gone > 0 && known?.failed === 0) yield { is: "missing", job, destination, expected, gone };
    }
    if (fault !== null) yield { is: "misconfigured", fault };
    for (const orphan of orphans) yield { is: "orphaned", orphan };
  }
}

function waitsFor({ destinations, jobs }: Pick<StatusReport, "destinations" | "jobs">): Overview["waitsFor"] {
  const waiting = destinations.filter((destination) => waitingOf(destination) > 0);
  if (waiting.length === 0 || waiting.some(({ state }) => state !== "closed")) return null;
  const isManual = waiting.every(({ job }) => jobs.every(({ name, next_run }) => name !== job || next_run === null));
  return isManual ? "person" : "schedule";
}

/** True where nobody has to do anything, and nothing is kept from arriving. */
export function isWell({ level }: Pick<Overview, "level">): boolean {
  return level === "good" || level === "busy";
}

/** How bad a finding is. */
export function severityOf({ is }: Finding): Severity {
  return SEVERITY[is];
}

/** The findings of one kind, or of several. */
export function only<Kind extends Finding["is"]>(
  { findings }: Pick<Overview, "findings">,
  ...kinds: Kind[]
): (Finding & { readonly is: Kind })[] {
  return findings.filter((one): one is Finding & { readonly is: Kind } => (kinds as string[]).includes(one.is));
}

function* findingsOfJob(one: StatusReport["jobs"][number]): Generator<Finding, void> {
  const { name: job, folders_rejected: folders = 0 } = one;
  // A daemon of an older version, before it is restarted, does not count them.
  const [incomplete, rejected] = [one.incomplete ?? 0, one.rejected ?? 0];
  // Without a reason it has not been looked at yet: the daemon has just started.
  if (!one.watching && one.reason !== undefined) yield { is: "not_watched", job };
  if (incomplete + rejected > 0) yield { is: "not_sent", job, incomplete, rejected, folders };
  if (one.unmatched != null) yield { is: "unmatched", job };
  if (one.removed_on_server) yield { is: "removed_on_server", job };
  if (one.events_missing !== undefined) yield { is: "events_missing", job };
}

function* findingsOfDestination(one: StatusReport["destinations"][number]): Generator<Finding, void> {
  const { job, name: destination, state, removals_held: held, damaged = 0, vanished = 0, audit } = one;
  const { unreadable = 0, changed = 0 } = audit ?? {};
  if (lostAt(one) > 0) yield { is: "lost", job, destination, damaged, vanished };
  if (unreadable > 0) yield { is: "unreadable", job, destination, count: unreadable };
  if (changed > 0) yield { is: "changed", job, destination, count: changed };
  if (state !== "open" && state !== "unknown" && state !== "closed") yield { is: state, job, destination };
  if (held !== undefined) yield { is: "removals_held", job, destination, reason: held.reason, accept: held.accept };
}

function lostAt({ damaged = 0, vanished = 0 }: Counts): number {
  return damaged + vanished;
}
