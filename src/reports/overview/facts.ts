/** All that is known of a running daemon at one moment, gathered once: status, headline, page and trouble are made of it. */
import type { History } from "../../ledger/history.ts";
import { type Outage, outagesOf } from "../night/night_report.ts";
import { nightSummary, tonightOf } from "../night/night_summary.ts";
import type { DaemonState, DestinationNow } from "../page_source.ts";
import { overviewOf } from "./overview.ts";
import { statusReport } from "./status_report.ts";

export type Judged = ReturnType<typeof judged>;

/** Gathers and judges; `now` is milliseconds since 1970 UTC. */
export function judged(state: DaemonState, now: number) {
  const { ledger } = state;
  const jobs = state.jobs();
  const notes = ledger.availability(now - STRIP_MS, now + 1);
  const destinations = state.destinations().map((one) => {
    const { job, name } = one.destination;
    const outages = outagesOf(one.destination, notes, now - STRIP_MS);
    return {
      ...one,
      counts: ledger.counts(job, name),
      missingBytes: missingBytes(one, ledger),
      outages,
      since: sinceOf(one.state.state, outages),
    };
  });
  const tonight = nightSummary(state, tonightOf(jobs, now));
  const facts = {
    ...state.about(),
    now,
    jobs,
    destinations,
    trouble: state.trouble(),
    jobsRejected: state.jobsRejected(),
    counts: ledger.counts(),
    orphans: state.orphans(),
    hooks: state.hooks(),
    tonight,
  };
  const status = statusReport(facts);
  return { ...facts, status, overview: overviewOf(status, facts) };
}

/** Null where the destination is not full, or the size of its disk is not known. */
function missingBytes({ destination, state, freeBytes }: DestinationNow, ledger: Pick<History, "waitingBytes">): number | null {
  if (state.state !== "on_hold" || state.failure.code !== "disk_full" || freeBytes === null) return null;
  const { job, name, minimumFreeBytes, copySafetyMarginBytes } = destination;
  return ledger.waitingBytes(job, name) + minimumFreeBytes + copySafetyMarginBytes - freeBytes;
}

/** Outages are told of so long a time. */
const STRIP_MS = 12 * 3_600_000;

/** After a restart a destination is found in its former state within moments: it was in it all the time. */
const MOMENT_MS = 60_000;

/** When it came into its present state; null while it is open, or where that is not known. */
function sinceOf(state: DestinationNow["state"]["state"], outages: readonly Outage[]): number | null {
  let since: number | null = null;
  let begin = Infinity;
  for (const one of outages.toReversed()) {
    const isSame = one.state === state;
    if (since === null ? !isSame || one.to !== null : (one.to ?? Infinity) < begin - MOMENT_MS) break;
    if (!isSame && one.state !== "stopped" && one.state !== "lost") break;
    if (isSame) since = one.from;
    begin = one.from;
  }
  return since;
}
