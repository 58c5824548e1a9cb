/**
 * The metrics for Prometheus: counters hear the event stream, gauges are read when they are asked for. In a registry of its own.
 *
 * @module
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { AUDIT_VERDICTS, type AuditRun } from "../domain/audit.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import { LOG_LEVELS, type LogLevel, logLine } from "./log_line.ts";
import { metricSet } from "./metric_set.ts";

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
  /** Events that wait for each hook. */
  readonly hooks: readonly { readonly job: string; readonly hook: string; readonly waiting: number }[];
}

/** Memory of the process only: counters begin at 0 with each start. */
interface Metrics {
  /** Hears the event stream. */
  listen(event: TransferEvent): void;
  /** The text that Prometheus reads, and its media type. */
  text(): Promise<string>;
  /** Of Prometheus' text exposition format. */
  readonly type: string;
}

/** The label `state` of `image_transfer_destination_state`. */
const DESTINATION_STATES = ["open", "backing_off", "on_hold", "paused", "closed"] as const;

/** The label `state` of `image_transfer_queue_deliveries`. */
const DELIVERY_STATES = ["queued", "sending", "deferred", "failed"] as const;

/** What the metrics are made of. */
interface MetricsTools {
  /** Milliseconds since 1970 UTC. */
  readonly startedAt: number;
  readonly version: string;
  /** Called at each scrape. */
  readonly read: () => Gauges;
  /** Lines below it are not written. */
  readonly logLevel: () => LogLevel;
}

/** Makes the metrics. */
export function metrics({ startedAt, version, read, logLevel }: MetricsTools): Metrics {
  const registry = new Registry();
  const all = metricSet({ Counter, Gauge, Histogram }, registry);
  const kept: Kept = { startedAt, version, begun: new Map(), known: new Set(), cpuSeconds: 0, cpuAt: startedAt };
  return {
    type: registry.contentType,
    listen(event) {
      count(event, all, kept);
      const level = logLine(event, logLevel())?.level;
      if (level !== undefined && LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(logLevel())) all.logEntries.inc({ level });
    },
    async text() {
      const gauges = read();
      observeProcess(gauges, all, kept);
      observePlaces(gauges, all, kept);
      return await registry.metrics();
    },
  };
}

type All = ReturnType<typeof metricSet>;

/** What is remembered from event to event, and from scrape to scrape. */
interface Kept extends Pick<MetricsTools, "startedAt" | "version"> {
  /** When the attempts under way began, by delivery. */
  readonly begun: Map<number, number>;
  /** The destinations whose histograms exist. */
  readonly known: Set<string>;
  /** Processor time at the last scrape, and when that was. */
  cpuSeconds: number;
  cpuAt: number;
}

function count(event: TransferEvent, all: All, { begun, known }: Kept): void {
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
      known.add(`${source.job}\0${destination}`);
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

function observeProcess({ now, usage, jobs, destinations }: Gauges, all: All, kept: Kept): void {
  all.uptime.set(Math.max(0, now - kept.startedAt) / 1000);
  all.memory.set(usage.rssBytes);
  if (now > kept.cpuAt) all.cpu.set(Math.max(0, 100 * (usage.cpuSeconds - kept.cpuSeconds) / ((now - kept.cpuAt) / 1000)));
  [kept.cpuSeconds, kept.cpuAt] = [usage.cpuSeconds, now];
  all.info.set({ version: kept.version }, 1);
  all.activeJobs.set(new Set(destinations.filter(({ sending }) => sending > 0).map(({ job }) => job)).size);
  all.watchers.set(jobs.filter(({ watched }) => watched).length);
  for (const level of LOG_LEVELS) all.logEntries.inc({ level }, 0);
}

const auditGauges = (
  { auditFiles, auditSentAgain, auditGoal, auditBegun, auditEnded, lost }: All,
) => [auditFiles, auditSentAgain, auditGoal, auditBegun, auditEnded, lost];

function observeAudit(
  { audit, damaged = 0, vanished = 0 }: Gauges["destinations"][number],
  place: { readonly sync_job: string; readonly destination: string },
  all: All,
): void {
  all.lost.set({ ...place, found: "damaged" }, damaged);
  all.lost.set({ ...place, found: "vanished" }, vanished);
  if (audit === null) return;
  for (const found of AUDIT_VERDICTS) all.auditFiles.set({ ...place, found }, audit.found[found]);
  all.auditSentAgain.set(place, audit.sentAgain);
  all.auditGoal.set(place, audit.goal);
  all.auditBegun.set(place, audit.begunAt / 1000);
  if (audit.endedAt !== null) all.auditEnded.set(place, audit.endedAt / 1000);
}

function observePlaces({ now, jobs, destinations, hooks }: Gauges, all: All, { known }: Kept): void {
  // A job or destination that a reload took away must not stay.
  const shown = [all.waiting, all.depth, all.oldest, all.state, all.free, all.nextRun, all.lastImage, all.usualInterval];
  for (const gauge of [...shown, ...auditGauges(all), all.hookBacklog]) gauge.reset();
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
    observeAudit(one, place, all);
    for (const state of DELIVERY_STATES) all.depth.set({ ...place, state }, one[state]);
    for (const state of DESTINATION_STATES) all.state.set({ ...place, state }, one.state === state ? 1 : 0);
    all.oldest.set(place, one.oldestWaiting === null ? 0 : Math.max(0, now - one.oldestWaiting) / 1000);
    if (one.freeBytes !== null) all.free.set(place, one.freeBytes);
    // There from the first scrape on, so that the first delivery is seen as an increase.
    for (const result of ["delivered", "failed"]) all.files.inc({ ...place, result }, 0);
    for (const result of ["delivered", "deferred", "failed"]) all.operations.inc({ ...place, result }, 0);
    all.bytes.inc(place, 0);
    const key = `${one.job}\0${one.name}`;
    if (known.has(key)) continue;
    known.add(key);
    all.duration.zero(place);
    all.latency.zero(place);
  }
}
