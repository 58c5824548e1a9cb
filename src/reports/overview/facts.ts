/**
 * All that is known of a running daemon at one moment, gathered once: status, headline, page and trouble are made of it.
 *
 * @module
 */
import type { Counts, History } from "../../ledger/history.ts";
import type { Orphan } from "../../ledger/orphans.ts";
import type { NightSummary } from "../api_types.ts";
import { nightSummary, tonightOf } from "../night/night_summary.ts";
import type { About, DaemonState, DestinationNow, JobNow } from "../page_source.ts";
import { type Overview, overviewOf } from "./overview.ts";
import { statusReport } from "./status_report.ts";
import type { StatusReport } from "./status_json.ts";

/** What the ledger counts, and how everything is that runs. */
interface Facts extends About {
  /** Milliseconds since 1970 UTC. */
  readonly now: number;
  readonly jobs: readonly JobNow[];
  readonly destinations: readonly (DestinationNow & { readonly counts: Counts; readonly missingBytes: number | null })[];
  readonly counts: Counts;
  readonly orphans: readonly Orphan[];
  readonly tonight: NightSummary;
}

/** The facts, and what is made of them. */
export interface Judged extends Facts {
  readonly status: StatusReport;
  readonly overview: Overview;
}

/** Gathers and judges; `now` is milliseconds since 1970 UTC. */
export function judged(state: DaemonState, now: number): Judged {
  const { ledger } = state;
  const jobs = state.jobs();
  const destinations = state.destinations().map((one) => {
    const { job, name } = one.destination;
    return { ...one, counts: ledger.counts(job, name), missingBytes: missingBytes(one, ledger) };
  });
  const tonight = nightSummary(state, tonightOf(jobs, now));
  const facts = { ...state.about(), now, jobs, destinations, counts: ledger.counts(), orphans: state.orphans(), tonight };
  const status = statusReport(facts);
  return { ...facts, status, overview: overviewOf(status, facts) };
}

/** Null where the destination is not full, or the size of its disk is not known. */
function missingBytes({ destination, state, freeBytes }: DestinationNow, ledger: Pick<History, "waitingBytes">): number | null {
  if (state.state !== "on_hold" || state.failure.code !== "disk_full" || freeBytes === null) return null;
  const { job, name, minimumFreeBytes, copySafetyMarginBytes } = destination;
  return ledger.waitingBytes(job, name) + minimumFreeBytes + copySafetyMarginBytes - freeBytes;
}
