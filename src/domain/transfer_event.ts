/** The one event stream. The pipeline tells what happens; log, metrics, hooks, console and page listen. */
import type { AuditRun, AuditVerdict } from "./audit.ts";
import type { Delivery, DestinationState } from "./delivery.ts";
import type { HookEventName } from "./hook.ts";
import type { FleetMember } from "./fleet.ts";
import type { FailureRecord } from "./failure.ts";

type Happened<Type extends string, Data = unknown> = { readonly type: Type } & Readonly<Data>;

/** Something that happened. Times in milliseconds since 1970 UTC, sizes in bytes. */
export type TransferEvent =
  & { readonly at: number }
  & (
    | Happened<"started", { version: string; pid: number }>
    | Happened<"stopping", { reason: string }>
    | Happened<"stopped">
    | Happened<"reloaded">
    /** What keeps the daemon itself from delivering; null when it is over. */
    | Happened<"trouble", { failure: FailureRecord | null }>
    | Happened<"reload_refused", { message: string }>
    | Happened<"watching", { job: string; folder: string; how: "events" | "poll" }>
    | Happened<"not_watching", { job: string; folder: string; failure: FailureRecord }>
    | Happened<"scanned", { job: string; files: number; admitted: number; milliseconds: number }>
    | Happened<"created" | "changed" | "removed", {
      job: string;
      path: string;
      /** There where the job has no destination: that is all it does. */
      isAll?: true;
    }>
    | Happened<"growing", { job: string; path: string; size: number; declared: number | null }>
    /** So much of a file that is still being written is at a destination. */
    | Happened<"ahead", { job: string; path: string; destination: string; bytes: number }>
    | Happened<"incomplete", {
      job: string;
      path: string;
      reason: string;
      /** Delivered all the same (`deliver_incomplete`). */
      sent?: true;
    }>
    | Happened<"ready", { job: string; path: string; size: number }>
    | Happened<"refused", { job: string; path: string; failure: FailureRecord }>
    | Happened<"queued" | "sending" | "deferred" | "failed", { delivery: Delivery }>
    /** `found`: the same file was there before anything was sent. */
    | Happened<"delivered", { delivery: Delivery; found?: true }>
    | Happened<"progress", { delivery: Delivery; bytes: number }>
    | Happened<"removed_source", { job: string; path: string }>
    /** A mirror removed it at its destination; `where` says where it is kept, empty where nowhere. */
    | Happened<"removed_there", { delivery: Delivery; where: string }>
    | Happened<"destination", { job: string; name: string; now: DestinationState; before: DestinationState }>
    /** A call of a hook. `given_up`: it is not called again for this event. `late`: it is called again later. */
    | Happened<"hook", {
      job: string;
      hook: string;
      on: HookEventName;
      result: "ok" | "late" | "given_up";
      /** Calls for this event so far. */
      tries: number;
      /** What it printed, or why it failed; empty where there is nothing to say. */
      said: string;
    }>
    | Happened<"audit_found", {
      delivery: Delivery;
      verdict: Exclude<AuditVerdict, "equal" | "unproven">;
      /** A sentence without a full stop. */
      reason: string;
      isSentAgain: boolean;
    }>
    | Happened<"audited", { job: string; destination: string; run: AuditRun }>
    /** The morning report was made; `text` is what people read. */
    | Happened<"report", { text: string }>
    | Happened<"run_started", { job: string; trigger: RunTrigger; waiting: number }>
    | Happened<"run_ended", {
      job: string;
      delivered: number;
      failed: number;
      /** Left for the next run. */
      waiting: number;
      milliseconds: number;
      /** When the next run begins; null if only a person knows. */
      next: number | null;
    }>
    | Happened<"session", { name: string; about: string }>
    | Happened<"swept", { name: string; count: number }>
    /** A request to the PocketBase server has ended; `result` is `unreachable` where there was no answer. */
    | Happened<"pocketbase", { collection: string; result: "ok" | "error" | "unreachable"; milliseconds: number }>
    | Happened<"fleet", { members: readonly FleetMember[] }>
    /** Why the jobs of the PocketBase server are not used; empty where they are. */
    | Happened<"server_jobs", { rejected: string }>
    /** How many log lines wait for their upload now, and whether the last upload failed. */
    | Happened<"log_upload", { waiting: number; failed: boolean }>
    | Happened<"notice", { level: "debug" | "info" | "warning" | "error"; message: string; error?: unknown }>
  );

/** What began a run of a job: its schedule, or a person with `image-transfer sync`. */
export type RunTrigger = "schedule" | "asked";

/** An event before its time is stamped on it. */
export type NewEvent = TransferEvent extends infer E ? E extends TransferEvent ? Omit<E, "at"> : never : never;

/** Tells the stream what happened. Never throws, never waits. */
export type Emit = (event: NewEvent) => void;
