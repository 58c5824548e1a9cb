/**
 * What delivery asks of the ledger: the queue of each destination, what became of each delivery, which sources may be removed, what is
 * remembered about a destination, what mirrors and audits find there, and the events that must reach hooks.
 */
import type { AuditVerdict } from "../domain/audit.ts";
import type { Delivery } from "../domain/delivery.ts";
import type { DestinationState } from "../domain/delivery.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { KeptEventName } from "../domain/hook.ts";
import type { Receipt } from "../domain/receipt.ts";
import type { SourceFile } from "../domain/source_file.ts";
import type { AuditState, DeliveryRow, History } from "./history.ts";

/** How much one attempt claims at most; it gets less where less is due. */
export interface ClaimRequest {
  readonly job: string;
  readonly destination: string;
  /** By the time of last change of the source file. */
  readonly order: "oldest_first" | "newest_first";
  readonly maxFiles: number;
  /** At least one file is claimed whatever its size. */
  readonly maxBytes: number;
  /** Name of the attempt, stored with each claimed delivery. */
  readonly attempt: string;
  /** What is deferred beyond it is not due. */
  readonly now: number;
}

/** The hash of a version's bytes, read for a delivery; `at` is when the read began. */
export interface BytesRead {
  readonly at: number;
  readonly sha256: string;
}

/** A source file that is verified at every destination. */
export interface Removable {
  readonly versionId: number;
  readonly source: SourceFile;
  /** One per destination. */
  readonly deliveries: readonly Delivery[];
  /** Of these deliveries, in the same order. */
  readonly receipts: readonly Receipt[];
}

/** What an audit found of one delivered file, and what becomes of it. */
export interface AuditFinding {
  readonly id: number;
  readonly verdict: AuditVerdict;
  /** A sentence without a full stop; empty with `equal`. */
  readonly reason: string;
  /**
   * `send_again`: queued. `fail`: recorded as failed, with the code `damaged` or `vanished`. `list`: stays as it is. Both of the former
   * only where it is still delivered.
   */
  readonly then: "list" | "send_again" | "fail";
  /** With `fail`: what would help. */
  readonly hint: string;
}

/** What is remembered of a mirror. */
export interface MirrorState {
  /** The identity of the watched folder when its files were last compared; empty before. */
  readonly root: string;
  /** So many removals were accepted by a person; 0 once they are done. */
  readonly accepted: number;
  /** Removals wait for a person. */
  readonly held: HeldRemovals | null;
  /** Time that has passed for the trash, as far as it is certain, milliseconds; and what the wall clock showed then. */
  readonly clockMs: number;
  readonly wallMs: number;
}

/** Of a mirror that never compared anything. */
export const NEW_MIRROR: MirrorState = { root: "", accepted: 0, held: null, clockMs: 0, wallMs: 0 };

/** Removals that are not made before a person accepts them. */
export interface HeldRemovals {
  readonly files: number;
  /** A sentence without a full stop. */
  readonly reason: string;
}

/** An event that was kept for the hooks; ids grow with time. */
export type HookNote =
  & { readonly id: number; readonly at: number }
  & (
    | { readonly event: "delivered"; readonly delivery: Delivery }
    /** Of a delivery that may have been delivered since. */
    | {
      readonly event: "failed";
      readonly delivery: Delivery;
      readonly failure: Pick<FailureRecord, "code" | "message" | "hint">;
    }
    | { readonly event: "report"; readonly text: string }
  );

/**
 * Every change is one transaction, durable on return. No call ever queues an older version of a file behind a newer one that goes
 * to the same destination. A receipt never changes; only `markGone` and `sendAgain` remove it.
 */
export interface OutboxLedger extends Pick<History, "query" | "each" | "counts" | "auditOf" | "auditFindings"> {
  /**
   * Moves due deliveries to the state `sending` and returns them. No two calls claim the same delivery, not even from two processes;
   * a newer version waits until an older one is no longer being sent.
   */
  claim(request: ClaimRequest): Delivery[];
  /** Deliveries in the state `sending`: after a start, those that an earlier process was sending when it ended. */
  inFlight(job: string, destination: string): Delivery[];
  /**
   * Stores state, method and attempts of these deliveries, all of them or none.
   *
   * @param reads the bytes read for them, by delivery id
   * @param parts the staged names of parts left at the destination, by delivery id; of the others no part is left
   * @returns true if a receipt or a read has other bytes than the version was last seen with: the file was rewritten under the same
   * time while it was sent, and `unknown` lists it under `recheck`.
   */
  record(
    deliveries: readonly Delivery[],
    now: number,
    reads?: ReadonlyMap<number, BytesRead>,
    parts?: ReadonlyMap<number, string>,
  ): boolean;
  /** The parts left of deliveries that are not finished, with their staged names. */
  parts(job: string, destination: string): { readonly delivery: Delivery; readonly staged: string }[];
  /** The hashes that the versions of these deliveries were last seen with, by delivery id; none of what nobody has read yet. */
  hashesOf(deliveries: readonly Delivery[]): ReadonlyMap<number, string>;
  /**
   * When the next deferred delivery is due; 0 if something can be claimed now, null if nothing waits (or only newer versions of
   * what is being sent).
   */
  nextDue(job: string, destination: string): number | null;
  /** Makes all deferred deliveries of a destination due now. */
  makeDue(job: string, destination: string): void;
  /** Targets of delivered files that differ from this one only in case or in the form of accents: for some file systems the same. */
  namesakes(job: string, destination: string, target: string): string[];

  /**
   * Queues failed deliveries again; `null` means all that `isTrouble`. Those named by id may also be deferred. Without those whose
   * file has a newer version. Returns how many.
   */
  requeue(ids: readonly number[] | null, now: number): number;
  /** Queues deliveries again that are delivered or known to be gone; their receipts are removed. Returns their ids. */
  sendAgain(ids: readonly number[], now: number): number[];
  /**
   * Records that delivered files are gone from the destination: failed with the code `gone`. Of their receipts only the time is
   * kept. `reason` is a sentence without a full stop. Returns how many.
   */
  markGone(ids: readonly number[], reason: string, now: number): number;
  /** Ends everything that is queued, being sent, deferred, or failed and `isTrouble`, with this failure. Returns how many. */
  giveUp(job: string, destination: string, failure: FailureRecord, now: number): number;

  /**
   * Source files whose every delivery is `delivered` at the level checksum or read_back, for every one of the destinations, all
   * with the same bytes, with no reread due, and not removed yet (I4). None without destinations. With `only`, those that were found
   * in this watched folder, with higher ids, and this version alone.
   */
  removable(
    job: string,
    destinations: readonly string[],
    limit: number,
    only?: { readonly watchPath: string; readonly after?: number; readonly versionId?: number },
  ): Removable[];
  /**
   * Whether this file is the newest version of its path, and each of the destinations has it: with this hash, as far as theirs is
   * known.
   */
  isDelivered(source: SourceFile, sha256: string | null, destinations: readonly string[]): boolean;
  /** Records that these sources were removed. */
  markRemoved(versionIds: readonly number[], now: number): void;

  /** The device of the base path at first contact; null before it, empty where the method cannot tell. */
  deviceOf(job: string, destination: string): string | null;
  rememberDevice(job: string, destination: string, device: string): void;
  /** Targets there that were found and could not be flushed (`delivery/destination_context.ts`). */
  unflushed(job: string, destination: string): string[];
  rememberUnflushed(job: string, destination: string, targets: readonly string[]): void;
  /** When the last run of a job with a schedule began; null before the first. */
  lastRun(job: string): number | null;
  rememberRun(job: string, at: number): void;
  /** Who paused it, as `pause` was told; null if it is not paused. By name alone: over all jobs. */
  pausedBy(destination: string): string | null;
  /** `by` null resumes it. */
  setPaused(destination: string, by: string | null): void;

  /**
   * Paths after this one, in order, of which one of the destinations has a version, as far as is known, and waits for no newer one;
   * without those that were removed at the source by us.
   */
  keptPaths(
    job: string,
    destinations: readonly string[],
    after: string,
    limit: number,
  ): { readonly path: string; readonly absolutePath: string }[];
  /** The deliveries of the versions of these paths that a destination has, where no newer one is on its way there. */
  keptDeliveries(job: string, destination: string, paths: readonly string[]): Delivery[];
  /** The delivery of the version that this one replaces at its destination, under the same name; null where none was delivered. */
  replacedBy(delivery: Delivery): Delivery | null;
  /** The deliveries that have, or are to have, one of these targets, in any spelling (`nameKey`). Reads every delivery. */
  claimants(job: string, destination: string, targets: readonly string[]): Pick<Delivery, "id" | "source" | "target">[];
  /** Records that delivered files were removed: failed with the code `removed`. A message has no full stop. */
  recordRemovals(
    removals: readonly { readonly id: number; readonly message: string; readonly hint: string }[],
    now: number,
  ): void;
  mirrorOf(job: string, destination: string): MirrorState | null;
  rememberMirror(job: string, destination: string, state: MirrorState): void;
  /** The folders in the trash of a destination, each with the mirror's clock when it was made. */
  trash(job: string, destination: string): { readonly folder: string; readonly bornMs: number }[];
  addTrash(job: string, destination: string, folder: string, bornMs: number): void;
  forgetTrash(job: string, destination: string, folders: readonly string[]): void;

  /**
   * The next delivered files after this one that were last proved before `before`, without those whose name was given to a newer version
   * of the file. Each call searches a bounded part of the ledger, and tells how far, null: to its end.
   */
  auditTurn(job: string, destination: string, after: number, before: number, limit: number): {
    readonly rows: readonly DeliveryRow[];
    readonly lookedTo: number | null;
  };
  /**
   * Deliveries that have, or are to have, one of these targets; each call searches a bounded part of the ledger behind `after`, and
   * tells how far, null: to its end.
   */
  auditRivals(job: string, destination: string, targets: readonly string[], after: number): {
    readonly rows: readonly { readonly id: number; readonly target: string; readonly deliveredAt: number | null }[];
    readonly lookedTo: number | null;
  };
  /** Stores where an audit is, and what it found; returns the ids that were queued. */
  recordAudit(job: string, destination: string, state: AuditState, findings: readonly AuditFinding[], now: number): number[];
  /**
   * Accepts the findings of an audit: damaged and missing files are recorded as `gone` and no longer count as problems; the other findings are
   * dropped. Returns how many were accepted.
   */
  acceptAudit(job: string, destination: string): number;

  /**
   * From now on exactly these events are kept: a delivery that becomes delivered or failed (and `isTrouble`) is noted in the
   * transaction that records it.
   */
  keepForHooks(events: readonly KeptEventName[]): void;
  /** Keeps a report; nothing where reports are not kept. */
  noteReport(text: string, now: number): void;
  /** Notes after this id, oldest first. */
  hookNotes(after: number, limit: number): HookNote[];
  /** The note up to which a hook has been called. A new hook begins with what comes now. */
  hookPosition(hook: string): number;
  /** Moves it on; notes that every hook has been called for are forgotten. */
  advanceHook(hook: string, note: number): void;
  /** Forgets the positions of all other hooks. */
  keepHooks(hooks: readonly string[]): void;
  /** How many notes a hook has not been called for. */
  hookBacklog(hook: string): number;
  /** Forgets the oldest notes beyond so many; returns how many of them some hook has not been called for. */
  boundHookNotes(most: number): number;

  noteState(job: string, destination: string, state: DestinationState["state"], at: number): void;
  /** The daemon runs: everything is open unless it is noted again. Forgets what is older than 90 days. */
  noteRunning(at: number): void;
  noteStopped(at: number): void;
}
