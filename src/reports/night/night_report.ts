/**
 * All that the view Night shows. Read in small pages with pauses, and kept for some seconds: a look at fifty thousand files holds
 * up no delivery.
 */
import type { AvailabilityHistory } from "../../ledger/availability_ledger.ts";
import type { NightPoint } from "../../ledger/history.ts";
import type { System } from "../../system/system.ts";
import type { NightReport, NightSeries, NightSummary, NightTarget } from "../api_types.ts";
import { eachFileOnce } from "../delivery/delivery_view.ts";
import { nightSummary } from "./night_summary.ts";
import { outagesOf } from "./outages.ts";
import { nightSeries } from "./night_series.ts";
import { nightTargets } from "./night_targets.ts";
import type { DaemonState } from "../page_source.ts";

const PAGE = 2_000;
const MOST_IMAGES = 60;
/** A report is reused for this long, or for ten times as long as making it took. */
const FRESH_MS = 2_000;
const MOST_KEPT = 20;

/** Answers for `YYYYMMDD`, also for nights that have no files. */
export type NightReports = (night: string) => Promise<NightReport>;

/** Makes reports; two requests for a night at the same time share one. */
export function nightReports(
  source: Pick<DaemonState, "ledger" | "jobs">,
  system: Pick<System, "monotonic" | "sleep">,
): NightReports {
  const kept = new Map<string, { readonly until: number; readonly report: Promise<NightReport> }>();

  async function make(night: string): Promise<NightReport> {
    const { ledger } = source;
    const points: NightPoint[] = [];
    for (let page = ledger.nightPoints(night, 0, PAGE); page.length > 0;) {
      points.push(...page);
      await system.sleep(0);
      page = page.length < PAGE ? [] : ledger.nightPoints(night, page.at(-1)!.id, PAGE);
    }
    const summary = nightSummary(source, night);
    const newest = ledger.query({
      night,
      states: ["delivered"],
      sort: "delivered_at",
      descending: true,
      limit: MOST_IMAGES * Math.max(1, summary.destinations.length),
    });
    const series = nightSeries(points, summary.destinations);
    return {
      summary,
      series,
      outages: outagesIn(series, summary.destinations, ledger),
      images: eachFileOnce(newest, MOST_IMAGES),
      targets: await targetsOf(night, points, source, system),
    };
  }

  return async (night) => {
    const start = system.monotonic();
    const known = kept.get(night);
    if (known !== undefined && known.until > start) return await known.report;
    const report = make(night);
    kept.delete(night);
    kept.set(night, { until: Infinity, report });
    for (const oldest of kept.keys()) {
      if (kept.size <= MOST_KEPT) break;
      kept.delete(oldest);
    }
    try {
      await report;
      const end = system.monotonic();
      kept.set(night, { until: end + Math.max(FRESH_MS, 10 * (end - start)), report });
    } catch (error) {
      kept.delete(night);
      throw error;
    }
    return await report;
  };
}

async function targetsOf(
  night: string,
  points: readonly NightPoint[],
  { ledger }: Pick<DaemonState, "ledger">,
  system: Pick<System, "sleep">,
): Promise<NightTarget[]> {
  const gathered = nightTargets(points);
  let [first, last] = [Infinity, 0];
  for (const { versionId } of points) [first, last] = [Math.min(first, versionId), Math.max(last, versionId)];
  while (first <= last) {
    const page = ledger.nightFrames(night, first, last, PAGE);
    for (const frame of page) gathered.saw(frame);
    first = page.length < PAGE ? Infinity : page.at(-1)!.versionId + 1;
    await system.sleep(0);
  }
  return gathered.list();
}

/** From the first bin to the end of the last; a night that runs has no end. */
function outagesIn(
  { times, binMs }: NightSeries,
  places: NightSummary["destinations"],
  ledger: Pick<AvailabilityHistory, "availability">,
): NightReport["outages"] {
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined) return [];
  const from = first * 1000 - binMs;
  const notes = ledger.availability(from, last * 1000);
  return places.map(({ job, name }) => ({ job, name, outages: outagesOf({ job, name }, notes, from) }));
}
