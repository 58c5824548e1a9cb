/** All that the view Now shows, gathered from the running daemon. */
import { acceptCommand } from "../../delivery/mirror/mirror.ts";
import type { Destination } from "../../config/settings.ts";
import { toldOf } from "../../domain/failure.ts";
import { eachFileOnce } from "../delivery/delivery_view.ts";
import type { DaemonState, JobNow } from "../page_source.ts";
import { type Judged, judged } from "./facts.ts";
import { isSilent } from "./status_report.ts";
import type { StatusReport } from "./status_json.ts";
import { placeOf, troubleOf } from "./trouble.ts";

/** Longest lists that are sent. */
const MOST = { transfers: 50, waiting: 50, newest: 24, trouble: 50 } as const;

const LATEST = { states: ["delivered"], sort: "delivered_at", descending: true } as const;

/** All of the view Now; the other views take their counts from it. Times are milliseconds since 1970 UTC, sizes are bytes. */
export type LiveState = ReturnType<ReturnType<typeof liveStates>>;
/** A destination of one job. */
export type DestinationView = LiveState["destinations"][number];
export type JobView = LiveState["jobs"][number];
/** A delivery that is being sent; `bytes` of `size` are there. */
export type TransferView = LiveState["transfers"][number];
/** A file that has no delivery yet. */
export type WaitingView = LiveState["waiting"][number];

/** Gathers the state at a moment. */
export function liveStates(source: DaemonState) {
  const lastDelivered = lastDeliveries(source);
  return (now: number) => {
    const { jobs, destinations, tonight, status, overview } = judged(source, now);
    const trouble = troubleOf(overview, { ...source, jobs, destinations }, MOST.trouble);
    const speeds = source.progress.running(now);
    return {
      // What is not sent is in `waiting` and in `trouble` already.
      status: { ...status, jobs: status.jobs.map((job) => ({ ...job, not_sent: [] })) } as StatusReport,
      headline: status.headline,
      tonight,
      /** The site's time zone, e.g. `America/Santiago`, by which the nights of the first job change; else that of the daemon's computer. */
      zone: jobs[0]?.job.night.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
      destinations: destinations.map((one) => {
        const { job, name } = one.destination;
        return {
          ...destinationView(one),
          /** Over the last seconds. */
          bytesPerSecond: speeds.find((speed) => speed.job === job && speed.destination === name)?.bytesPerSecond ?? 0,
          /** When the oldest that still waits was queued; null if none waits. */
          oldestWaiting: source.ledger.oldestWaiting(job, name),
          /** Null where nothing was delivered yet, as far as is known. */
          lastDelivered: lastDelivered(one.destination, one.counts.delivered),
        };
      }),
      jobs: jobs.map((job) => jobView(job, now)),
      /** What is being sent; `bytes` grows. */
      transfers: source.progress.transfers().slice(0, MOST.transfers).map(({ delivery, bytes, since }) => {
        const { id, destination, source: { job, path: name, size } } = delivery;
        return { id, job, destination, name, size, bytes: Math.min(bytes, size), since };
      }),
      /** Files that grow, or are waited for, or were given up as incomplete; see `files_waiting` of the status for all. */
      waiting: jobs.flatMap(({ job, waiting }) => waiting.map(({ path, ...rest }) => ({ job: job.name, name: path, ...rest })))
        .slice(0, MOST.waiting),
      /** The images that were delivered last, newest first, each file once: as many rows are read as may be needed for that. */
      newest: eachFileOnce(
        source.ledger.query({ ...LATEST, limit: MOST.newest * Math.max(1, destinations.length) }),
        MOST.newest,
      ),
      /** Worst first, as are the causes of all. */
      trouble: trouble.items,
      troubleCauses: trouble.causes,
      troubleCount: trouble.count,
    };
  };
}

/** What was delivered before this start is looked up once: reading back to a destination that got nothing for long takes time. */
function lastDeliveries({ ledger, progress }: DaemonState): (to: Destination, delivered: number) => number | null {
  const before = new Map<string, number>();
  return ({ job, name }, delivered) => {
    const key = JSON.stringify([job, name]);
    const known = progress.lastDelivered(job, name) ?? before.get(key) ?? null;
    if (known !== null || delivered === 0) return known;
    const [row] = ledger.query({ ...LATEST, job, destination: name, limit: 1 });
    const at = row?.deliveredAt ?? null;
    if (at !== null) before.set(key, at);
    return at;
  };
}

function jobView({ job, how, failure, waiting, nextRun, lastImage, usualMs }: JobNow, now: number) {
  return {
    name: job.name,
    watchPath: job.watchPath,
    /** Null while the folder is not watched; then `failure` says why. */
    watching: how,
    failure: failure && toldOf(failure),
    filesWaiting: waiting.length,
    /** Of those, how many are given up as incomplete until they change, or were rejected. */
    notTaken: waiting.filter(({ reason }) => reason === "incomplete" || reason === "refused").length,
    nextRun,
    lastImage,
    usualMs,
    /** The last image of tonight is older than five usual intervals. */
    silent: isSilent({ lastImage, usualMs }, job.night, now),
  };
}

function destinationView(
  { destination, method, state, freeBytes, limit, counts, heldRemovals, since, outages }: Judged["destinations"][number],
) {
  return {
    job: destination.job,
    name: destination.name,
    place: placeOf(destination),
    method,
    state: state.state,
    /** When it is tried again; null where it is open or paused. */
    until: "until" in state ? state.until : null,
    failure: "failure" in state ? toldOf(state.failure) : null,
    pausedBy: state.state === "paused" ? state.by : null,
    freeBytes,
    limit,
    counts,
    /** When it came into this state, as far as that is known; null while it is open. */
    since,
    /** Of the last twelve hours. */
    outages,
    /** Where a mirror waits for a person before it removes files. */
    removalsHeld: heldRemovals && { ...heldRemovals, accept: acceptCommand(destination.job, destination.name) },
  };
}
