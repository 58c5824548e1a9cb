/**
 * Audits one destination while a session is open: one file at a time, while nothing is sent. Where it is lies in the ledger, so a
 * restart goes on; a kill costs the files of a few seconds, which are looked at again.
 *
 * @module
 */
import { AUDIT_VERDICTS, type AuditPlan, checkedIn, nextAudit } from "../../domain/audit.ts";
import { type FailureRecord, failureRecord } from "../../domain/failure.ts";
import type { AuditState } from "../../ledger/audit_ledger.ts";
import type { DeliveryRow } from "../../ledger/history.ts";
import type { OpenSession } from "../batch.ts";
import type { DestinationContext } from "../destination_context.ts";
import type { Auditing } from "./auditing.ts";
import { lookAt, type Looked } from "./look_at.ts";
import { recordLooks } from "./record_looks.ts";

/** What a session has for this. */
interface Session {
  /** Ends the session because of the destination. */
  readonly fail: (failure: FailureRecord) => void;
  /** Aborted when it is over. */
  readonly over: AbortSignal;
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
export async function audit(open: OpenSession, { fail, over }: Session): Promise<void> {
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

/** Until it has ended, or the session is over. */
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

/** Looks at files and records what it found, some at a time. */
async function lookAtAll(auditing: Auditing, rows: readonly DeliveryRow[], from: AuditState): Promise<AuditState> {
  const { context: { system }, over } = auditing;
  let state = from;
  let looks: Looked[] = [];
  let recordedAt = system.monotonic();
  try {
    for (const row of rows) {
      if (!await myTurn(auditing)) break;
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

/** Waits while files are sent, but not for ever; false where the session is over. */
async function myTurn({ context, over }: Auditing): Promise<boolean> {
  const { system } = context;
  const since = system.monotonic();
  while (!over.aborted && isBusy(context) && system.monotonic() - since < SHARE_MS) await system.sleep(BUSY_AGAIN_MS, over);
  return !over.aborted;
}

function isBusy({ state, ledger, job, destination, system }: DestinationContext): boolean {
  if (state.batches > 0) return true;
  const due = ledger.nextDue(job.name, destination.name);
  return due !== null && due <= system.now();
}
