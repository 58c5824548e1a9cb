/**
 * One look of an audit at one file.
 *
 * @module
 */
import { type AuditVerdict, isTouched } from "../../domain/audit.ts";
import { failureRecord, isOutage } from "../../domain/failure.ts";
import type { Digest } from "../../domain/receipt.ts";
import type { DeliveryRow } from "../../ledger/history.ts";
import { demandKnownPlace } from "../mount.ts";
import type { Auditing } from "./auditing.ts";
import { reprove } from "./reprove.ts";

/** What was seen. */
export interface Looked {
  readonly row: DeliveryRow;
  readonly verdict: AuditVerdict;
  /** A sentence without a full stop; empty with `equal`. */
  readonly reason: string;
}

/**
 * Hashes it at its destination; what is not equal is looked at twice.
 *
 * @throws {Failure} an outage of the destination: nothing is known of the file.
 */
export async function lookAt(auditing: Auditing, row: DeliveryRow): Promise<Looked> {
  const { context, over } = auditing;
  try {
    const first = reprove(row, await digest(auditing, row));
    const seen = first.verdict === "equal" || first.verdict === "unproven"
      ? { verdict: first.verdict, reason: first.reason ?? "" }
      : await lookAgain(auditing, row);
    context.state.audit.doubted = null;
    return { row, ...seen };
  } catch (error) {
    if (over.aborted) throw error;
    const failure = failureRecord(error);
    const { id } = row.delivery;
    // A bad sector may look like an outage, but only the file that lies there does so again.
    const isItsOwn = !isOutage(failure) || (failure.next !== "hold" && context.state.audit.doubted === id);
    if (!isItsOwn) context.state.audit.doubted = id;
    if (!isItsOwn || failure.code === "internal") throw error;
    context.state.audit.doubted = null;
    return { row, verdict: "unreadable", reason: failure.message };
  }
}

async function digest({ session, over }: Auditing, { delivery: { target, source } }: DeliveryRow): Promise<Digest | null> {
  const [found = null] = await session.digest([target], source.size, over, "calm");
  return found;
}

/** Read errors pass; another disk in the same place must not look like a thousand vanished files. */
async function lookAgain(auditing: Auditing, row: DeliveryRow): Promise<Omit<Looked, "row">> {
  const { session, context, over } = auditing;
  const { destination, ledger } = context;
  await demandKnownPlace(session, { destination, ledger }, over);
  const [stat = null] = await session.survey([row.delivery.target], over);
  if (stat === null) return { verdict: "vanished", reason: "It is no longer there" };
  if (stat.kind !== "file") return { verdict: "changed", reason: `There is a ${stat.kind} in its place` };
  const { verdict, reason } = reprove(row, await digest(auditing, row));
  if (verdict === "equal" || verdict === "unproven") return { verdict, reason: reason ?? "" };
  // FTP says the same of what may not be read and of what is not there.
  if (verdict === "missing") return { verdict: "unreadable", reason: "It is there, but cannot be read" };
  const { delivery: { target, source }, deliveredAt } = row;
  const mtimeMs = await session.modifiedAt(target, over);
  return { verdict: isTouched(mtimeMs, source, deliveredAt) ? "changed" : "damaged", reason: capital(reason ?? "") };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
