/**
 * What a computer tells the fleet of its files: how many wait, and the sums of the night that the morning report would be about.
 */
import type { Job } from "../../config/settings.ts";
import type { NightSums } from "../../domain/fleet.ts";
import type { History } from "../../ledger/history.ts";
import { nightToReport } from "../night/night_summary.ts";
import type { StatusReport } from "../overview/status_json.ts";
import { waitingImages } from "../overview/trouble.ts";

export type FleetSums = ReturnType<typeof fleetSums>;

type SumsLedger = Pick<History, "counts" | "nights" | "nightTotals" | "nightUndelivered" | "waitingImages">;

/** Of larger nights, what is not delivered is taken from the destination that lacks most. */
const LARGEST_NIGHT = 50_000;

/** @param now milliseconds since 1970 UTC */
export function fleetSums(
  ledger: SumsLedger,
  jobs: readonly Job[],
  status: Pick<StatusReport, "jobs">,
  now: number,
): { readonly waiting: number; readonly night: NightSums } {
  const configured = jobs.flatMap(({ name: job, destinations }) =>
    destinations.map(({ name }) => ({ job, name, counts: ledger.counts(job, name) }))
  );
  const night = nightToReport(ledger, jobs, now);
  const { files, places } = ledger.nightTotals(night);
  const sum = (of: "expected" | "delivered" | "failed" | "bytes") => places.reduce((total, one) => total + one[of], 0);
  const [expected, delivered, failed] = [sum("expected"), sum("delivered"), sum("failed")];
  const most = (of: (one: typeof places[number]) => number) => Math.max(0, ...places.map(of));
  const undelivered = expected === delivered
    ? { images: 0, failed: 0 }
    : expected <= LARGEST_NIGHT
    ? ledger.nightUndelivered(night)
    : { images: most((one) => one.expected - one.delivered), failed: most((one) => one.failed) };
  return {
    /** Files that wait for at least one destination of these jobs. */
    waiting: waitingImages(configured, ledger),
    night: {
      night,
      files,
      files_delivered: Math.max(0, files - undelivered.images),
      files_waiting: undelivered.images - undelivered.failed,
      files_failed: undelivered.failed,
      not_sent: status.jobs.reduce((total, { incomplete, rejected }) => total + (incomplete ?? 0) + (rejected ?? 0), 0),
      expected,
      delivered,
      failed,
      bytes: sum("bytes"),
    },
  };
}
