/**
 * What an audit works with while a session is open.
 *
 * @module
 */
import type { AuditPlan } from "../../domain/audit.ts";
import type { OpenSession } from "../batch.ts";

export interface Auditing extends OpenSession {
  readonly plan: AuditPlan;
  /** Aborted when the session is over. */
  readonly over: AbortSignal;
}
