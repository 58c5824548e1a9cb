/** All that the view Now shows, gathered from the running daemon. */
import { acceptCommand } from "../../delivery/mirror/mirror.ts";
import type { Destination } from "../../config/settings.ts";
import type { Transfer } from "../../events/progress.ts";
import type { DestinationView, JobView, LiveState, TransferView } from "../api_types.ts";
import { eachFileOnce } from "../delivery/delivery_view.ts";
import type { DaemonState, JobNow } from "../page_source.ts";
import { type Judged, judged } from "./facts.ts";
import { isSilent } from "./status_report.ts";
import { placeOf, troubleOf } from "./trouble.ts";

/** Longest lists that are sent. */
const MOST = { transfers: 50, waiting: 50, newest: 24, trouble: 50 } as const;

/** Gathers the state at `now`, milliseconds since 1970 UTC. */
export function liveStates(source: DaemonState): (now: number) => LiveState {
  const lastDelivered = lastDeliveries(source);
  return (now) => {
    const { jobs, destinations, tonight, status, overview } = judged(source, now);
    const { items: trouble, causes: troubleCauses, count: troubleCount } = troubleOf(
      overview,
      { ...source, jobs, destinations },
      MOST.trouble,
    );
    const speeds = source.progress.running(now);
    const speedOf = ({ job, name }: Destination) =>
      speeds.find((one) => one.job === job && one.destination === name)?.bytesPerSecond ?? 0;
    return {
      // What is not sent is in `waiting` and in `trouble` already.
      status: { ...status, jobs: status.jobs.map((job) => ({ ...job, not_sent: [] })) },
      headline: status.headline,
      tonight,
      zone: zoneOf(jobs),
      destinations: destinations.map((one) => ({
        ...destinationView(one),
        bytesPerSecond: speedOf(one.destination),
        oldestWaiting: source.ledger.oldestWaiting(one.destination.job, one.destination.name),
        lastDelivered: lastDelivered(one.destination, one.counts.delivered),
      })),
      jobs: jobs.map((job) => jobView(job, now)),
      transfers: source.progress.transfers().slice(0, MOST.transfers).map(transferView),
      waiting: jobs.flatMap(({ job, waiting }) => waiting.map(({ path, ...rest }) => ({ job: job.name, name: path, ...rest })))
        .slice(0, MOST.waiting),
      newest: newestImages(source, destinations.length),
      trouble,
      troubleCauses,
      troubleCount,
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
    const [row] = ledger.query({
      job,
      destination: name,
      states: ["delivered"],
      sort: "delivered_at",
      descending: true,
      limit: 1,
    });
    const at = row?.deliveredAt ?? null;
    if (at !== null) before.set(key, at);
    return at;
  };
}

/** A file that went to several destinations is shown once, so as many rows are read as may be needed. */
function newestImages({ ledger }: DaemonState, destinations: number): LiveState["newest"] {
  const limit = MOST.newest * Math.max(1, destinations);
  const rows = ledger.query({ states: ["delivered"], sort: "delivered_at", descending: true, limit });
  return eachFileOnce(rows, MOST.newest);
}

/** The zone by which the nights of the first job change. */
function zoneOf(jobs: readonly JobNow[]): string {
  return jobs[0]?.job.night.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function jobView({ job, how, failure, waiting, nextRun, lastImage, usualMs }: JobNow, now: number): JobView {
  return {
    name: job.name,
    watchPath: job.watchPath,
    watching: how,
    failure: failure && { code: failure.code, message: failure.message, hint: failure.hint },
    filesWaiting: waiting.length,
    notTaken: waiting.filter(({ reason }) => reason === "incomplete" || reason === "refused").length,
    nextRun,
    lastImage,
    usualMs,
    silent: isSilent({ lastImage, usualMs }, job.night, now),
  };
}

function destinationView(
  { destination, method, state, freeBytes, limit, counts, heldRemovals, since, outages }: Judged["destinations"][number],
): Omit<DestinationView, "bytesPerSecond" | "oldestWaiting" | "lastDelivered"> {
  const failure = state.state === "on_hold" || state.state === "backing_off" ? state.failure : null;
  return {
    job: destination.job,
    name: destination.name,
    place: placeOf(destination),
    method,
    state: state.state,
    until: "until" in state ? state.until : null,
    failure: failure && { code: failure.code, message: failure.message, hint: failure.hint },
    pausedBy: state.state === "paused" ? state.by : null,
    freeBytes,
    limit,
    counts,
    since,
    outages,
    removalsHeld: heldRemovals && { ...heldRemovals, accept: acceptCommand(destination.job, destination.name) },
  };
}

function transferView({ delivery: { id, source, destination }, bytes, since }: Transfer): TransferView {
  const { job, path: name, size } = source;
  return { id, job, destination, name, size, bytes: Math.min(bytes, size), since };
}
