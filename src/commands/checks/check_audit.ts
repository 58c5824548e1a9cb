/**
 * What `doctor` says of the audits of a destination.
 *
 * @module
 */
import type { Destination } from "../../config/settings.ts";
import type { AuditHistory } from "../../ledger/audit_ledger.ts";
import { auditStatus } from "../../reports/overview/audit_status.ts";
import { auditLine } from "../text/status_text.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** Nothing where it is not audited. `now` is milliseconds since 1970 UTC. */
export function checkAudit(
  { job, name, audit, verify }: Pick<Destination, "job" | "name" | "audit" | "verify">,
  about: string,
  ledger: Pick<AuditHistory, "auditOf">,
  now: number,
): Finding[] {
  if (audit === null) return [];
  if (verify !== "checksum") {
    const what = `Audits can compare only sizes here: verify_transfer is ${verify}, so no hash is recorded`;
    return [warning(about, what, "Set verify_transfer: true; files delivered earlier remain without a hash.")];
  }
  const line = auditLine(auditStatus(audit, ledger.auditOf(job, name), now));
  return [ok(about, line.charAt(0).toUpperCase() + line.slice(1))];
}
