/**
 * What becomes of what an audit has seen: recorded, sent again, or left to a person.
 *
 * @module
 */
import type { DeliveryRow } from "../../ledger/history.ts";
import type { AuditFinding, AuditState } from "../../ledger/audit_ledger.ts";
import type { Auditing } from "./auditing.ts";
import type { Looked } from "./look_at.ts";
import { whyNotAgain } from "./reprove.ts";

/** Files that one audit sends again by itself: where more are damaged or gone, somebody should look first. */
const MOST_SENT_AGAIN = 100;

/** In one transaction with where the audit is. */
export async function recordLooks(auditing: Auditing, looks: readonly Looked[], from: AuditState): Promise<AuditState> {
  const { context } = auditing;
  const { ledger, job, destination, system, emit, state: { audit } } = context;
  const last = looks.at(-1);
  if (last === undefined) return from;
  const notMine = await replacedNow(looks, auditing);
  const findings: AuditFinding[] = [];
  const found = { ...from.found };
  let again = from.sentAgain;
  for (const look of looks) {
    if (notMine.has(look.row.delivery.id)) continue;
    const finding = await findingOf(look, again, auditing);
    if (finding.then === "send_again") again++;
    found[finding.verdict]++;
    findings.push(finding);
  }
  const next: AuditState = { ...from, found, lookedTo: last.row.delivery.id };
  const queued = new Set(ledger.recordAudit(job.name, destination.name, next, findings, system.now()));
  for (const { id, verdict, reason, then } of findings) {
    if (verdict === "equal" || verdict === "unproven") continue;
    const { delivery } = looks.find(({ row }) => row.delivery.id === id)!.row;
    const isSentAgain = then === "send_again" && queued.has(id);
    emit({ type: "audit_found", delivery, verdict, reason, isSentAgain });
  }
  if (queued.size > 0) context.bell.ring();
  return audit.run = { ...next, sentAgain: from.sentAgain + queued.size };
}

async function findingOf({ row, verdict, reason }: Looked, again: number, auditing: Auditing): Promise<AuditFinding> {
  const { context: { system, sourceAway, destination: { name, onConflict } }, plan } = auditing;
  const { id, source } = row.delivery;
  if (verdict !== "damaged" && verdict !== "vanished") return { id, verdict, reason, then: "list", hint: "" };
  const whyNot = await sourceAway() ? "its watched folder is not there" : await whyNotAgain(source, system);
  const said = `It was delivered to ${name}, but ${verdict === "vanished" ? "is no longer there" : "is damaged there"}`;
  const message = verdict === "vanished" ? said : `${said}: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`;
  if (whyNot !== null) {
    const hint = `It cannot be sent again: ${whyNot}. Look for a copy at another destination or in a backup.`;
    return { id, verdict, reason: message, then: "fail", hint };
  }
  // The damaged file keeps the name where nothing may be replaced.
  const isTaken = verdict === "damaged" && (onConflict === "skip" || onConflict === "fail");
  if (plan.repair && !isTaken && again < MOST_SENT_AGAIN) return { id, verdict, reason: message, then: "send_again", hint: "" };
  const first = isTaken ? "Move the damaged file away there, then run" : "To send it again, run";
  return { id, verdict, reason: message, then: "fail", hint: `${first}: image-transfer retry ${id}` };
}

/** Of what is not as delivered: those whose name another delivery has, or was given meanwhile. */
async function replacedNow(looks: readonly Looked[], { context }: Auditing): Promise<ReadonlySet<number>> {
  const { ledger, job, destination, system } = context;
  const rows = looks.filter(({ verdict }) => verdict !== "equal" && verdict !== "unproven").map(({ row }) => row);
  const replaced = new Set<number>();
  if (rows.length === 0) return replaced;
  const mine = new Map(rows.map((row) => [row.delivery.target, row]));
  let after: number | null = 0;
  while (after !== null) {
    const some = ledger.auditRivals(job.name, destination.name, [...mine.keys()], after);
    for (const rival of some.rows) {
      const row = mine.get(rival.target);
      if (row !== undefined && isLater(rival, row)) replaced.add(row.delivery.id);
    }
    after = some.lookedTo;
    await system.sleep(0);
  }
  const still = ledger.query({ ids: rows.map(({ delivery }) => delivery.id), states: ["delivered"] });
  const known = new Set(still.map(({ delivery }) => delivery.id));
  for (const { delivery } of rows) if (!known.has(delivery.id)) replaced.add(delivery.id);
  return replaced;
}

/** What is on its way may be published at any moment. */
function isLater(rival: { readonly id: number; readonly deliveredAt: number | null }, { delivery, deliveredAt }: DeliveryRow) {
  if (rival.id === delivery.id) return false;
  if (rival.deliveredAt === null || deliveredAt === null || rival.deliveredAt > deliveredAt) return true;
  return rival.deliveredAt === deliveredAt && rival.id > delivery.id;
}
