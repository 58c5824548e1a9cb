/**
 * `status --json` and `/api/status`: a shape that scripts depend on.
 *
 * @module
 */
import { join } from "@std/path";
import type { DestinationState } from "../../domain/destination_state.ts";
import type { Destination, Job, Settings } from "../../config/settings.ts";
import type { Counts } from "../../ledger/history.ts";
import type { ReadLedger } from "../../ledger/ledger.ts";
import type { Waiting } from "../../intake/settle/candidate.ts";
import type { Unmatched } from "../../intake/watch/unmatched.ts";

/** Times ISO 8601 in UTC, sizes in bytes. Where no daemon runs, what only it knows is null. */
export interface StatusReport {
  readonly running: boolean;
  /** True where the daemon watches every folder, every destination is open, and every file was taken and delivered, or is about to be. */
  readonly all_well: boolean;
  readonly pid: number | null;
  readonly version: string;
  readonly started_at: string | null;
  /** Where the page is; null without one. */
  readonly url: string | null;
  /** The configuration file that the daemon runs with, or that was read where none runs; null without one. */
  readonly configuration: string | null;
  readonly jobs: readonly {
    readonly name: string;
    readonly watch_path: string;
    readonly watching: boolean;
    /** Files that were seen and have no delivery yet: not finished, incomplete or rejected. */
    readonly files_waiting: number;
    /** How many of those are given up as incomplete until they change, and how many were rejected. */
    readonly incomplete: number | null;
    readonly rejected: number | null;
    /** The first hundred of those two. */
    readonly not_sent: readonly NotSent[];
    /** The files that are there where the patterns have wanted none so far; null otherwise, and where no daemon runs. */
    readonly unmatched: Unmatched | null;
  }[];
  readonly destinations: readonly (Counts & {
    readonly name: string;
    readonly job: string;
    /** As configured, or what `auto` chose once connected. */
    readonly method: string;
    readonly state: DestinationState["state"] | "unknown";
    /** Why it is not open; null where it is. */
    readonly reason: string | null;
    readonly free_bytes: number | null;
    /** There where its folder was not, and was made since the start. */
    readonly folder_made?: true;
  })[];
  readonly deliveries: Counts;
}

/** A file that was seen and is not sent; `path` is absolute. */
export interface NotSent {
  readonly path: string;
  readonly reason: "incomplete" | "rejected";
  readonly size: number;
  readonly message: string;
  readonly hint: string;
}

/** What a running daemon knows of itself. Times in milliseconds since 1970 UTC. */
export interface StatusParts {
  readonly pid: number;
  readonly version: string;
  readonly startedAt: number;
  readonly url: string | null;
  readonly configuration: string | null;
  readonly jobs: readonly {
    readonly job: Pick<Job, "name" | "watchPath">;
    readonly watching: boolean;
    readonly filesWaiting: number;
    /** Those that are given up, all of them. */
    readonly givenUp: readonly Pick<Waiting, "path" | "reason" | "size" | "detail" | "hint">[];
    readonly unmatched: Unmatched | null;
  }[];
  readonly destinations: readonly {
    readonly destination: Pick<Destination, "name" | "job" | "transport">;
    /** What `auto` chose; null before the first session. */
    readonly method: string | null;
    readonly state: DestinationState;
    readonly freeBytes: number | null;
    readonly made?: boolean;
    readonly counts: Counts;
  }[];
  readonly counts: Counts;
}

/** Files named for each job. */
const MOST_NAMED = 100;

/** The report of a running daemon. */
export function statusReport(parts: StatusParts): StatusReport {
  const isWell = parts.jobs.every(({ watching, givenUp, unmatched }) => watching && givenUp.length === 0 && unmatched === null) &&
    parts.destinations.every(({ state, counts }) => state.state === "open" && counts.failed === 0);
  return {
    running: true,
    all_well: isWell,
    pid: parts.pid,
    version: parts.version,
    started_at: new Date(parts.startedAt).toISOString(),
    url: parts.url,
    configuration: parts.configuration,
    jobs: parts.jobs.map(({ job, watching, filesWaiting, givenUp, unmatched }) => {
      const incomplete = givenUp.filter(({ reason }) => reason === "incomplete").length;
      return {
        name: job.name,
        watch_path: job.watchPath,
        watching,
        files_waiting: filesWaiting,
        incomplete,
        rejected: givenUp.length - incomplete,
        not_sent: givenUp.slice(0, MOST_NAMED).map(({ path, reason, size, detail, hint }) => ({
          path: join(job.watchPath, path),
          reason: reason === "incomplete" ? reason : "rejected",
          size,
          message: detail,
          hint,
        })),
        unmatched,
      };
    }),
    destinations: parts.destinations.map(({ destination, method, state, freeBytes, made, counts }) => ({
      name: destination.name,
      job: destination.job,
      method: method ?? destination.transport.method,
      state: state.state,
      reason: reasonOf(state),
      free_bytes: freeBytes,
      ...(made ? { folder_made: true as const } : {}),
      ...counts,
    })),
    deliveries: parts.counts,
  };
}

/** The report where no daemon runs: what the configuration and the ledger tell. */
export function restingReport(
  version: string,
  { file, jobs }: Pick<Settings, "file" | "jobs">,
  ledger: Pick<ReadLedger, "counts" | "pausedBy">,
): StatusReport {
  return {
    running: false,
    all_well: false,
    pid: null,
    version,
    started_at: null,
    url: null,
    configuration: file,
    jobs: jobs.map((job) => ({
      name: job.name,
      watch_path: job.watchPath,
      watching: false,
      files_waiting: 0,
      incomplete: null,
      rejected: null,
      not_sent: [],
      unmatched: null,
    })),
    destinations: jobs.flatMap((job) => job.destinations).map(({ job, name, transport: { method } }) => {
      const by = ledger.pausedBy(name);
      const reason = by === null ? null : reasonOf({ state: "paused", by });
      const state = by === null ? "unknown" : "paused";
      return { name, job, method, state, reason, free_bytes: null, ...atRest(ledger.counts(job, name)) };
    }),
    deliveries: atRest(ledger.counts()),
  };
}

/** Where no daemon runs nothing is being sent: what a killed one had in hand is looked at and sent by the next. */
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
      return state.failure.hint === "" ? state.failure.message : `${state.failure.message}. ${state.failure.hint}`;
    case "paused":
      return `paused by ${state.by}`;
    default:
      return state satisfies never;
  }
}
