/**
 * Names, kinds, labels and help of all metrics. Seed 2's sixteen names are contracts; ours begin with `image_transfer_`.
 *
 * @module
 */
import type { Counter, Gauge, Histogram, Registry } from "prom-client";

/** The library's classes. */
interface MetricKinds {
  readonly Counter: typeof Counter;
  readonly Gauge: typeof Gauge;
  readonly Histogram: typeof Histogram;
}

/** Not `job`: Prometheus itself gives that label to all that it scrapes. */
const PLACE = ["sync_job", "destination"] as const;

/** From a quarter of a second, which a good link takes, to the hour of an outage. */
const LATENCY_BUCKETS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400];
const DURATION_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];
const REQUEST_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** All of them by the name that the code uses, registered in `registry`; seconds and bytes, as Prometheus asks for base units. */
export function metricSet(kinds: MetricKinds, registry: Registry) {
  const makers = makersOf(kinds, registry);
  return { ...contractMetrics(makers), ...ownMetrics(makers), ...auditMetrics(makers) };
}

type Makers = ReturnType<typeof makersOf>;

function makersOf({ Counter, Gauge, Histogram }: MetricKinds, registry: Registry) {
  const registers = [registry];
  return {
    counter: <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
      new Counter<T>({ name, help, labelNames, registers }),
    gauge: <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
      new Gauge<T>({ name, help, labelNames, registers }),
    histogram: <T extends string>(name: string, help: string, buckets: number[], labelNames: readonly T[] = []) =>
      new Histogram<T>({ name, help, buckets, labelNames, registers }),
  };
}

/** Seed 2's sixteen. */
function contractMetrics({ counter, gauge, histogram }: Makers) {
  return {
    operations: counter("sync_operations_total", "Attempts to deliver a file to a destination, by result.", [
      ...PLACE,
      "result",
    ]),
    duration: histogram(
      "sync_operations_duration_seconds",
      "Duration of attempts, from start to end.",
      DURATION_BUCKETS,
      PLACE,
    ),
    files: counter("sync_files_processed_total", "Deliveries that are final: delivered, or failed until retried by hand.", [
      ...PLACE,
      "result",
    ]),
    bytes: counter("sync_bytes_transferred_total", "Bytes of delivered files.", PLACE),
    errors: counter("sync_errors_total", "Failed attempts, by error code.", [...PLACE, "code"]),
    uptime: gauge("daemon_uptime_seconds", "Time since the daemon started."),
    memory: gauge("daemon_memory_usage_bytes", "Resident memory of the daemon."),
    cpu: gauge("daemon_cpu_usage_percent", "Processor time used since the last scrape; 100 is one processor."),
    activeJobs: gauge("active_sync_jobs", "Jobs that are sending files now."),
    watchers: gauge("file_watchers_active", "Jobs whose folder is watched, by events or by polling."),
    pocketbaseRequests: counter("pocketbase_requests_total", "Requests to PocketBase.", ["collection", "result"]),
    pocketbaseDuration: histogram(
      "pocketbase_request_duration_seconds",
      "Duration of requests to PocketBase.",
      REQUEST_BUCKETS,
      [
        "collection",
      ],
    ),
    pocketbaseErrors: counter("pocketbase_connection_errors_total", "Requests that could not reach the PocketBase server."),
    logEntries: counter("log_entries_total", "Log lines written, by level.", ["level"]),
    logUploadErrors: counter("log_upload_errors_total", "Uploads of log lines that failed."),
    logBuffer: gauge("log_buffer_size", "Log lines waiting for upload."),
  };
}

function ownMetrics({ counter, gauge, histogram }: Makers) {
  return {
    depth: gauge("image_transfer_queue_deliveries", "Deliveries not delivered yet or failed, by state.", [...PLACE, "state"]),
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
    state: gauge("image_transfer_destination_state", "1 for the current state of a destination, 0 for the others.", [
      ...PLACE,
      "state",
    ]),
    free: gauge("image_transfer_destination_free_bytes", "Free space at a destination, where it is known.", PLACE),
    waiting: gauge("image_transfer_files_waiting", "Files that were seen and are not finished yet.", ["sync_job"]),
    lastImage: gauge(
      "image_transfer_last_image_timestamp_seconds",
      "When the last image of a job was finished, seconds since 1970 UTC; none before the first.",
      ["sync_job"],
    ),
    usualInterval: gauge(
      "image_transfer_usual_image_interval_seconds",
      "The usual time between two images of a job; none while too few came to tell.",
      ["sync_job"],
    ),
    hookCalls: counter("image_transfer_hook_calls_total", "Calls of hooks. `late`: it is called again for the event.", [
      "sync_job",
      "event",
      "result",
    ]),
    runs: counter("image_transfer_runs_total", "Runs of a job with a schedule that ended.", ["sync_job"]),
    runDuration: histogram("image_transfer_run_duration_seconds", "Duration of these runs.", DURATION_BUCKETS, ["sync_job"]),
    nextRun: gauge(
      "image_transfer_next_run_timestamp_seconds",
      "When the schedule of a job sends next, seconds since 1970 UTC; none while it sends.",
      ["sync_job"],
    ),
    hookBacklog: gauge("image_transfer_hook_backlog_events", "Events that a hook has not been called for yet.", [
      "sync_job",
      "hook",
    ]),
    info: gauge("image_transfer_build_info", "The running version, as a label of the constant 1.", ["version"]),
  };
}

function auditMetrics({ gauge }: Makers) {
  return {
    auditFiles: gauge(
      "image_transfer_audit_files",
      "Files hashed again by the audit that runs or ran last, by what was found. `unproven`: the size alone could be compared.",
      [...PLACE, "found"],
    ),
    auditSentAgain: gauge("image_transfer_audit_sent_again_files", "Of those, files that were sent again.", PLACE),
    auditGoal: gauge("image_transfer_audit_goal_files", "Files that audit is to look at.", PLACE),
    auditBegun: gauge("image_transfer_audit_begin_timestamp_seconds", "When it began, seconds since 1970 UTC.", PLACE),
    auditEnded: gauge("image_transfer_audit_end_timestamp_seconds", "When it ended; none while it runs.", PLACE),
    lost: gauge(
      "image_transfer_lost_files",
      "Delivered files that an audit found damaged or vanished and that were not sent again, by what was found.",
      [...PLACE, "found"],
    ),
  };
}
