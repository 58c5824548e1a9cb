/** Audits: delivered files are hashed again at their destination, in turn, and compared with what was delivered. */
import type { SourceFile } from "./source_file.ts";

export interface AuditPlan {
  readonly everyMs: number;
  /** Of the delivered files, from 0 to 1. */
  readonly share: number;
  /** What is damaged or has vanished is sent again, if its source is still the same file. */
  readonly repair: boolean;
}

/** What `audit: true` and `audit: repair` mean. */
export const AUDIT_PLAN: AuditPlan = { everyMs: 30 * 86_400_000, share: 0.05, repair: false };

/**
 * What one look found. `damaged`: other bytes, and nobody has written to the file since it was delivered. `changed`: other bytes, and
 * somebody may have, on purpose. `unproven`: the size agrees, and no hash was recorded. `unreadable`: it is there.
 */
export const AUDIT_VERDICTS = ["equal", "unproven", "damaged", "vanished", "changed", "unreadable"] as const;

export type AuditVerdict = typeof AUDIT_VERDICTS[number];

/** The audit that runs, or the last one. Times in milliseconds since 1970 UTC. */
export interface AuditRun {
  readonly begunAt: number;
  /** Null while it runs. */
  readonly endedAt: number | null;
  readonly goal: number;
  readonly found: Readonly<Record<AuditVerdict, number>>;
  /** Of those damaged or vanished, how many were queued to be sent again. */
  readonly sentAgain: number;
}

export function checkedIn({ found }: Pick<AuditRun, "found">): number {
  return Object.values(found).reduce((sum, count) => sum + count, 0);
}

/** When the next audit begins; milliseconds since 1970 UTC. What began in the future counts from now: the clock was set back. */
export function nextAudit({ begunAt }: Pick<AuditRun, "begunAt">, { everyMs }: Pick<AuditPlan, "everyMs">, now: number): number {
  return Math.min(begunAt, now) + everyMs;
}

/**
 * Whether somebody may have written to a delivered file at its destination, by its time of modification there. Bytes that rot leave that
 * as it was: the source's, or not later than the delivery. Without a time nobody knows; where the clock there is ahead, too many count.
 */
export function isTouched(
  mtimeMs: number | null,
  { mtimeMs: sourceMs }: Pick<SourceFile, "mtimeMs">,
  deliveredAt: number | null,
): boolean {
  if (mtimeMs === null) return true;
  if (Math.abs(mtimeMs - sourceMs) <= COARSE_MS) return false;
  return deliveredAt === null || mtimeMs > deliveredAt + COARSE_MS;
}

/** FAT keeps every second second. */
const COARSE_MS = 2_000;

/** Of an audit that found no file whose turn it was. */
export const NOTHING_TO_CHECK = "no file was due to be checked";
