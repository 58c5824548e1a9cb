/** Makes the status of a daemon, running or not. */
import { type FailureRecord, toldOf, withHint } from "../../domain/failure.ts";
import { acceptCommand } from "../../delivery/mirror/mirror.ts";
import { type AuditPlan, type AuditRun, checkedIn, nextAudit } from "../../domain/audit.ts";
import type { Counts } from "../../ledger/history.ts";
import type { Job, Settings } from "../../config/settings.ts";
import { asideText } from "../../intake/watch/left_aside.ts";
import { join } from "@std/path";
import type { ReadLedger } from "../../ledger/ledger.ts";
import type { DestinationState } from "../../domain/delivery.ts";
import type { Orphan } from "../../ledger/orphans.ts";
import type { About, DaemonState, JobNow } from "../page_source.ts";
import { localTime } from "../../domain/words.ts";
import { headlineOf, type HeadlineParts, NOT_RUNNING } from "./headline.ts";
import { isWell, overviewOf } from "./overview.ts";
import type { AuditStatus, StatusReport } from "./status_json.ts";
import { type NightRule, observingNight } from "../../domain/night/night.ts";

/** What the status of a running daemon is made of. */
export interface StatusParts extends About, Pick<HeadlineParts, "destinations" | "tonight"> {
  /** Milliseconds since 1970 UTC. */
  readonly now: number;
  readonly jobs: readonly (Omit<JobNow, "job"> & {
    readonly job: Pick<Job, "name" | "watchPath" | "night"> & Partial<Pick<Job, "dryRun">>;
  })[];
  readonly trouble: FailureRecord | null;
  readonly jobsRejected?: string | null;
  readonly counts: Counts;
  readonly orphans: readonly Orphan[];
  readonly hooks: ReturnType<DaemonState["hooks"]>;
}

/** Files named for each job. */
const MOST_NAMED = 100;

/** The status of a running daemon. */
export function statusReport(parts: StatusParts): StatusReport {
  const { pid, version, startedAt, url, configuration, trouble, jobsRejected = null, counts } = parts;
  const waitingHooks = parts.hooks.filter(({ waiting }) => waiting > 0);
  const status = {
    pid,
    version,
    started_at: iso(startedAt),
    url,
    configuration,
    ...(trouble === null ? {} : { trouble: toldOf(trouble) }),
    ...(jobsRejected === null ? {} : { jobs_rejected: jobsRejected }),
    jobs: parts.jobs.map((one) => jobStatus(one, parts.now)),
    destinations: parts.destinations.map((
      { destination, method, state, freeBytes, limit, heldRemovals, made, audit, counts },
    ) => ({
      name: destination.name,
      job: destination.job,
      method,
      state: state.state,
      reason: reasonOf(state),
      free_bytes: freeBytes,
      ...(limit === null ? {} : { bandwidth_limit: limit }),
      ...(heldRemovals === null
        ? {}
        : { removals_held: { ...heldRemovals, accept: acceptCommand(destination.job, destination.name) } }),
      ...(audit === null ? {} : { audit: auditStatus(audit.plan, audit.run, parts.now) }),
      ...(made ? { folder_made: true as const } : {}),
      ...counts,
    })),
    ...(waitingHooks.length === 0 ? {} : { hooks: waitingHooks }),
    deliveries: counts,
  };
  const overview = overviewOf({ running: true, ...status }, parts);
  return { running: true, all_well: isWell(overview), headline: headlineOf(overview, parts), ...status };
}

function jobStatus(
  { job, removedOnServer, how, eventsMissing, failure, nextRun, unmatched, leftAside, waiting, lastImage, usualMs }:
    StatusParts["jobs"][number],
  now: number,
): StatusReport["jobs"][number] {
  const notSent = waiting.filter(({ reason }) => reason === "incomplete" || reason === "refused");
  const incomplete = notSent.filter(({ reason }) => reason === "incomplete").length;
  const folders = notSent.filter(({ isFolder }) => isFolder).length;
  return {
    name: job.name,
    watch_path: job.watchPath,
    watching: how !== null,
    ...(failure === null ? {} : { reason: withHint(failure) }),
    ...(eventsMissing === null ? {} : { events_missing: eventsMissing }),
    ...(job.dryRun ? { dry_run: true as const } : {}),
    ...(removedOnServer ? { removed_on_server: true as const } : {}),
    next_run: nextRun === null ? null : iso(nextRun),
    last_image: lastImage === null ? null : iso(lastImage),
    usual_interval_seconds: usualMs === null ? null : Math.round(usualMs / 100) / 10,
    silent: isSilent({ lastImage, usualMs }, job.night, now),
    files_waiting: waiting.length,
    incomplete,
    ...growingOf(job.watchPath, waiting),
    rejected: notSent.length - incomplete,
    ...(folders === 0 ? {} : { folders_rejected: folders }),
    not_sent: notSent.slice(0, MOST_NAMED).map(({ path, reason, size, detail, hint }) => ({
      path: join(job.watchPath, path),
      reason: reason === "incomplete" ? reason : "rejected",
      size,
      message: detail,
      hint,
    })),
    unmatched,
    ...leftAside === null ? {} : {
      left_aside: {
        files: leftAside.files,
        bytes: leftAside.bytes,
        older_than: iso(leftAside.olderThan),
        ...asideText(leftAside, job.night.timezone, now),
      },
    },
  };
}

function growingOf(folder: string, waiting: JobNow["waiting"]): Pick<StatusReport["jobs"][number], "growing"> {
  const growing = waiting.flatMap(({ path, size, ahead = [] }) =>
    ahead.length === 0 ? [] : [{
      path: join(folder, path),
      size,
      stalled: ahead.every(({ stalled }) => stalled),
      sent: ahead.map(({ destination, bytes }) => ({ destination, bytes })),
    }]
  );
  return growing.length === 0 ? {} : { growing: growing.slice(0, MOST_NAMED) };
}

/** The report where no daemon runs: what the configuration and the ledger tell. */
export function restingReport(
  version: string,
  { file, jobs }: Pick<Settings, "file" | "jobs">,
  ledger: Pick<ReadLedger, "counts" | "pausedBy" | "auditOf">,
  now: number,
): StatusReport {
  return {
    running: false,
    all_well: false,
    headline: NOT_RUNNING,
    pid: null,
    version,
    started_at: null,
    url: null,
    configuration: file,
    jobs: jobs.map((job) => ({
      name: job.name,
      watch_path: job.watchPath,
      watching: false,
      next_run: null,
      last_image: null,
      usual_interval_seconds: null,
      silent: false,
      files_waiting: 0,
      incomplete: null,
      rejected: null,
      not_sent: [],
      unmatched: null,
    })),
    destinations: jobs.flatMap((job) => job.destinations).map(({ job, name, audit, transport: { method } }) => {
      const by = ledger.pausedBy(name);
      const reason = by === null ? null : reasonOf({ state: "paused", by });
      const state = by === null ? "unknown" : "paused";
      return {
        name,
        job,
        method,
        state,
        reason,
        free_bytes: null,
        ...(audit === null ? {} : { audit: auditStatus(audit, ledger.auditOf(job, name), now) }),
        ...atRest(ledger.counts(job, name)),
      };
    }),
    deliveries: atRest(ledger.counts()),
  };
}

/** Without a daemon nothing is being sent: what a killed one was sending is checked and sent by the next one. */
export function atRest({ queued, sending, ...others }: Counts): Counts {
  return { queued: queued + sending, sending: 0, ...others };
}

/** Why a destination takes nothing just now, in one sentence; null when it does. */
export function reasonOf(state: DestinationState): string | null {
  switch (state.state) {
    case "open":
      return null;
    case "backing_off":
    case "on_hold":
      return withHint(state.failure);
    case "paused":
      return `paused by ${state.by}`;
    case "closed":
      return state.until === null
        ? "sends on request only (schedule: manual): image-transfer sync sends now"
        : `closed by its schedule until ${localTime(state.until)}`;
    default:
      return state satisfies never;
  }
}

/** `now` is milliseconds since 1970 UTC. */
export function auditStatus({ everyMs, share, repair }: AuditPlan, run: AuditRun | null, now: number): AuditStatus {
  const isRunning = run !== null && run.endedAt === null;
  return {
    every_seconds: everyMs / 1000,
    sample_percent: Math.round(share * 1e4) / 100,
    repair,
    state: isRunning ? "running" : "waiting",
    begun_at: run === null ? null : iso(run.begunAt),
    ended_at: run === null || run.endedAt === null ? null : iso(run.endedAt),
    next_at: isRunning ? null : iso(run === null ? now : nextAudit(run, { everyMs }, now)),
    files: run?.goal ?? 0,
    checked: run === null ? 0 : checkedIn(run),
    ...run?.found ?? NOTHING,
    sent_again: run?.sentAgain ?? 0,
  };
}

const NOTHING: AuditRun["found"] = { equal: 0, unproven: 0, damaged: 0, vanished: 0, changed: 0, unreadable: 0 };

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** So many times the usual distance between two images. */
const INTERVALS = 5;
/** A camera that makes ten images a second is not silent while it is pointed elsewhere. */
const LEAST_MS = 60_000;

/**
 * True where no image came for five usual intervals, and a minute; until the night of the last image is over: by day no images are
 * expected. Times are milliseconds since 1970 UTC.
 */
export function isSilent(
  { lastImage, usualMs }: { readonly lastImage: number | null; readonly usualMs: number | null },
  night: NightRule,
  now: number,
): boolean {
  if (lastImage === null || usualMs === null || now - lastImage <= Math.max(INTERVALS * usualMs, LEAST_MS)) return false;
  return observingNight(lastImage, night) === observingNight(now, night);
}
