/** `status --json` and `/api/status`: a shape that scripts depend on. */
import type { FailureCode } from "../../domain/failure.ts";
import type { Counts } from "../../ledger/history.ts";
import type { DestinationState } from "../../domain/delivery.ts";
import type { Unmatched } from "../../intake/watch/known_files.ts";

/** The one answer to "is everything delivered, and if not, what do I do?". */
export interface Headline {
  /** `good`: everything is delivered. `busy`: files are being delivered, nothing is wrong. `warning`: something waits. `bad`: a person is needed. */
  readonly level: "good" | "busy" | "warning" | "bad";
  /** `All 412 of tonight's images are on freya and nas`; in a fault what it is and what is safe: `usb-stick is full. All 240 images are safe on freya.` */
  readonly text: string;
  /** What to do, or what happens next; empty where there is nothing to say. */
  readonly advice: string;
}

/** Times ISO 8601 in UTC, sizes in bytes. Where no daemon runs, what only it knows is null. */
export interface StatusReport {
  readonly running: boolean;
  /** True where the daemon watches every folder, every destination is open, and every file was taken and delivered, or is about to be. */
  readonly all_well: boolean;
  /** The same in words, as the page shows it. */
  readonly headline: Headline;
  /** What keeps the daemon itself from delivering: its state disk is full, its ledger is damaged. Absent where nothing does. */
  readonly trouble?: { readonly code: FailureCode; readonly message: string; readonly hint: string };
  /** Why the jobs of the PocketBase server are not used, those before them are. Absent where they are used. */
  readonly jobs_rejected?: string;
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
    /** Why it is not watched, and what to do; absent where it is, and where no daemon runs. */
    readonly reason?: string;
    /** Why the folder is polled although it should give events; absent where it is not. */
    readonly events_missing?: string;
    /** There where nothing is sent, only logged what would be. */
    readonly dry_run?: true;
    /** There where the PocketBase server no longer has the job: it runs until a person accepts that. */
    readonly removed_on_server?: true;
    /** When its schedule sends next; null while it sends, and with `schedule: manual`. */
    readonly next_run: string | null;
    /** When the last image was finished, and the usual time between two, seconds; null where that is not known, and where no daemon runs. */
    readonly last_image: string | null;
    readonly usual_interval_seconds: number | null;
    /** True where the last image of tonight is older than five times that, and than a minute. */
    readonly silent: boolean;
    /** Files that were seen and have no delivery yet: not finished, incomplete or rejected. */
    readonly files_waiting: number;
    /** How many of those are given up as incomplete until they change, and how many were rejected. */
    readonly incomplete: number | null;
    readonly rejected: number | null;
    /** How many of the rejected are folders that cannot be listed; absent where none is. */
    readonly folders_rejected?: number;
    /** Large files that are sent while they are still being written, with `growing_files`; absent where there are none. */
    readonly growing?: readonly GrowingStatus[];
    /** The first hundred of those two. */
    readonly not_sent: readonly NotSent[];
    /** The files that are there where the patterns have wanted none so far; null otherwise, and where no daemon runs. */
    readonly unmatched: Unmatched | null;
    /**
     * The files that `newer_than` leaves aside, as the last scan found them: those that were last changed before `older_than`, and how to
     * send them. Absent without the key, before the first scan, and where no daemon runs.
     */
    readonly left_aside?: {
      readonly files: number;
      readonly bytes: number;
      readonly older_than: string;
      readonly message: string;
      readonly hint: string;
    };
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
    /** The limit in force, bytes per second; there where there is one. */
    readonly bandwidth_limit?: number;
    /** There where a mirror waits for a person before it removes files: how many, why, and the command that allows it. */
    readonly removals_held?: { readonly files: number; readonly reason: string; readonly accept: string };
    /** There where it is audited. */
    readonly audit?: AuditStatus;
    /** There where its folder was not, and was made since the start. */
    readonly folder_made?: true;
  })[];
  /** Hooks that events wait for; absent where none do. */
  readonly hooks?: readonly { readonly job: string; readonly hook: string; readonly waiting: number }[];
  readonly deliveries: Counts;
}

/** The audits of a destination: `audit` in its configuration. The numbers are those of the audit that runs, or of the last one. */
export interface AuditStatus {
  readonly every_seconds: number;
  readonly sample_percent: number;
  /** Whether what is damaged or has vanished is sent again by itself. */
  readonly repair: boolean;
  /** `waiting`: for the next one, or for the first. */
  readonly state: "running" | "waiting";
  /** Null before the first. */
  readonly begun_at: string | null;
  readonly ended_at: string | null;
  /** Null while one runs. */
  readonly next_at: string | null;
  /** How many files it is to look at, and how many it has. */
  readonly files: number;
  readonly checked: number;
  /** What it found; `unproven`: only the size could be compared. */
  readonly equal: number;
  readonly unproven: number;
  readonly damaged: number;
  readonly vanished: number;
  /** Other bytes, and somebody may have written to the file since it was delivered: left alone. */
  readonly changed: number;
  readonly unreadable: number;
  /** Of those damaged and vanished. */
  readonly sent_again: number;
}

/** A file that is sent while it is still being written; `path` is absolute. */
interface GrowingStatus {
  readonly path: string;
  /** So far. */
  readonly size: number;
  /** True where it has not grown for `growth_timeout_seconds` as far as every destination knows. */
  readonly stalled: boolean;
  /** How much of it is at which destination. */
  readonly sent: readonly { readonly destination: string; readonly bytes: number }[];
}

/** A file that was seen and is not sent; `path` is absolute. */
export interface NotSent {
  readonly path: string;
  readonly reason: "incomplete" | "rejected";
  readonly size: number;
  readonly message: string;
  readonly hint: string;
}
