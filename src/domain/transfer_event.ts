/** The one event stream. The pipeline tells what happens; log, metrics, hooks, console and page listen. */
import type { AuditRun, AuditVerdict } from "./audit.ts";
import type { Delivery, DestinationState } from "./delivery.ts";
import type { HookEventName } from "./hook.ts";
import type { FleetMember } from "./fleet.ts";
import type { FailureRecord } from "./failure.ts";

/** Something that happened. Times in milliseconds since 1970 UTC, sizes in bytes. */
export type TransferEvent =
  & { readonly at: number }
  & (
    | { readonly type: "started"; readonly version: string; readonly pid: number }
    | { readonly type: "stopping"; readonly reason: string }
    | { readonly type: "stopped" }
    | { readonly type: "reloaded" }
    /** What keeps the daemon itself from delivering; null when it is over. */
    | { readonly type: "trouble"; readonly failure: FailureRecord | null }
    | { readonly type: "reload_refused"; readonly message: string }
    | { readonly type: "watching"; readonly job: string; readonly folder: string; readonly how: "events" | "poll" }
    | { readonly type: "not_watching"; readonly job: string; readonly folder: string; readonly failure: FailureRecord }
    | {
      readonly type: "scanned";
      readonly job: string;
      readonly files: number;
      readonly admitted: number;
      readonly milliseconds: number;
    }
    | {
      readonly type: "created" | "changed" | "removed";
      readonly job: string;
      readonly path: string;
      /** There where the job has no destination: that is all it does. */
      readonly isAll?: true;
    }
    | {
      readonly type: "growing";
      readonly job: string;
      readonly path: string;
      readonly size: number;
      readonly declared: number | null;
    }
    /** So much of a file that is still being written is at a destination. */
    | {
      readonly type: "ahead";
      readonly job: string;
      readonly path: string;
      readonly destination: string;
      readonly bytes: number;
    }
    | {
      readonly type: "incomplete";
      readonly job: string;
      readonly path: string;
      readonly reason: string;
      /** Delivered all the same (`deliver_incomplete`). */
      readonly sent?: true;
    }
    | { readonly type: "ready"; readonly job: string; readonly path: string; readonly size: number }
    | { readonly type: "refused"; readonly job: string; readonly path: string; readonly failure: FailureRecord }
    | { readonly type: "queued" | "sending" | "deferred" | "failed"; readonly delivery: Delivery }
    /** `found`: the same file was there before anything was sent. */
    | { readonly type: "delivered"; readonly delivery: Delivery; readonly found?: true }
    | { readonly type: "progress"; readonly delivery: Delivery; readonly bytes: number }
    | { readonly type: "removed_source"; readonly job: string; readonly path: string }
    /** A mirror removed it at its destination; `where` says where it is kept, empty where nowhere. */
    | { readonly type: "removed_there"; readonly delivery: Delivery; readonly where: string }
    | {
      readonly type: "destination";
      readonly job: string;
      readonly name: string;
      readonly now: DestinationState;
      readonly before: DestinationState;
    }
    /** A call of a hook. `given_up`: it is not called again for this event. `late`: it is called again later. */
    | {
      readonly type: "hook";
      readonly job: string;
      readonly hook: string;
      readonly on: HookEventName;
      readonly result: "ok" | "late" | "given_up";
      /** Calls for this event so far. */
      readonly tries: number;
      /** What it printed, or why it failed; empty where there is nothing to say. */
      readonly said: string;
    }
    /** An audit found a delivered file that is not as it was delivered. */
    | {
      readonly type: "audit_found";
      readonly delivery: Delivery;
      readonly verdict: Exclude<AuditVerdict, "equal" | "unproven">;
      /** A sentence without a full stop. */
      readonly reason: string;
      readonly isSentAgain: boolean;
    }
    /** An audit has ended. */
    | { readonly type: "audited"; readonly job: string; readonly destination: string; readonly run: AuditRun }
    /** The morning report was made; `text` is what people read. */
    | { readonly type: "report"; readonly text: string }
    | { readonly type: "run_started"; readonly job: string; readonly trigger: RunTrigger; readonly waiting: number }
    | {
      readonly type: "run_ended";
      readonly job: string;
      readonly delivered: number;
      readonly failed: number;
      /** Left for the next run. */
      readonly waiting: number;
      readonly milliseconds: number;
      /** When the next run begins; null if only a person knows. */
      readonly next: number | null;
    }
    | { readonly type: "session"; readonly name: string; readonly about: string }
    | { readonly type: "swept"; readonly name: string; readonly count: number }
    /** A request to the PocketBase server has ended; `result` is `unreachable` where there was no answer. */
    | {
      readonly type: "pocketbase";
      readonly collection: string;
      readonly result: "ok" | "error" | "unreachable";
      readonly milliseconds: number;
    }
    /** What the computers of the fleet last reported. */
    | { readonly type: "fleet"; readonly members: readonly FleetMember[] }
    /** Why the jobs of the PocketBase server are not used; empty where they are. */
    | { readonly type: "server_jobs"; readonly rejected: string }
    /** How many log lines wait for their upload now, and whether the last upload failed. */
    | { readonly type: "log_upload"; readonly waiting: number; readonly failed: boolean }
    | {
      readonly type: "notice";
      readonly level: "debug" | "info" | "warning" | "error";
      readonly message: string;
      readonly error?: unknown;
    }
  );

/** What began a run of a job: its schedule, or a person with `image-transfer sync`. */
export type RunTrigger = "schedule" | "asked";

/** An event before its time is stamped on it. */
export type NewEvent = TransferEvent extends infer E ? E extends TransferEvent ? Omit<E, "at"> : never : never;

/** Tells the stream what happened. Never throws, never waits. */
export type Emit = (event: NewEvent) => void;
