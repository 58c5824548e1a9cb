/**
 * Audits one destination while a session is open: one file at a time, while nothing is sent. Where it is lies in the ledger, so a
 * restart goes on; a kill costs the files of a few seconds, which are looked at again.
 */
import { AUDIT_VERDICTS, type AuditPlan, type AuditVerdict, checkedIn, isTouched, nextAudit } from "../../domain/audit.ts";
import { failureRecord, isOutage } from "../../domain/failure.ts";
import type { AuditState, DeliveryRow } from "../../ledger/history.ts";
import type { AuditFinding } from "../../ledger/outbox_ledger.ts";
import type { OpenSession, Workers } from "../batch.ts";
import type { DestinationContext } from "../destination_context.ts";
import type { Digest } from "../../domain/receipt.ts";
import { demandKnownPlace } from "../mount.ts";
import { verifyAgain, whyNotAgain } from "./verify_again.ts";

/** What it works with while a session is open. */
interface Auditing extends OpenSession, Pick<Workers, "over"> {
  readonly plan: AuditPlan;
}

const MINUTE = 60_000;
const BUSY_AGAIN_MS = 1_000;
/** Where something is sent all the time, one file is looked at after this long. */
const SHARE_MS = MINUTE;
/** Pause after each file; at least as long as the file took. */
const PAUSE_MS = 50;
/** Files between two records; fewer where they take long. */
const PAGE = 50;
const RECORD_EVERY_MS = 5_000;

/** Works until the session is over. Never throws. */
export async function audit(open: OpenSession, { fail, over }: Workers): Promise<void> {
  const { context } = open;
  const { destination: { audit: plan }, system, once, bell } = context;
  if (plan === null || once) return;
  const auditing: Auditing = { ...open, plan, over };
  while (!over.aborted) {
    try {
      const state = current(context, plan);
      if (state.endedAt === null) await runAudit(auditing, state);
      else await bell.wait(Math.min(MINUTE, Math.max(0, nextAudit(state, plan, system.now()) - system.now())), over);
    } catch (error) {
      if (over.aborted) return;
      const failure = failureRecord(error);
      if (failure.code === "internal") context.emit({ type: "notice", level: "error", message: failure.message, error });
      return fail(failure);
    }
  }
}

/** Whether one runs, or begins as soon as nothing is sent. */
export function isAuditDue({ state: { audit }, system, ledger, job, destination }: DestinationContext, plan: AuditPlan): boolean {
  const last = audit.run ??= ledger.auditOf(job.name, destination.name);
  return last === null || last.endedAt === null || audit.asked || nextAudit(last, plan, system.now()) <= system.now();
}

/** The audit that runs; the last one where none is due. */
function current(context: DestinationContext, plan: AuditPlan): AuditState {
  const { state: { audit }, system, ledger, job, destination } = context;
  const now = system.now();
  const isDue = isAuditDue(context, plan);
  const last = audit.run;
  if (last !== null && last.endedAt === null) return last;
  // The clock was set back: what is remembered must not lie in the future.
  if (last !== null && !isDue) return last.begunAt <= now ? last : store(context, { ...last, begunAt: now });
  audit.asked = false;
  const { delivered } = ledger.counts(job.name, destination.name);
  const lookedTo = last?.lookedTo ?? 0;
  return store(context, {
    begunAt: now,
    endedAt: null,
    goal: Math.ceil(delivered * plan.share),
    found: Object.fromEntries(AUDIT_VERDICTS.map((verdict) => [verdict, 0])) as AuditState["found"],
    sentAgain: 0,
    lookedTo,
    lapAt: last === null || lookedTo === 0 ? now : last.lapAt,
  });
}

function store({ state: { audit }, ledger, job, destination, system }: DestinationContext, run: AuditState): AuditState {
  ledger.recordAudit(job.name, destination.name, run, [], system.now());
  return audit.run = run;
}

async function runAudit(auditing: Auditing, from: AuditState): Promise<void> {
  const { context, over } = auditing;
  const { ledger, job, destination, system } = context;
  const { name } = destination;
  // From the first file on, one lap has them all.
  let isLastLap = from.lookedTo === 0;
  let state = from;
  while (!over.aborted && checkedIn(state) < state.goal) {
    const left = Math.min(PAGE, state.goal - checkedIn(state));
    const turn = ledger.auditTurn(job.name, name, state.lookedTo, state.lapAt, left);
    state = await lookAtAll(auditing, turn.rows, state);
    if (over.aborted) return;
    if (turn.lookedTo !== null) state = { ...state, lookedTo: turn.lookedTo };
    else {
      state = { ...state, lookedTo: 0, lapAt: system.now() };
      if (isLastLap) break;
      isLastLap = true;
    }
    context.state.audit.run = state;
    await system.sleep(0, over);
  }
  if (over.aborted) return;
  const endedAt = system.now();
  store(context, { ...state, endedAt });
  context.emit({ type: "audited", job: job.name, destination: name, run: { ...state, endedAt } });
}

/** Looks at files, while nothing else is sent, and records what it found, some at a time. */
async function lookAtAll(auditing: Auditing, rows: readonly DeliveryRow[], from: AuditState): Promise<AuditState> {
  const { context, over } = auditing;
  const { system, ledger, job, destination } = context;
  const isBusy = () => context.state.batches > 0 || (ledger.nextDue(job.name, destination.name) ?? Infinity) <= system.now();
  let state = from;
  let looks: Looked[] = [];
  let recordedAt = system.monotonic();
  try {
    for (const row of rows) {
      const since = system.monotonic();
      while (!over.aborted && isBusy() && system.monotonic() - since < SHARE_MS) await system.sleep(BUSY_AGAIN_MS, over);
      if (over.aborted) break;
      const began = system.monotonic();
      looks.push(await lookAt(auditing, row));
      const now = system.monotonic();
      if (now - recordedAt > RECORD_EVERY_MS) {
        state = await recordLooks(auditing, looks, state);
        [looks, recordedAt] = [[], now];
      }
      await system.sleep(Math.max(PAUSE_MS, now - began), over);
    }
  } finally {
    // Also where the destination went away in the middle: what was seen before that was there.
    state = await recordLooks(auditing, looks, state);
  }
  return state;
}

interface Looked {
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
async function lookAt(auditing: Auditing, row: DeliveryRow): Promise<Looked> {
  const { context, over } = auditing;
  try {
    const first = verifyAgain(row, await digest(auditing, row));
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
  const { verdict, reason } = verifyAgain(row, await digest(auditing, row));
  if (verdict === "equal" || verdict === "unproven") return { verdict, reason: reason ?? "" };
  // FTP says the same of what may not be read and of what is not there.
  if (verdict === "missing") return { verdict: "unreadable", reason: "It is there, but cannot be read" };
  const { delivery: { target, source }, deliveredAt } = row;
  const mtimeMs = await session.modifiedAt(target, over);
  const sentence = (reason ?? "").replace(/^./, (first) => first.toUpperCase());
  return { verdict: isTouched(mtimeMs, source, deliveredAt) ? "changed" : "damaged", reason: sentence };
}

/** Files that one audit sends again without asking: where more are damaged or gone, somebody should look first. */
const MOST_SENT_AGAIN = 100;

/** In one transaction with where the audit is. */
async function recordLooks(auditing: Auditing, looks: readonly Looked[], from: AuditState): Promise<AuditState> {
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
  const message = verdict === "vanished" ? said : `${said}: ${reason.replace(/^./, (first) => first.toLowerCase())}`;
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
      if (row === undefined || rival.id === row.delivery.id) continue;
      // What is on its way may be published at any moment.
      const laterMs = rival.deliveredAt === null || row.deliveredAt === null ? Infinity : rival.deliveredAt - row.deliveredAt;
      if (laterMs > 0 || (laterMs === 0 && rival.id > row.delivery.id)) replaced.add(row.delivery.id);
    }
    after = some.lookedTo;
    await system.sleep(0);
  }
  const still = ledger.query({ ids: rows.map(({ delivery }) => delivery.id), states: ["delivered"] });
  const known = new Set(still.map(({ delivery }) => delivery.id));
  for (const { delivery } of rows) if (!known.has(delivery.id)) replaced.add(delivery.id);
  return replaced;
}
