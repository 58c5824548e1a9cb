/** Which night it is, and the sums of a night. */
import type { Job } from "../../config/settings.ts";
import { observingNight } from "../../domain/night/night.ts";
import type { History } from "../../ledger/history.ts";

/** The night of this moment by the rule of the first job. */
export function tonightOf(jobs: readonly { readonly job: Pick<Job, "night"> }[], now: number): string {
  return observingNight(now, jobs[0]?.job.night ?? { timezone: null, rollover: "12:00", siteLongitude: null });
}

const HALF_A_DAY = 12 * 3_600_000;

/** The night of this moment where it has images; else the one that ended last: in the morning they are the same. */
export function nightToReport(ledger: Pick<History, "nights">, jobs: readonly Job[], now: number): string {
  const night = (at: number) => tonightOf(jobs.map((job) => ({ job })), at);
  return ledger.nights().includes(night(now)) ? night(now) : night(now - HALF_A_DAY);
}

export type NightSummary = ReturnType<typeof nightSummary>;

/** The sums of a night, for the places that have files of it; `expected` is the sum of delivered, waiting and failed. */
export function nightSummary(
  source: { readonly ledger: Pick<History, "nightTotals">; jobs(): readonly { readonly job: Job }[] },
  night: string,
) {
  const { files, bytes, places } = source.ledger.nightTotals(night);
  const order = configuredOrder(source.jobs().map(({ job }) => job));
  return {
    night,
    files,
    bytes,
    destinations: places.toSorted(order).map(({ job, destination: name, expected, delivered, proven, failed, bytes }) => {
      return { job, name, expected, delivered, proven, waiting: expected - delivered - failed, failed, bytes };
    }),
  };
}

/** For `sort`: what is not configured any more comes last, in the order in which it was given. */
export function configuredOrder(jobs: readonly Pick<Job, "name" | "destinations">[]) {
  const places = jobs.flatMap(({ name: job, destinations }) => destinations.map(({ name }) => JSON.stringify([job, name])));
  const ranks = new Map(places.map((key, rank) => [key, rank]));
  const rankOf = ({ job, destination }: Place) => ranks.get(JSON.stringify([job, destination])) ?? ranks.size;
  return (a: Place, b: Place): number => rankOf(a) - rankOf(b);
}

interface Place {
  readonly job: string;
  readonly destination: string;
}
