/**
 * What people read of audits.
 *
 * @module
 */
import { AUDIT_VERDICTS, type AuditRun, checkedIn, NOTHING_TO_CHECK } from "../domain/audit.ts";
import { counted } from "../domain/names/counted.ts";
import { printable } from "../domain/names/printable.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";

/** The beginning of a sentence; the path and the reason follow. */
export function auditFoundText({ delivery, verdict }: Extract<TransferEvent, { type: "audit_found" }>): string {
  return `Audit of ${printable(delivery.destination)}: ${WORDS[verdict]}`;
}

const WORDS = {
  damaged: "damaged there",
  vanished: "no longer there",
  changed: "changed there since it was delivered, perhaps on purpose",
  unreadable: "cannot be read there",
} as const;

export function auditedText({ job, destination, run }: Extract<TransferEvent, { type: "audited" }>): string {
  return `Audit of ${printable(destination)} (job ${printable(job)}) ended: ${foundText(run)}`;
}

/** `1,200 files hashed again, 1 damaged, 2 vanished (3 sent again)`. */
export function foundText(run: Pick<AuditRun, "found" | "sentAgain">): string {
  const { found, sentAgain } = run;
  if (checkedIn(run) === 0) return NOTHING_TO_CHECK;
  const wrong = AUDIT_VERDICTS.filter((verdict) => !FINE.has(verdict) && found[verdict] > 0)
    .map((verdict) => `${found[verdict]} ${verdict}`);
  const rest = isAsDelivered(run)
    ? "all as delivered"
    : `${wrong.join(", ")}${sentAgain > 0 ? ` (${sentAgain} sent again)` : ""}`;
  const bySize = found.unproven > 0 ? `, ${found.unproven} by size only` : "";
  return `${counted(checkedIn(run), "file")} hashed again, ${rest}${bySize}`;
}

/** True where it has found nothing else. */
export function isAsDelivered({ found }: Pick<AuditRun, "found">): boolean {
  return AUDIT_VERDICTS.every((verdict) => FINE.has(verdict) || found[verdict] === 0);
}

const FINE: ReadonlySet<string> = new Set(["equal", "unproven"]);
