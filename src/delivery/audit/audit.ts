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

const MINUTE = 60_000;
const BUSY_AGAIN_MS = 1_000;
/** Where something is sent all the time, one file is looked at after this long. */
const SHARE_MS = MINUTE;
/** Pause after each file; at least as long as the file took. */
const PAUSE_MS = 50;
/** Files between two records; fewer where they take long. */
const PAGE = 50;
const RECORD_EVERY_MS = 5_000;
/** Files that one audit sends again without asking: where more are damaged or gone, somebody should look first. */
const MOST_SENT_AGAIN = 100;

interface Looked {
  readonly row: DeliveryRow;
  readonly verdict: AuditVerdict;
  /** A sentence without a full stop; empty with `equal`. */
  readonly reason: string;
}

/** Works until the session is over. Never throws. */
export async function audit(open: OpenSession, workers: Workers): Promise<void> {
  const { once, destination: { audit: plan } } = open.context;
  if (plan !== null && !once) await audits(open, plan, workers);
}

/** Whether one runs, or begins as soon as nothing is sent. */
export function isAuditDue({ state: { audit }, system, ledger, job, destination }: DestinationContext, plan: AuditPlan): boolean {
  const last = audit.run ??= ledger.auditOf(job.name, destination.name);
  return last === null || last.endedAt === null || audit.asked || nextAudit(last, plan, system.now()) <= system.now();
}

async function audits({ context, session }: OpenSession, plan: AuditPlan, { fail, over }: Workers): Promise<void> {
  const { destination, job, system, ledger, bell, emit, sourceAway, state: { audit: auditing } } = context;
  const { name, onConflict } = destination;
  while (!over.aborted) {
    try {
      const state = current();
      if (state.endedAt === null) await runAudit(state);
      else await bell.wait(Math.min(MINUTE, Math.max(0, nextAudit(state, plan, system.now()) - system.now())), over);
    } catch (error) {
      if (over.aborted) return;
      const failure = failureRecord(error);
      if (failure.code === "internal") emit({ type: "notice", level: "error", message: failure.message, error });
      return fail(failure);
    }
  }

  /** The audit that runs; the last one where none is due. */
  function current(): AuditState {
    const now = system.now();
    const isDue = isAuditDue(context, plan);
    const last = auditing.run;
    if (last !== null && last.endedAt === null) return last;
    // The clock was set back: what is remembered must not lie in the future.
    if (last !== null && !isDue) return last.begunAt <= now ? last : store({ ...last, begunAt: now });
    auditing.asked = false;
    const { delivered } = ledger.counts(job.name, name);
    const lookedTo = last?.lookedTo ?? 0;
    return store({
      begunAt: now,
      endedAt: null,
      goal: Math.ceil(delivered * plan.share),
      found: Object.fromEntries(AUDIT_VERDICTS.map((verdict) => [verdict, 0])) as AuditState["found"],
      sentAgain: 0,
      lookedTo,
      lapAt: last === null || lookedTo === 0 ? now : last.lapAt,
    });
  }

  function store(run: AuditState): AuditState {
    ledger.recordAudit(job.name, name, run, [], system.now());
    return auditing.run = run;
  }

  async function runAudit(from: AuditState): Promise<void> {
    // From the first file on, one lap has them all.
    let isLastLap = from.lookedTo === 0;
    let state = from;
    while (!over.aborted && checkedIn(state) < state.goal) {
      const left = Math.min(PAGE, state.goal - checkedIn(state));
      const turn = ledger.auditTurn(job.name, name, state.lookedTo, state.lapAt, left);
      state = await lookAtAll(turn.rows, state);
      if (over.aborted) return;
      if (turn.lookedTo !== null) state = { ...state, lookedTo: turn.lookedTo };
      else {
        state = { ...state, lookedTo: 0, lapAt: system.now() };
        if (isLastLap) break;
        isLastLap = true;
      }
      auditing.run = state;
      await system.sleep(0, over);
    }
    if (over.aborted) return;
    const endedAt = system.now();
    store({ ...state, endedAt });
    emit({ type: "audited", job: job.name, destination: name, run: { ...state, endedAt } });
  }

  /** Looks at files, while nothing else is sent, and records what it found, some at a time. */
  async function lookAtAll(rows: readonly DeliveryRow[], from: AuditState): Promise<AuditState> {
    const isBusy = () => context.state.batches > 0 || (ledger.nextDue(job.name, name) ?? Infinity) <= system.now();
    let state = from;
    let looks: Looked[] = [];
    let recordedAt = system.monotonic();
    try {
      for (const row of rows) {
        const since = system.monotonic();
        while (!over.aborted && isBusy() && system.monotonic() - since < SHARE_MS) await system.sleep(BUSY_AGAIN_MS, over);
        if (over.aborted) break;
        const began = system.monotonic();
        looks.push(await lookAt(row));
        const now = system.monotonic();
        if (now - recordedAt > RECORD_EVERY_MS) {
          state = await recordLooks(looks, state);
          [looks, recordedAt] = [[], now];
        }
        await system.sleep(Math.max(PAUSE_MS, now - began), over);
      }
    } finally {
      // Also where the destination went away in the middle: what was seen before that was there.
      state = await recordLooks(looks, state);
    }
    return state;
  }

  /**
   * Hashes it at its destination; what is not equal is looked at twice.
   *
   * @throws {Failure} an outage of the destination: nothing is known of the file.
   */
  async function lookAt(row: DeliveryRow): Promise<Looked> {
    try {
      const first = verifyAgain(row, await digest(row));
      const seen = first.verdict === "equal" || first.verdict === "unproven"
        ? { verdict: first.verdict, reason: first.reason ?? "" }
        : await lookAgain(row);
      auditing.doubted = null;
      return { row, ...seen };
    } catch (error) {
      if (over.aborted) throw error;
      const failure = failureRecord(error);
      const { id } = row.delivery;
      // A bad sector may look like an outage, but only the file that lies there does so again.
      const isItsOwn = !isOutage(failure) || (failure.next !== "hold" && auditing.doubted === id);
      if (!isItsOwn) auditing.doubted = id;
      if (!isItsOwn || failure.code === "internal") throw error;
      auditing.doubted = null;
      return { row, verdict: "unreadable", reason: failure.message };
    }
  }

  async function digest({ delivery: { target, source } }: DeliveryRow): Promise<Digest | null> {
    const [found = null] = await session.digest([target], source.size, over, "calm");
    return found;
  }

  /** Read errors pass; another disk in the same place must not look like a thousand vanished files. */
  async function lookAgain(row: DeliveryRow): Promise<Omit<Looked, "row">> {
    await demandKnownPlace(session, { destination, ledger }, over);
    const [stat = null] = await session.survey([row.delivery.target], over);
    if (stat === null) return { verdict: "vanished", reason: "It is no longer there" };
    if (stat.kind !== "file") return { verdict: "changed", reason: `There is a ${stat.kind} in its place` };
    const { verdict, reason } = verifyAgain(row, await digest(row));
    if (verdict === "equal" || verdict === "unproven") return { verdict, reason: reason ?? "" };
    // FTP says the same of what may not be read and of what is not there.
    if (verdict === "missing") return { verdict: "unreadable", reason: "It is there, but cannot be read" };
    const { delivery: { target, source }, deliveredAt } = row;
    const mtimeMs = await session.modifiedAt(target, over);
    const sentence = (reason ?? "").replace(/^./, (first) => first.toUpperCase());
    return { verdict: isTouched(mtimeMs, source, deliveredAt) ? "changed" : "damaged", reason: sentence };
  }

  /** In one transaction with where the audit is. */
  async function recordLooks(looks: readonly Looked[], from: AuditState): Promise<AuditState> {
    const last = looks.at(-1);
    if (last === undefined) return from;
    const notMine = await replacedNow(looks);
    const findings: AuditFinding[] = [];
    const found = { ...from.found };
    let again = from.sentAgain;
    for (const look of looks) {
      if (notMine.has(look.row.delivery.id)) continue;
      const finding = await findingOf(look, again);
      if (finding.then === "send_again") again++;
      found[finding.verdict]++;
      findings.push(finding);
    }
    const next: AuditState = { ...from, found, lookedTo: last.row.delivery.id };
    const queued = new Set(ledger.recordAudit(job.name, name, next, findings, system.now()));
    for (const { id, verdict, reason, then } of findings) {
      if (verdict === "equal" || verdict === "unproven") continue;
      const { delivery } = looks.find(({ row }) => row.delivery.id === id)!.row;
      const isSentAgain = then === "send_again" && queued.has(id);
      emit({ type: "audit_found", delivery, verdict, reason, isSentAgain });
    }
    if (queued.size > 0) bell.ring();
    return auditing.run = { ...next, sentAgain: from.sentAgain + queued.size };
  }

  async function findingOf({ row, verdict, reason }: Looked, again: number): Promise<AuditFinding> {
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
  async function replacedNow(looks: readonly Looked[]): Promise<ReadonlySet<number>> {
    const rows = looks.filter(({ verdict }) => verdict !== "equal" && verdict !== "unproven").map(({ row }) => row);
    const replaced = new Set<number>();
    if (rows.length === 0) return replaced;
    const mine = new Map(rows.map((row) => [row.delivery.target, row]));
    let after: number | null = 0;
    while (after !== null) {
      const some = ledger.auditRivals(job.name, name, [...mine.keys()], after);
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
}
