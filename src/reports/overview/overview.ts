/**
 * Is all well? The one judgement behind the headline, `status` and its exit code, the page and its view Trouble: what is wrong, worst
 * first, and how bad all of it is. Each of them only puts it into words.
 */
import type { Counts } from "../../ledger/history.ts";
import type { Failure } from "../../domain/failure.ts";
import { type Orphan, waitingOf, withoutOrphans } from "../../ledger/orphans.ts";
import type { NightSummary } from "../night/night_summary.ts";
import type { Headline, StatusReport } from "./status_json.ts";

/** Something that is not as it should be. */
export type Finding =
  | { readonly is: "not_running" }
  /** The daemon itself cannot work. */
  | { readonly is: "stopped"; readonly trouble: NonNullable<StatusReport["trouble"]> }
  | { readonly is: "on_hold" | "backing_off" | "paused"; readonly job: string; readonly destination: string }
  | { readonly is: "not_watched" | "unmatched" | "events_missing"; readonly job: string }
  | { readonly is: "failed"; readonly count: number }
  /** Delivered files that an audit found damaged, or no longer there. */
  | {
    readonly is: "lost";
    readonly job: string;
    readonly destination: string;
    readonly damaged: number;
    readonly vanished: number;
  }
  /** What the last audit could not read, and what somebody may have changed on purpose. */
  | { readonly is: "unreadable"; readonly job: string; readonly destination: string; readonly count: number }
  | { readonly is: "changed"; readonly job: string; readonly destination: string; readonly count: number }
  /** Files that were seen and are left alone until they change. */
  | {
    readonly is: "not_sent";
    readonly job: string;
    readonly incomplete: number;
    readonly rejected: number;
    readonly folders: number;
  }
  | { readonly is: "missing"; readonly missing: Missing }
  /** A mirror waits for a person before it removes files. */
  | {
    readonly is: "removals_held";
    readonly job: string;
    readonly destination: string;
    readonly reason: string;
    readonly accept: string;
  }
  /** The server no longer has the job; it runs until a person accepts that. */
  | { readonly is: "removed_on_server"; readonly job: string }
  /** The jobs of the server cannot be used. */
  | { readonly is: "jobs_rejected"; readonly reason: string }
  | { readonly is: "misconfigured"; readonly fault: Failure }
  | { readonly is: "orphaned"; readonly orphan: Orphan };

/** Ends a job that the server no longer has; with its name after it, this one alone. */
export const ACCEPT_REMOVED = "image-transfer pocketbase accept";

/** Images of tonight that were delivered, and are known to be gone from their destination. */
interface Missing {
  readonly job: string;
  readonly destination: string;
  readonly expected: number;
  readonly gone: number;
}

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
  const findings = [
    ...status.running ? [...status.jobs.flatMap(findingsOfJob), ...status.destinations.flatMap(findingsOfDestination)] : [
      { is: "not_running" } as const,
    ],
    ...status.running && status.trouble !== undefined ? [{ is: "stopped", trouble: status.trouble } as const] : [],
    ...status.running && status.jobs_rejected !== undefined
      ? [{ is: "jobs_rejected", reason: status.jobs_rejected } as const]
      : [],
    ...failed > 0 ? [{ is: "failed", count: failed } as const] : [],
    ...missingOf(tonight, status.destinations).map((missing) => ({ is: "missing", missing }) as const),
    ...fault === null ? [] : [{ is: "misconfigured", fault } as const],
    ...orphans.map((orphan) => ({ is: "orphaned", orphan }) as const),
  ].toSorted((a, b) => ORDER.indexOf(a.is) - ORDER.indexOf(b.is));
  return { level: levelOf(findings, waitingOf(counts)), findings, counts, waitsFor: waitsFor(status) };
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
): Extract<Finding, { is: Kind }>[] {
  return findings.filter((one): one is Extract<Finding, { is: Kind }> => (kinds as string[]).includes(one.is));
}

function findingsOfJob(
  {
    name: job,
    watching,
    reason,
    events_missing,
    incomplete,
    rejected,
    folders_rejected: folders = 0,
    unmatched,
    removed_on_server,
  }: StatusReport["jobs"][number],
): Finding[] {
  // A daemon of an older version, before it is restarted, does not count them.
  const notSent = { is: "not_sent", job, incomplete: incomplete ?? 0, rejected: rejected ?? 0, folders } as const;
  return [
    // Without a reason it has not been looked at yet: the daemon has just started.
    ...watching || reason === undefined ? [] : [{ is: "not_watched", job } as const],
    ...notSent.incomplete + notSent.rejected > 0 ? [notSent] : [],
    ...unmatched == null ? [] : [{ is: "unmatched", job } as const],
    ...removed_on_server ? [{ is: "removed_on_server", job } as const] : [],
    ...events_missing === undefined ? [] : [{ is: "events_missing", job } as const],
  ];
}

function findingsOfDestination(
  one: StatusReport["destinations"][number],
): Finding[] {
  const { job, name: destination, state, removals_held: held, damaged = 0, vanished = 0, audit } = one;
  const isFine = state === "open" || state === "unknown" || state === "closed";
  const { unreadable = 0, changed = 0 } = audit ?? {};
  return [
    ...lostAt(one) === 0 ? [] : [{ is: "lost", job, destination, damaged, vanished } as const],
    ...unreadable === 0 ? [] : [{ is: "unreadable", job, destination, count: unreadable } as const],
    ...changed === 0 ? [] : [{ is: "changed", job, destination, count: changed } as const],
    ...isFine ? [] : [{ is: state, job, destination } as const],
    ...held === undefined ? [] : [{ is: "removals_held", job, destination, reason: held.reason, accept: held.accept } as const],
  ];
}

function lostAt({ damaged = 0, vanished = 0 }: Counts): number {
  return damaged + vanished;
}

function levelOf(findings: readonly Finding[], waiting: number): Overview["level"] {
  const worst = (["bad", "warning"] as const).find((severity) => findings.some((one) => severityOf(one) === severity));
  return worst ?? (waiting > 0 ? "busy" : "good");
}

/** The destinations that delivered images of tonight are gone from. None where deliveries have failed: the ledger counts both as one. */
function missingOf(tonight: Besides["tonight"], destinations: StatusReport["destinations"]): Missing[] {
  return tonight.destinations.flatMap(({ job, name, expected, failed }) => {
    const known = destinations.find((one) => one.job === job && one.name === name);
    return failed > 0 && known?.failed === 0 ? [{ job, destination: name, expected, gone: failed }] : [];
  });
}
