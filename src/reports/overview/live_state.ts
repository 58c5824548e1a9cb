/**
 * All that the view Now shows, gathered from the running daemon.
 *
 * @module
 */
import { waitingOf, withoutOrphans } from "../../ledger/orphans.ts";
import type { DestinationView, LiveState, TransferView } from "../api_types.ts";
import { eachFileOnce } from "../delivery/delivery_view.ts";
import { nightSummary, tonightOf } from "../night/night_summary.ts";
import { headlineOf } from "./headline.ts";
import type { DestinationNow, PageSource } from "../page_source.ts";
import type { StatusReport } from "./status_report.ts";
import { placeOf, troubleOf } from "./trouble.ts";

/** Longest lists that are sent. */
const MOST = { transfers: 50, waiting: 50, newest: 24, trouble: 50 } as const;

/** The state at `now`, milliseconds since 1970 UTC. */
export type LiveStates = (now: number) => Promise<LiveState>;

/** All of it is of the moment it is asked for. */
export function liveStates(source: PageSource): LiveStates {
  const before = new Map<string, number>();

  /** What was delivered before this start is looked up once: reading back to a destination that got nothing for long takes time. */
  function lastDeliveredTo(job: string, destination: string, delivered: number): number | null {
    const key = placeKey(job, destination);
    const known = source.progress.lastDelivered(job, destination) ?? before.get(key) ?? null;
    if (known !== null || delivered === 0) return known;
    const [row] = source.ledger.query({
      job,
      destination,
      states: ["delivered"],
      sort: "delivered_at",
      descending: true,
      limit: 1,
    });
    if (row?.deliveredAt != null) before.set(key, row.deliveredAt);
    return row?.deliveredAt ?? null;
  }

  return async (now) => {
    const { ledger } = source;
    const [jobs, destinations] = [source.jobs(), source.destinations()];
    const status = await source.status() as StatusReport;
    const newest = ledger.query({
      states: ["delivered"],
      sort: "delivered_at",
      descending: true,
      limit: MOST.newest * Math.max(1, destinations.length),
    });
    const { orphans } = source.live();
    const { failed } = status.deliveries;
    const night = nightSummary(source, tonightOf(jobs, now));
    const trouble = troubleOf(
      jobs,
      destinations,
      failed === 0 ? [] : ledger.query({ trouble: true, descending: true, limit: MOST.trouble }),
      orphans,
    );
    const speeds = new Map(
      source.progress.running(now).map(({ job, destination, bytesPerSecond }) => [placeKey(job, destination), bytesPerSecond]),
    );
    // What nobody can send is no work in hand.
    const underway = waitingOf(withoutOrphans(status.deliveries, orphans));
    return {
      // What is not sent is in `waiting` and in `trouble` already.
      status: { ...status, jobs: status.jobs.map((job) => ({ ...job, not_sent: [] })) },
      headline: headlineOf({ jobs, destinations, tonight: night, underway, failed }),
      tonight: night,
      destinations: destinations.map((one) => destinationView(one, source, speeds, lastDeliveredTo)),
      jobs: jobs.map(({ job, how, failure, waiting }) => ({
        name: job.name,
        watchPath: job.watchPath,
        watching: how,
        failure: failure && { code: failure.code, message: failure.message, hint: failure.hint },
        filesWaiting: waiting.length,
      })),
      transfers: transfersOf(source),
      waiting: jobs.flatMap(({ job, waiting }) => waiting.map(({ path, ...rest }) => ({ job: job.name, name: path, ...rest })))
        .slice(0, MOST.waiting),
      newest: eachFileOnce(newest, MOST.newest),
      trouble: trouble.slice(0, MOST.trouble),
      troubleCount: trouble.length + Math.max(0, failed - MOST.trouble),
    };
  };
}

function destinationView(
  { destination, method, state, freeBytes }: DestinationNow,
  { ledger }: PageSource,
  speeds: ReadonlyMap<string, number>,
  lastDeliveredTo: (job: string, destination: string, delivered: number) => number | null,
): DestinationView {
  const { job, name } = destination;
  const counts = ledger.counts(job, name);
  const failure = state.state === "on_hold" || state.state === "backing_off" ? state.failure : null;
  return {
    job,
    name,
    place: placeOf(destination),
    method,
    state: state.state,
    until: "until" in state ? state.until : null,
    failure: failure && { code: failure.code, message: failure.message, hint: failure.hint },
    pausedBy: state.state === "paused" ? state.by : null,
    freeBytes,
    counts,
    bytesPerSecond: speeds.get(placeKey(job, name)) ?? 0,
    oldestWaiting: ledger.oldestWaiting(job, name),
    lastDelivered: lastDeliveredTo(job, name, counts.delivered),
  };
}

function transfersOf({ progress }: PageSource): TransferView[] {
  return progress.transfers().slice(0, MOST.transfers).map(({ delivery: { id, source, destination }, bytes, since }) => ({
    id,
    job: source.job,
    destination,
    name: source.path,
    size: source.size,
    bytes: Math.min(bytes, source.size),
    since,
  }));
}

function placeKey(job: string, destination: string): string {
  return `${job}\0${destination}`;
}
