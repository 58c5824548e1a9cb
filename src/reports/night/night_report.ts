/**
 * All that the view Night shows. Read in small pages with pauses, and kept for some seconds: a look at fifty thousand files holds
 * up no delivery.
 */
import { keepNewest } from "../../domain/chunks.ts";
import type { AvailabilityNote, NightFrame, NightPoint } from "../../ledger/history.ts";
import { eachFileOnce } from "../delivery/delivery_view.ts";
import type { DestinationState } from "../../domain/delivery.ts";
import { frameGaps } from "../morning/frame_gaps.ts";
import { nightSummary } from "./night_summary.ts";
import type { DaemonState } from "../page_source.ts";
import type { System } from "../../system/system.ts";

const PAGE = 2_000;
const MOST_IMAGES = 60;
/** A report is reused for this long, or for ten times as long as making it took. */
const FRESH_MS = 2_000;
const MOST_KEPT = 20;

/** Answers for `YYYYMMDD`, also for nights that have no files. */
export type NightReports = (night: string) => Promise<NightReport>;
/** All of the view Night. */
export type NightReport = Awaited<ReturnType<typeof nightReport>>;

/** Makes reports; two requests for a night at the same time share one. */
export function nightReports(
  source: Pick<DaemonState, "ledger" | "jobs">,
  system: Pick<System, "monotonic" | "sleep">,
): NightReports {
  const kept = new Map<string, { readonly until: number; readonly report: Promise<NightReport> }>();

  return async (night) => {
    const start = system.monotonic();
    const known = kept.get(night);
    if (known !== undefined && known.until > start) return await known.report;
    const report = nightReport(night, source, system);
    kept.delete(night);
    kept.set(night, { until: Infinity, report });
    keepNewest(kept, MOST_KEPT);
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

async function nightReport(night: string, source: Pick<DaemonState, "ledger" | "jobs">, system: Pick<System, "sleep">) {
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
  // From the first bin to the end of the last; a night that runs has no end.
  const from = (series.times[0] ?? 0) * 1000 - series.binMs;
  const notes = ledger.availability(from, (series.times.at(-1) ?? 0) * 1000);
  const places = series.times.length === 0 ? [] : summary.destinations;
  return {
    summary,
    series,
    /** When destinations took nothing, from the first image of the night on. */
    outages: places.map(({ job, name }) => ({ job, name, outages: outagesOf({ job, name }, notes, from) })),
    /** The newest images of the night, newest first, each file once. */
    images: eachFileOnce(newest, MOST_IMAGES),
    /** In the order of their first images; at most 200. */
    targets: await targetsOf(night, points, source, system),
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

// A night's deliveries as columns for the plots: files and bytes that add up over time, and how long each took.

/** Most bins of a plot: a bin has two or three pixels then. */
const LEAST_BINS = 10;
const MOST_BINS = 300;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const WIDTHS = [
  ...[1, 2, 5, 10, 20, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 6, 12, 24].map((n) => n * HOUR),
];

/** For the plots: columns of equal length, ready for uPlot. Empty columns where nothing was delivered. */
export interface NightSeries {
  readonly binMs: number;
  /** End of each bin, seconds since 1970 UTC. */
  readonly times: readonly number[];
  /** Finished at the source, cumulative. */
  readonly seenFiles: readonly number[];
  readonly seenBytes: readonly number[];
  readonly destinations: readonly {
    readonly job: string;
    readonly name: string;
    /** Delivered, cumulative. */
    readonly files: readonly number[];
    readonly bytes: readonly number[];
    /** From finished to proven, seconds: median and worst of the bin; null where nothing was delivered in it. */
    readonly latency: readonly (number | null)[];
    readonly worst: readonly (number | null)[];
  }[];
}

interface Place {
  readonly job: string;
  readonly name: string;
  readonly files: number[];
  readonly bytes: number[];
  readonly latencies: number[][];
}

/** Sums up; the points may come in any order. `order` lists the destinations that come first. */
export function nightSeries(
  points: readonly NightPoint[],
  order: readonly { readonly job: string; readonly name: string }[] = [],
): NightSeries {
  if (points.length === 0) return { binMs: MINUTE, times: [], seenFiles: [], seenBytes: [], destinations: [] };
  const { binMs, start, bins } = binsOf(points);
  const binOf = (at: number) => Math.floor((at - start) / binMs);
  const zeros = () => new Array<number>(bins).fill(0);

  const [seenFiles, seenBytes] = [zeros(), zeros()];
  const versions = new Set<number>();
  const places = new Map<string, Place>();
  const placeOf = (job: string, name: string): Place => {
    const key = `${job}\0${name}`;
    const known = places.get(key) ??
      { job, name, files: zeros(), bytes: zeros(), latencies: Array.from({ length: bins }, () => []) };
    places.set(key, known);
    return known;
  };
  for (const { job, name } of order) placeOf(job, name);
  for (const { versionId, job, destination, size, queuedAt, deliveredAt } of points) {
    if (!versions.has(versionId)) {
      versions.add(versionId);
      const bin = binOf(queuedAt);
      seenFiles[bin]! += 1;
      seenBytes[bin]! += size;
    }
    const place = placeOf(job, destination);
    // A clock that was set back must not put a delivery before its beginning.
    if (deliveredAt === null) continue;
    const bin = binOf(Math.max(deliveredAt, queuedAt));
    place.files[bin]! += 1;
    place.bytes[bin]! += size;
    place.latencies[bin]!.push(Math.max(0, deliveredAt - queuedAt) / 1000);
  }
  return {
    binMs,
    times: Array.from({ length: bins }, (_, bin) => (start + (bin + 1) * binMs) / 1000),
    seenFiles: cumulative(seenFiles),
    seenBytes: cumulative(seenBytes),
    destinations: [...places.values()].map(({ job, name, files, bytes, latencies }) => ({
      job,
      name,
      files: cumulative(files),
      bytes: cumulative(bytes),
      latency: latencies.map(median),
      worst: latencies.map((all) => all.reduce<number | null>((most, one) => Math.max(most ?? 0, one), null)),
    })),
  };
}

function binsOf(points: readonly NightPoint[]): { readonly binMs: number; readonly start: number; readonly bins: number } {
  let [first, end] = [Infinity, -Infinity];
  for (const { queuedAt, deliveredAt } of points) {
    first = Math.min(first, queuedAt);
    end = Math.max(end, queuedAt, deliveredAt ?? queuedAt);
  }
  // Files of this night may be delivered weeks later: then the bins are as wide as it takes.
  const binMs = WIDTHS.find((width) => (end - first) / width < MOST_BINS - 2) ??
    Math.ceil((end - first) / (MOST_BINS - 3) / HOUR) * HOUR;
  // It begins before the first image: lines rise from zero, and a night that has just begun has a width.
  const bare = Math.floor(end / binMs) - Math.floor(first / binMs) + 1;
  const start = (Math.floor(first / binMs) - Math.max(1, LEAST_BINS - bare)) * binMs;
  return { binMs, start, bins: Math.floor((end - start) / binMs) + 1 };
}

function cumulative(column: readonly number[]): number[] {
  let sum = 0;
  return column.map((value) => sum += value);
}

function median(values: number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

// A night by target and filter: how many images, how long they were exposed, and which numbers the camera skipped.

/** The images of a night of one target through one filter. */
export interface NightTarget {
  /** OBJECT of the header; the kind of image for darks, flats and bias frames; `-` where the header says nothing. */
  readonly target: string;
  /** `-` for none. */
  readonly filter: string;
  readonly frames: number;
  /** Of those, the ones that are at all of their destinations. */
  readonly delivered: number;
  /** Exposure times together; null where no header tells one. */
  readonly seconds: number | null;
  /** When the first and the last of them were finished. */
  readonly first: number;
  readonly last: number;
  /** Numbers that the camera skipped after one of these images, `13`, `20-25`: the first 50 ranges. */
  readonly missing: readonly string[];
  readonly missingCount: number;
}

const MOST_TARGETS = 200;
const MOST_RANGES = 50;

/** Gathers the images of a night, one after the other. `points` are its deliveries; images without one are left out. */
function nightTargets(points: readonly NightPoint[]) {
  /** When each image was finished, and whether it is everywhere. */
  const images = new Map<number, { readonly at: number; readonly isDelivered: boolean }>();
  for (const { versionId, queuedAt, deliveredAt } of points) {
    const { at, isDelivered } = images.get(versionId) ?? { at: queuedAt, isDelivered: true };
    images.set(versionId, { at, isDelivered: isDelivered && deliveredAt !== null });
  }
  const groups = new Map<string, Group>();
  const numbers = frameGaps();
  return {
    saw(frame: NightFrame): void {
      const image = images.get(frame.versionId);
      if (image === undefined) return;
      const key = JSON.stringify([frame.target, frame.filter]);
      numbers.saw(frame.job, frame.path, key);
      const group = groups.get(key) ?? { ...NOTHING, target: frame.target, filter: frame.filter };
      groups.set(key, {
        ...group,
        frames: group.frames + 1,
        delivered: group.delivered + (image.isDelivered ? 1 : 0),
        seconds: frame.exposure === null ? group.seconds : (group.seconds ?? 0) + frame.exposure,
        first: Math.min(group.first, image.at),
        last: Math.max(group.last, image.at),
      });
    },
    /** All that were seen, in the order of their first images. */
    list(): NightTarget[] {
      const gaps = Map.groupBy(numbers.eachGap(), ({ after }) => after);
      const all = [...groups].map(([key, group]): NightTarget => ({
        ...group,
        missing: (gaps.get(key) ?? []).slice(0, MOST_RANGES).map(({ shown }) => shown),
        missingCount: (gaps.get(key) ?? []).reduce((sum, { count }) => sum + count, 0),
      }));
      return all.sort((a, b) => a.first - b.first).slice(0, MOST_TARGETS);
    },
  };
}

type Group = Omit<NightTarget, "missing" | "missingCount">;
const NOTHING = { frames: 0, delivered: 0, seconds: null, first: Infinity, last: -Infinity } as const;

/** A time in which a destination took nothing; `to` is null while it lasts. `stopped` and `lost`: the daemon did not run. */
export interface Outage {
  readonly from: number;
  readonly to: number | null;
  readonly state: Exclude<DestinationState["state"], "open"> | "stopped" | "lost";
}

/** Most that are shown for a destination: the latest. */
const MOST = 60;

/**
 * The outages of a destination between `from` and `to`, in order; `to` of one that lasts is null. Where the daemon did not run, that
 * counts and not what was noted before.
 */
export function outagesOf(
  place: { readonly job: string; readonly name: string },
  notes: readonly AvailabilityNote[],
  from: number,
): Outage[] {
  const outages: Outage[] = [];
  let now: { readonly state: Outage["state"] | "open"; readonly since: number } = { state: "open", since: from };
  const become = (state: Outage["state"] | "open", at: number) => {
    if (state === now.state) return;
    const end = Math.max(at, from);
    if (now.state !== "open" && end > now.since) outages.push({ from: now.since, to: end, state: now.state });
    now = { state, since: end };
  };
  // A pause outlives the daemon, and is not noted again.
  let paused = false;
  for (const { at, job, destination, state } of notes) {
    if (job === "" && destination === "") become(state === "running" ? paused ? "paused" : "open" : state as Outage["state"], at);
    else if (job === place.job && destination === place.name) {
      paused = state === "paused";
      become(state as Outage["state"] | "open", at);
    }
  }
  if (now.state !== "open") outages.push({ from: now.since, to: null, state: now.state });
  return outages.slice(-MOST);
}
