/**
 * `status --json` and `/api/status`: a shape that scripts depend on.
 *
 * @module
 */
import type { DestinationState } from "../domain/destination_state.ts";
import type { Destination, Job } from "../domain/job.ts";
import type { Unmatched } from "../pipeline/unmatched.ts";
import type { Counts } from "../ledger/ledger.ts";

/** Times ISO 8601 in UTC, sizes in bytes. Where no daemon runs, what only it knows is null. */
export interface StatusReport {
  readonly running: boolean;
  readonly pid: number | null;
  readonly version: string;
  readonly started_at: string | null;
  /** Where the page is; null without one. */
  readonly url: string | null;
  readonly jobs: readonly {
    readonly name: string;
    readonly watch_path: string;
    readonly watching: boolean;
    /** Files seen that are not finished yet. */
    readonly files_waiting: number;
    /** The files that are there where the patterns have wanted none so far; null otherwise, and where no daemon runs. */
    readonly unmatched: Unmatched | null;
  }[];
  readonly destinations: readonly {
    readonly name: string;
    /** As configured, or what `auto` chose once connected. */
    readonly method: string;
    readonly state: DestinationState["state"] | "unknown";
    /** Why it is not open; null where it is. */
    readonly reason: string | null;
    readonly free_bytes: number | null;
  }[];
  readonly deliveries: Counts;
}

/** What a running daemon knows of itself. Times in milliseconds since 1970 UTC. */
export interface StatusParts {
  readonly pid: number;
  readonly version: string;
  readonly startedAt: number;
  readonly url: string | null;
  readonly jobs: readonly {
    readonly job: Pick<Job, "name" | "watchPath">;
    readonly watching: boolean;
    readonly filesWaiting: number;
    readonly unmatched: Unmatched | null;
  }[];
  readonly destinations: readonly {
    readonly destination: Pick<Destination, "name" | "method">;
    /** What `auto` chose; null before the first session. */
    readonly method: string | null;
    readonly state: DestinationState;
    readonly freeBytes: number | null;
  }[];
  readonly counts: Counts;
}

/** The report of a running daemon. */
export function statusReport(parts: StatusParts): StatusReport {
  return {
    running: true,
    pid: parts.pid,
    version: parts.version,
    started_at: new Date(parts.startedAt).toISOString(),
    url: parts.url,
    jobs: parts.jobs.map(({ job, watching, filesWaiting, unmatched }) => ({
      name: job.name,
      watch_path: job.watchPath,
      watching,
      files_waiting: filesWaiting,
      unmatched,
    })),
    destinations: parts.destinations.map(({ destination, method, state, freeBytes }) => ({
      name: destination.name,
      method: method ?? destination.method,
      state: state.state,
      reason: reasonOf(state),
      free_bytes: freeBytes,
    })),
    deliveries: parts.counts,
  };
}

/** The report where no daemon runs: what the configuration and the ledger tell. */
export function restingReport(
  version: string,
  jobs: readonly Job[],
  counts: Counts,
  pausedBy: (destination: string) => string | null,
): StatusReport {
  return {
    running: false,
    pid: null,
    version,
    started_at: null,
    url: null,
    jobs: jobs.map((job) => ({ name: job.name, watch_path: job.watchPath, watching: false, files_waiting: 0, unmatched: null })),
    destinations: jobs.flatMap((job) => job.destinations).map(({ name, method }) => {
      const by = pausedBy(name);
      const reason = by === null ? null : reasonOf({ state: "paused", by });
      return { name, method, state: by === null ? "unknown" : "paused", reason, free_bytes: null };
    }),
    deliveries: counts,
  };
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
