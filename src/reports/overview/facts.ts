/** All that is known of a running daemon at one moment, gathered once: status, headline, page and trouble are made of it. */
import type { FailureRecord } from "../../domain/failure.ts";
import type { AvailabilityNote, Counts, History } from "../../ledger/history.ts";
import type { Orphan } from "../../ledger/orphans.ts";
import type { NightSummary, Outage } from "../api_types.ts";
import { outagesOf } from "../night/night_report.ts";
import { nightSummary, tonightOf } from "../night/night_summary.ts";
import type { About, DaemonState, DestinationNow, JobNow } from "../page_source.ts";
import { type Overview, overviewOf } from "./overview.ts";
import { statusReport } from "./status_report.ts";
import type { StatusReport } from "./status_json.ts";

/** When a destination took nothing; `since` is when it came into its present state, null while it is open or where that is not known. */
interface OutagesNow {
  readonly since: number | null;
  readonly outages: readonly Outage[];
}

/** What the ledger counts, and how everything is that runs. */
interface Facts extends About {
  /** Milliseconds since 1970 UTC. */
  readonly now: number;
  readonly jobs: readonly JobNow[];
  readonly destinations:
    readonly (DestinationNow & { readonly counts: Counts; readonly missingBytes: number | null } & OutagesNow)[];
  readonly trouble: FailureRecord | null;
  readonly jobsRejected: string | null;
  readonly counts: Counts;
  readonly orphans: readonly Orphan[];
  readonly hooks: ReturnType<DaemonState["hooks"]>;
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
  const notes = ledger.availability(now - STRIP_MS, now + 1);
  const destinations = state.destinations().map((one) => {
    const { job, name } = one.destination;
    return { ...one, counts: ledger.counts(job, name), missingBytes: missingBytes(one, ledger), ...outagesNow(one, notes, now) };
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

function outagesNow({ destination, state }: DestinationNow, notes: readonly AvailabilityNote[], now: number): OutagesNow {
  const outages = outagesOf(destination, notes, now - STRIP_MS);
  return { outages, since: sinceOf(state.state, outages) };
}

/** After a restart a destination is found in its former state within moments: it was in it all the time. */
const MOMENT_MS = 60_000;

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
