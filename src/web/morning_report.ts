/**
 * The morning report: what a night's images came to. Well is a night only when every image that was seen is delivered, proven, and
 * still there.
 *
 * @module
 */
import type { Destination, Job } from "../domain/job.ts";
import { isTrouble } from "../domain/failure.ts";
import type { DeliveryRow, Ledger } from "../ledger/ledger.ts";
import { type FrameGaps, frameGaps } from "./frame_gaps.ts";

/** Sizes in bytes, times ISO 8601 in UTC. A shape that scripts may depend on. */
export interface MorningReport {
  readonly night: string;
  readonly made_at: string;
  readonly all_well: boolean;
  readonly seen: { readonly files: number; readonly bytes: number };
  readonly destinations: readonly ReportDestination[];
  readonly gaps: readonly FrameGaps[];
  /** From finished to proven; the ten slowest. */
  readonly slowest: readonly { readonly path: string; readonly destination: string; readonly seconds: number }[];
  /** What is not delivered, and why; the first hundred. */
  readonly undelivered: readonly {
    readonly id: number;
    readonly path: string;
    readonly destination: string;
    readonly state: string;
    readonly message: string;
    readonly hint: string;
  }[];
}

/** A night at one destination. `bytes` are those delivered. */
export interface ReportDestination {
  readonly job: string;
  readonly name: string;
  readonly expected: number;
  readonly delivered: number;
  readonly proven: number;
  readonly bytes: number;
  /** Delivered files that stand there now; null where the destination cannot be asked. */
  readonly present: number | null;
  /** True where they were hashed again, not only looked at. */
  readonly hashed: boolean;
  /** Delivered files that are missing or differ; the first hundred. */
  readonly wrong: readonly { readonly path: string; readonly target: string; readonly reason: string }[];
  /** Why it cannot be asked. */
  readonly problem: string | null;
}

/** How a look at a destination came out: for each row, in order, why it is not there as delivered, or null. */
export type Look =
  | { readonly looked: true; readonly hashed: boolean; readonly reasons: readonly (string | null)[] }
  | { readonly looked: false; readonly problem: string };

/** What the report is made of. */
export interface ReportTools {
  readonly ledger: Pick<Ledger, "each" | "nightTotals">;
  readonly jobs: readonly Job[];
  /** Milliseconds since 1970 UTC. */
  readonly now: number;
  /** Asked once for each destination that is configured and has files of the night; never throws. */
  readonly look: (destination: Destination, rows: readonly DeliveryRow[]) => Promise<Look>;
}

const MOST_SLOWEST = 10;
const MOST_LISTED = 100;

/** `night` is `YYYYMMDD`. Reads all deliveries of it at once. */
export async function morningReport(night: string, { ledger, jobs, now, look }: ReportTools): Promise<MorningReport> {
  const rows = [...ledger.each({ night })].filter(({ delivery: { state } }) =>
    state.state !== "failed" || isTrouble(state.failure)
  );
  const totals = ledger.nightTotals(night);
  const destinations: ReportDestination[] = [];
  for (const place of totals.places) {
    const here = rows.filter(({ delivery }) => delivery.source.job === place.job && delivery.destination === place.destination);
    const configured = jobs.find(({ name }) => name === place.job)?.destinations.find(({ name }) => name === place.destination);
    const { destination: name, job, expected, delivered, proven, bytes } = place;
    destinations.push({ job, name, expected, delivered, proven, bytes, ...await presence(configured, here, look) });
  }
  const undelivered = rows.filter(({ delivery }) => delivery.state.state !== "delivered");
  const gaps = frameGaps(rows.map(({ delivery: { source: { job, path } } }) => ({ job, path })));
  const isWell = ({ expected, proven, present, delivered, wrong }: ReportDestination) =>
    delivered === expected && proven === expected && present !== null && wrong.length === 0;
  return {
    night,
    made_at: new Date(now).toISOString(),
    all_well: undelivered.length === 0 && gaps.length === 0 && destinations.every(isWell),
    seen: { files: totals.files, bytes: totals.bytes },
    destinations,
    gaps,
    slowest: slowestOf(rows),
    undelivered: undelivered.slice(0, MOST_LISTED).map(({ delivery: { id, source, destination, state } }) => ({
      id,
      path: source.absolutePath,
      destination,
      state: state.state,
      message: "failure" in state ? state.failure.message : state.state === "sending" ? "it is being sent" : "it waits",
      hint: "failure" in state ? state.failure.hint : "",
    })),
  };
}

type Presence = Pick<ReportDestination, "present" | "hashed" | "wrong" | "problem">;

async function presence(
  destination: Destination | undefined,
  rows: readonly DeliveryRow[],
  look: ReportTools["look"],
): Promise<Presence> {
  const delivered = latestOfEachTarget(rows.filter(({ delivery }) => delivery.state.state === "delivered"));
  const unknown = (problem: string): Presence => ({ present: null, hashed: false, wrong: [], problem });
  if (destination === undefined) return unknown("it is not configured any more");
  if (delivered.length === 0) return { present: 0, hashed: false, wrong: [], problem: null };
  const found = await look(destination, delivered);
  if (!found.looked) return unknown(found.problem);
  const wrong = delivered.flatMap(({ delivery: { source, target } }, index) => {
    const reason = found.reasons[index] ?? null;
    return reason === null ? [] : [{ path: source.absolutePath, target, reason }];
  });
  return { present: delivered.length - wrong.length, hashed: found.hashed, wrong: wrong.slice(0, MOST_LISTED), problem: null };
}

/** A name that was delivered several times shows its newest version; the former ones have names of their own. */
export function latestOfEachTarget(rows: readonly DeliveryRow[]): DeliveryRow[] {
  const latest = new Map<string, DeliveryRow>();
  for (const row of rows) {
    const known = latest.get(row.delivery.target);
    if (!known || (row.deliveredAt ?? 0) >= (known.deliveredAt ?? 0)) latest.set(row.delivery.target, row);
  }
  return [...latest.values()];
}

function slowestOf(rows: readonly DeliveryRow[]): MorningReport["slowest"] {
  return rows.flatMap(({ delivery: { source, destination, queuedAt }, deliveredAt }) =>
    deliveredAt === null ? [] : [{ path: source.absolutePath, destination, seconds: Math.max(0, deliveredAt - queuedAt) / 1000 }]
  ).sort((a, b) => b.seconds - a.seconds).slice(0, MOST_SLOWEST);
}
