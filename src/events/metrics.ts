/**
 * The metrics for Prometheus: counters hear the event stream, gauges are read when they are asked for. In a registry of its own.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { AUDIT_VERDICTS, type AuditRun } from "../domain/audit.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import { LOG_LEVELS, type LogLevel, logLine } from "./log_line.ts";

/** What gauges show, read at each scrape. Times in milliseconds since 1970 UTC, sizes in bytes. */
export interface Gauges {
  readonly now: number;
  /** Processor time since the process started, user and system. */
  readonly usage: { readonly rssBytes: number; readonly cpuSeconds: number };
  readonly jobs: readonly {
    readonly name: string;
    readonly watched: boolean;
    readonly filesWaiting: number;
    readonly nextRun: number | null;
    readonly lastImage: number | null;
    readonly usualMs: number | null;
  }[];
  readonly destinations: readonly {
    readonly job: string;
    readonly name: string;
    readonly state: string;
    readonly freeBytes: number | null;
    readonly queued: number;
    readonly sending: number;
    readonly deferred: number;
    readonly failed: number;
    readonly oldestWaiting: number | null;
    readonly damaged?: number;
    readonly vanished?: number;
    /** The audit that runs or ran last; null where it has none. */
    readonly audit: AuditRun | null;
  }[];
  readonly hooks: readonly { readonly job: string; readonly hook: string; readonly waiting: number }[];
}

const DESTINATION_STATES = ["open", "backing_off", "on_hold", "paused", "closed"] as const;

const DELIVERY_STATES = ["queued", "sending", "deferred", "failed"] as const;

interface MetricsSources {
  readonly startedAt: number;
  readonly version: string;
  readonly read: () => Gauges;
  /** Lines below it are not written. */
  readonly logLevel: () => LogLevel;
}

/** Memory of the process only: counters begin at 0 with each start. */
export function metrics({ startedAt, version, read, logLevel }: MetricsSources) {
  const registry = new Registry();
  const all = metricSet(registry);
  /** When the attempts under way began, by delivery. */
  const begun = new Map<number, number>();
  /** The destinations whose histograms exist. */
  const places = new Set<string>();
  /** Processor time at the last scrape, and when that was. */
  let [cpuSeconds, cpuAt] = [0, startedAt];

  function count(event: TransferEvent): void {
    switch (event.type) {
      case "queued":
        begun.delete(event.delivery.id);
        return;
      case "sending":
        begun.set(event.delivery.id, event.at);
        return;
      case "hook":
        return all.hookCalls.inc({ sync_job: event.job, event: event.on, result: event.result });
      case "pocketbase":
        all.pocketbaseRequests.inc({ collection: event.collection, result: event.result === "ok" ? "ok" : "error" });
        if (event.result === "unreachable") all.pocketbaseErrors.inc();
        return all.pocketbaseDuration.observe({ collection: event.collection }, event.milliseconds / 1000);
      case "log_upload":
        all.logBuffer.set(event.waiting);
        return event.failed ? all.logUploadErrors.inc() : undefined;
      case "run_ended":
        all.runs.inc({ sync_job: event.job });
        return all.runDuration.observe({ sync_job: event.job }, event.milliseconds / 1000);
      case "delivered":
      case "deferred":
      case "failed": {
        const { id, source, destination, state, queuedAt } = event.delivery;
        const place = { sync_job: source.job, destination };
        // One image is one delivery: what was there already has been counted, or was not sent by us.
        const result = event.type === "delivered" && event.found ? "found" : event.type;
        all.operations.inc({ ...place, result });
        places.add(`${source.job}\0${destination}`);
        const since = begun.get(id);
        if (since !== undefined) all.duration.observe(place, Math.max(0, event.at - since) / 1000);
        begun.delete(id);
        if (state.state === "deferred" || state.state === "failed") all.errors.inc({ ...place, code: state.failure.code });
        if (event.type === "deferred") return;
        all.files.inc({ ...place, result });
        if (state.state !== "delivered" || result === "found") return;
        all.bytes.inc(place, state.receipt.bytes);
        all.latency.observe(place, Math.max(0, event.at - queuedAt) / 1000);
      }
    }
  }

  function observePlaces({ now, jobs, destinations, hooks }: Gauges): void {
    // A job or destination that a reload took away must not stay.
    const ofJobs = [all.waiting, all.nextRun, all.lastImage, all.usualInterval, all.hookBacklog];
    const ofDestinations = [all.depth, all.oldest, all.state, all.free, all.lost];
    const ofAudits = [all.auditFiles, all.auditSentAgain, all.auditGoal, all.auditBegun, all.auditEnded];
    for (const gauge of [...ofJobs, ...ofDestinations, ...ofAudits]) gauge.reset();
    for (const { name, filesWaiting, nextRun, lastImage, usualMs } of jobs) {
      all.waiting.set({ sync_job: name }, filesWaiting);
      if (lastImage !== null) all.lastImage.set({ sync_job: name }, lastImage / 1000);
      if (usualMs !== null) all.usualInterval.set({ sync_job: name }, usualMs / 1000);
      if (nextRun !== null) all.nextRun.set({ sync_job: name }, nextRun / 1000);
    }
    // Two hooks of a job may have the same address.
    for (const { job, hook, waiting } of hooks) all.hookBacklog.inc({ sync_job: job, hook }, waiting);
    for (const one of destinations) {
      const place = { sync_job: one.job, destination: one.name };
      all.lost.set({ ...place, found: "damaged" }, one.damaged ?? 0);
      all.lost.set({ ...place, found: "vanished" }, one.vanished ?? 0);
      if (one.audit !== null) {
        const { found, sentAgain, goal, begunAt, endedAt } = one.audit;
        for (const verdict of AUDIT_VERDICTS) all.auditFiles.set({ ...place, found: verdict }, found[verdict]);
        all.auditSentAgain.set(place, sentAgain);
        all.auditGoal.set(place, goal);
        all.auditBegun.set(place, begunAt / 1000);
        if (endedAt !== null) all.auditEnded.set(place, endedAt / 1000);
      }
      for (const state of DELIVERY_STATES) all.depth.set({ ...place, state }, one[state]);
      for (const state of DESTINATION_STATES) all.state.set({ ...place, state }, one.state === state ? 1 : 0);
      all.oldest.set(place, one.oldestWaiting === null ? 0 : Math.max(0, now - one.oldestWaiting) / 1000);
      if (one.freeBytes !== null) all.free.set(place, one.freeBytes);
      // There from the first scrape on, so that the first delivery is seen as an increase.
      for (const result of ["delivered", "failed"]) all.files.inc({ ...place, result }, 0);
      for (const result of ["delivered", "deferred", "failed"]) all.operations.inc({ ...place, result }, 0);
      all.bytes.inc(place, 0);
      const key = `${one.job}\0${one.name}`;
      if (places.has(key)) continue;
      places.add(key);
      all.duration.zero(place);
      all.latency.zero(place);
    }
  }

  return {
    /** The media type of Prometheus' text exposition format. */
    type: registry.contentType,
    listen(event: TransferEvent): void {
      count(event);
      const level = logLine(event, logLevel())?.level;
      if (level !== undefined && LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(logLevel())) all.logEntries.inc({ level });
    },
    async text(): Promise<string> {
      const gauges = read();
      const { now, usage, jobs, destinations } = gauges;
      all.uptime.set(Math.max(0, now - startedAt) / 1000);
      all.memory.set(usage.rssBytes);
      if (now > cpuAt) all.cpu.set(Math.max(0, 100 * (usage.cpuSeconds - cpuSeconds) / ((now - cpuAt) / 1000)));
      [cpuSeconds, cpuAt] = [usage.cpuSeconds, now];
      all.info.set({ version }, 1);
      all.activeJobs.set(new Set(destinations.filter(({ sending }) => sending > 0).map(({ job }) => job)).size);
      all.watchers.set(jobs.filter(({ watched }) => watched).length);
      for (const level of LOG_LEVELS) all.logEntries.inc({ level }, 0);
      observePlaces(gauges);
      return await registry.metrics();
    },
  };
}

/** Not `job`: Prometheus itself gives that label to all that it scrapes. */
const PLACE = ["sync_job", "destination"] as const;
const JOB = ["sync_job"] as const;
const by = <T extends string>(label: T) => [...PLACE, label] as const;

/** From a quarter of a second, which a good link takes, to the hour of an outage. */
const LATENCY_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400];
const DURATION_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];
const REQUEST_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * All metrics by the name that the code uses; seconds and bytes, as Prometheus asks for base units. The names of the first sixteen are contracts of
 * an older program; ours begin with `image_transfer_`.
 */
function metricSet(registry: Registry) {
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Counter<T>({ name, help, labelNames, registers });
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Gauge<T>({ name, help, labelNames, registers });
  const histogram = <T extends string>(name: string, help: string, buckets: number[], labelNames: readonly T[] = []) =>
    new Histogram<T>({ name, help, buckets, labelNames, registers });
  return {
    operations: counter("sync_operations_total", "Attempts to deliver a file to a destination, by result.", by("result")),
    duration: histogram("sync_operations_duration_seconds", "Duration of attempts, from start to end.", DURATION_BUCKETS, PLACE),
    files: counter(
      "sync_files_processed_total",
      "Deliveries that are final: delivered, or failed until retried by hand.",
      by("result"),
    ),
    bytes: counter("sync_bytes_transferred_total", "Bytes of delivered files.", PLACE),
    errors: counter("sync_errors_total", "Failed attempts, by error code.", by("code")),
    uptime: gauge("daemon_uptime_seconds", "Time since the daemon started."),
    memory: gauge("daemon_memory_usage_bytes", "Resident memory of the daemon."),
    cpu: gauge("daemon_cpu_usage_percent", "Processor time used since the last scrape; 100 is one processor."),
    activeJobs: gauge("active_sync_jobs", "Jobs that are sending files now."),
    watchers: gauge("file_watchers_active", "Jobs whose folder is watched, by events or by polling."),
    pocketbaseRequests: counter("pocketbase_requests_total", "Requests to PocketBase.", ["collection", "result"]),
    pocketbaseDuration: histogram("pocketbase_request_duration_seconds", "Duration of requests to PocketBase.", REQUEST_BUCKETS, [
      "collection",
    ]),
    pocketbaseErrors: counter("pocketbase_connection_errors_total", "Requests that could not reach the PocketBase server."),
    logEntries: counter("log_entries_total", "Log lines written, by level.", ["level"]),
    logUploadErrors: counter("log_upload_errors_total", "Uploads of log lines that failed."),
    logBuffer: gauge("log_buffer_size", "Log lines waiting for upload."),

    depth: gauge("image_transfer_queue_deliveries", "Deliveries not delivered yet or failed, by state.", by("state")),
    oldest: gauge(
      "image_transfer_oldest_undelivered_age_seconds",
      "Age of the oldest waiting delivery; 0 if none is waiting.",
      PLACE,
    ),
    latency: histogram(
      "image_transfer_delivery_latency_seconds",
      "Time from a finished file to its verified delivery.",
      LATENCY_BUCKETS,
      PLACE,
    ),
    state: gauge("image_transfer_destination_state", "1 for the current state of a destination, 0 for the others.", by("state")),
    free: gauge("image_transfer_destination_free_bytes", "Free space at a destination, where it is known.", PLACE),
    waiting: gauge("image_transfer_files_waiting", "Files that were seen and are not finished yet.", JOB),
    lastImage: gauge(
      "image_transfer_last_image_timestamp_seconds",
      "When the last image of a job was finished, seconds since 1970 UTC; none before the first.",
      JOB,
    ),
    usualInterval: gauge(
      "image_transfer_usual_image_interval_seconds",
      "The usual time between two images of a job; none while too few came to tell.",
      JOB,
    ),
    hookCalls: counter("image_transfer_hook_calls_total", "Calls of hooks. `late`: it is called again for the event.", [
      "sync_job",
      "event",
      "result",
    ]),
    runs: counter("image_transfer_runs_total", "Runs of a job with a schedule that ended.", JOB),
    runDuration: histogram("image_transfer_run_duration_seconds", "Duration of these runs.", DURATION_BUCKETS, JOB),
    nextRun: gauge(
      "image_transfer_next_run_timestamp_seconds",
      "When the schedule of a job sends next, seconds since 1970 UTC; none while it sends.",
      JOB,
    ),
    hookBacklog: gauge("image_transfer_hook_backlog_events", "Events that a hook has not been called for yet.", [
      "sync_job",
      "hook",
    ]),
    info: gauge("image_transfer_build_info", "The running version, as a label of the constant 1.", ["version"]),

    auditFiles: gauge(
      "image_transfer_audit_files",
      "Files hashed again by the audit that runs or ran last, by what was found. `unproven`: the size alone could be compared.",
      by("found"),
    ),
    auditSentAgain: gauge("image_transfer_audit_sent_again_files", "Of those, files that were sent again.", PLACE),
    auditGoal: gauge("image_transfer_audit_goal_files", "Files that audit is to look at.", PLACE),
    auditBegun: gauge("image_transfer_audit_begin_timestamp_seconds", "When it began, seconds since 1970 UTC.", PLACE),
    auditEnded: gauge("image_transfer_audit_end_timestamp_seconds", "When it ended; none while it runs.", PLACE),
    lost: gauge(
      "image_transfer_lost_files",
      "Delivered files that an audit found damaged or vanished and that were not sent again, by what was found.",
      by("found"),
    ),
  };
}
