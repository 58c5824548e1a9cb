/** A night's deliveries as columns for the plots: files and bytes that add up over time, and how long each took. */
import type { NightPoint } from "../../ledger/history.ts";
import type { NightSeries } from "../api_types.ts";

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
