/** How the audits of a destination are told: in the status, to the page and to scripts. */
import { type AuditPlan, type AuditRun, checkedIn, nextAudit } from "../../domain/audit.ts";
import type { AuditStatus } from "./status_json.ts";

/** `now` is milliseconds since 1970 UTC. */
export function auditStatus({ everyMs, share, repair }: AuditPlan, run: AuditRun | null, now: number): AuditStatus {
  const isRunning = run !== null && run.endedAt === null;
  return {
    every_seconds: everyMs / 1000,
    sample_percent: Math.round(share * 1e4) / 100,
    repair,
    state: isRunning ? "running" : "waiting",
    begun_at: run === null ? null : iso(run.begunAt),
    ended_at: run === null || run.endedAt === null ? null : iso(run.endedAt),
    next_at: isRunning ? null : iso(run === null ? now : nextAudit(run, { everyMs }, now)),
    files: run?.goal ?? 0,
    checked: run === null ? 0 : checkedIn(run),
    ...run?.found ?? NOTHING,
    sent_again: run?.sentAgain ?? 0,
  };
}

const NOTHING: AuditRun["found"] = { equal: 0, unproven: 0, damaged: 0, vanished: 0, changed: 0, unreadable: 0 };

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
