/** What audits ask of the ledger: which delivered files have their turn, how far an audit is, and what it found. */
import type { AuditRun, AuditVerdict } from "../domain/audit.ts";
import type { DeliveryRow } from "./history.ts";

/** An audit and where it is. All files have their turn in a lap, in the order of queueing; it may take many audits. */
export interface AuditState extends AuditRun {
  /** The delivery that was looked at last; 0 at the beginning of a lap. */
  readonly lookedTo: number;
  /** When the lap began: what was proved since then is not looked at in it. Milliseconds since 1970 UTC. */
  readonly lapAt: number;
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

/** A file that was not as delivered when it was last looked at. */
export interface AuditedRow extends DeliveryRow {
  readonly verdict: Exclude<AuditVerdict, "equal" | "unproven">;
  readonly reason: string;
  /** When it was looked at, milliseconds since 1970 UTC. */
  readonly auditedAt: number;
}

/** The rows that have their turn, and how far the ledger was searched for them; null: to its end. */
interface AuditTurn {
  readonly rows: readonly DeliveryRow[];
  readonly lookedTo: number | null;
}

/** What may be read beside a daemon. */
export interface AuditHistory {
  /** The audit of a destination that runs, or the last one; null before the first. */
  auditOf(job: string, destination: string): AuditState | null;
  /**
   * What is not as delivered as far as is known: damaged, vanished, changed or unreadable, without what was sent again since. The last
   * one looked at first.
   */
  auditFindings(job: string, destination: string, limit: number): AuditedRow[];
}

/** Every change is one transaction, durable on return. */
export interface AuditLedger extends AuditHistory {
  /**
   * The next delivered files after this one that were last proved before `before`; each call searches a bounded part of the ledger.
   * Without those whose name was given to a newer version of the file.
   */
  auditTurn(job: string, destination: string, after: number, before: number, limit: number): AuditTurn;
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
   * A person knows: what was damaged or has vanished is recorded as `gone`, which is no trouble, and the rest is no longer listed.
   * Returns how many.
   */
  acceptAudit(job: string, destination: string): number;
}
