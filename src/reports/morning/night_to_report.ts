/**
 * Which night a report is about when none is named.
 *
 * @module
 */
import type { Job } from "../../config/settings.ts";
import type { History } from "../../ledger/history.ts";
import { tonightOf } from "../night/night_summary.ts";

const HALF_A_DAY = 12 * 3_600_000;

/** The night of this moment where it has images; else the one that ended last: in the morning they are the same. */
export function nightToReport(ledger: Pick<History, "nights">, jobs: readonly Job[], now: number): string {
  const night = (at: number) => tonightOf(jobs.map((job) => ({ job })), at);
  return ledger.nights().includes(night(now)) ? night(now) : night(now - HALF_A_DAY);
}
