/** What a running daemon knows of itself, and what the page may ask of it; the daemon implements both. */
import type { AuditPlan, AuditRun } from "../domain/audit.ts";
import type { HeldRemovals } from "../ledger/outbox_ledger.ts";
import type { DestinationState } from "../domain/delivery.ts";
import type { FleetCommand, FleetNow } from "../domain/fleet.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { Destination, Job, PocketbaseSettings, Settings } from "../config/settings.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import type { Cadence } from "../events/cadence.ts";
import type { Progress } from "../events/progress.ts";
import type { History } from "../ledger/history.ts";
import type { IntakeLedger } from "../ledger/intake_ledger.ts";
import type { Orphan } from "../ledger/orphans.ts";
import type { AsideNow } from "../intake/watch/left_aside.ts";
import type { Unmatched } from "../intake/watch/known_files.ts";
import type { DaemonControl } from "./daemon_control.ts";

/** How much of a file that is still being written is at a destination. */
interface SentAhead {
  readonly destination: string;
  readonly bytes: number;
  /** The file has not grown for `growth_timeout_seconds`. */
  readonly stalled: boolean;
}

/** A job as it runs. Times in milliseconds since 1970 UTC, sizes in bytes. */
export interface JobNow extends Cadence {
  readonly job: Job;
  /** The server no longer has it, and nobody has accepted that yet. */
  readonly removedOnServer?: boolean;
  /** When its schedule sends next; null while it does, or when only a person knows. */
  readonly nextRun: number | null;
  /** How it is watched; null while it is not. */
  readonly how: "events" | "poll" | null;
  /** Why it is polled although it should give events; null where it is not. */
  readonly eventsMissing: string | null;
  readonly failure: FailureRecord | null;
  /** The files that are there where the patterns have wanted none so far; null otherwise. */
  readonly unmatched: Unmatched | null;
  /** What `newer_than` leaves aside; null without it, and before the first scan. */
  readonly leftAside: AsideNow | null;
  /** Files that are not finished, or were given up. */
  readonly waiting: readonly {
    readonly path: string;
    readonly reason: string;
    readonly detail: string;
    readonly hint: string;
    readonly size: number;
    readonly declared: number | null;
    readonly since: number;
    readonly isFolder?: true;
    /** With `growing_files`: what has been sent of it already; absent where nothing has. */
    readonly ahead?: readonly SentAhead[];
  }[];
}

export interface DestinationNow {
  readonly destination: Destination;
  /** The method at work, or as configured. */
  readonly method: string;
  readonly state: DestinationState;
  readonly freeBytes: number | null;
  /** The bandwidth limit in force, bytes per second; null is none. */
  readonly limit: number | null;
  /** Removals of its mirror that wait for a person; null where none do. */
  readonly heldRemovals: HeldRemovals | null;
  /** Its folder was not there and has been made since the start. */
  readonly made: boolean;
  /** Its audits: how often, and the one that runs or the last one; null where it has none. */
  readonly audit: { readonly plan: AuditPlan; readonly run: AuditRun | null } | null;
  /** What is at these targets, in order; null while there is no session. */
  survey(targets: readonly string[], signal: AbortSignal): Promise<
    readonly ({ readonly bytes: number; readonly kind: "file" | "folder" | "other" } | null)[] | null
  >;
}

/** Which daemon it is. */
export interface About {
  readonly pid: number;
  readonly version: string;
  /** Milliseconds since 1970 UTC. */
  readonly startedAt: number;
  /** Where the page is; null without one. */
  readonly url: string | null;
  /** The configuration file it runs with; null without one. */
  readonly configuration: string | null;
}

/** All that status, page, metrics and report are made of, at this moment; nothing is kept here. */
export interface DaemonState {
  readonly ledger: History & Pick<IntakeLedger, "unknown" | "leftAside">;
  readonly progress: Pick<Progress, "transfers" | "running" | "lastDelivered">;
  about(): About;
  /** What keeps the daemon itself from delivering; null where nothing does. */
  trouble(): FailureRecord | null;
  jobs(): readonly JobNow[];
  destinations(): readonly DestinationNow[];
  orphans(): readonly Orphan[];
  /** The computers that report to the same PocketBase server; null without one, and before the first answer. */
  fleet(): Promise<FleetNow | null>;
  /** Why the jobs of that server are not used; null where they are. */
  jobsRejected(): string | null;
  /** Events that wait for each hook. */
  hooks(): readonly { readonly job: string; readonly hook: string; readonly waiting: number }[];
}

/** How the last reload of the configuration came out. Times in milliseconds since 1970 UTC. */
export interface LastReload {
  readonly at: number;
  /** Why the configuration was refused; null where it is in force. */
  readonly problem: string | null;
}

/** A call of a hook, as its event tells. */
export type HookCall = Pick<Extract<TransferEvent, { type: "hook" }>, "at" | "on" | "result" | "said">;

/** How the daemon is set up. */
interface SetupNow {
  readonly settings: Settings;
  /** Null before the first. */
  readonly reload: LastReload | null;
  /** The last call of a hook of a job; null before the first. */
  hookCall(job: string, hook: string): HookCall | null;
}

/** A line of `doctor --json`. */
export interface CheckFinding {
  readonly level: "ok" | "warning" | "fault";
  readonly about: string;
  readonly what: string;
  readonly hint: string;
  readonly code: string | null;
}

/** What the page asks of other computers. Every call may throw a `Failure`. */
export interface PageFleet {
  /** Comes back with the answer of the computer, or with `waiting` after half a minute. */
  send(command: {
    readonly computer: string;
    readonly action: PocketbaseSettings["mayDo"][number];
    /** A destination or a job; empty for all. */
    readonly argument: string;
  }): Promise<Pick<FleetCommand, "state" | "answer">>;
  /** The latest commands, the newest first. */
  commands(): Promise<readonly FleetCommand[]>;
}

/** What the page asks and does. */
export interface PageSource extends DaemonState, Pick<DaemonControl, "sync" | "retry" | "pause" | "resume" | "acceptRemoved"> {
  /** Hears every event until the returned function is called. */
  listen(listener: (event: TransferEvent) => void): () => void;
  setup(): SetupNow;
  readonly others: PageFleet;
  /** Runs the checks of `doctor`, one run at a time; null where this daemon cannot. */
  readonly check: (() => Promise<readonly CheckFinding[]>) | null;
}
