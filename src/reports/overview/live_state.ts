/**
 * All that the view Now shows, gathered from the running daemon.
 *
 * @module
 */
import type { TransferEvent } from "../../domain/transfer_event.ts";
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

/** Remembers since when transfers run and when each destination got its last file. */
export interface LiveStates {
  /** Hears the event stream. */
  hear(event: TransferEvent): void;
  /** The state at `now`, milliseconds since 1970 UTC. */
  gather(now: number): Promise<LiveState>;
}

/** All of it is of this moment. */
export function liveStates(source: PageSource): LiveStates {
  const begun = new Map<number, number>();
  const lastDelivered = new Map<string, number>();

  /** What was delivered before this start is looked up once: reading back to a destination that got nothing for long takes time. */
  function lastDeliveredTo(job: string, destination: string, delivered: number): number | null {
    const key = placeKey(job, destination);
    const known = lastDelivered.get(key) ?? null;
    if (known !== null || delivered === 0) return known;
    const [row] = source.ledger.query({
      job,
      destination,
      states: ["delivered"],
      sort: "delivered_at",
      descending: true,
      limit: 1,
    });
    if (row?.deliveredAt != null) lastDelivered.set(key, row.deliveredAt);
    return row?.deliveredAt ?? null;
  }

  return {
    hear(event) {
      switch (event.type) {
        case "sending":
          begun.set(event.delivery.id, event.at);
          return;
        case "delivered":
          lastDelivered.set(placeKey(event.delivery.source.job, event.delivery.destination), event.at);
          begun.delete(event.delivery.id);
          return;
        case "queued":
        case "deferred":
        case "failed":
          begun.delete(event.delivery.id);
      }
    },
    async gather(now) {
      const { ledger } = source;
      const [jobs, destinations] = [source.jobs(), source.destinations()];
      const status = await source.status() as StatusReport;
      const newest = ledger.query({
        states: ["delivered"],
        sort: "delivered_at",
        descending: true,
        limit: MOST.newest * Math.max(1, destinations.length),
      });
      const { running, orphans } = source.live();
      const { failed } = status.deliveries;
      const night = nightSummary(source, tonightOf(jobs, now));
      const trouble = troubleOf(
        jobs,
        destinations,
        failed === 0 ? [] : ledger.query({ trouble: true, descending: true, limit: MOST.trouble }),
        orphans,
      );
      const speeds = new Map(
        running.map(({ job, destination, bytesPerSecond }) => [placeKey(job, destination), bytesPerSecond]),
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
        transfers: transfersOf(destinations, begun, now),
        waiting: jobs.flatMap(({ job, waiting }) => waiting.map(({ path, ...rest }) => ({ job: job.name, name: path, ...rest })))
          .slice(0, MOST.waiting),
        newest: eachFileOnce(newest, MOST.newest),
        trouble: trouble.slice(0, MOST.trouble),
        troubleCount: trouble.length + Math.max(0, failed - MOST.trouble),
      };
    },
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

function transfersOf(destinations: readonly DestinationNow[], begun: ReadonlyMap<number, number>, now: number): TransferView[] {
  return destinations.flatMap(({ destination, transfers }) =>
    transfers.map(({ delivery, bytes }) => ({
      id: delivery.id,
      job: delivery.source.job,
      destination: destination.name,
      name: delivery.source.path,
      size: delivery.source.size,
      bytes: Math.min(bytes, delivery.source.size),
      since: begun.get(delivery.id) ?? now,
    }))
  ).slice(0, MOST.transfers);
}

function placeKey(job: string, destination: string): string {
  return `${job}\0${destination}`;
}
