/** The page and the metrics of a running daemon, put together. */
import type { Settings } from "../config/settings.ts";
import { VERSION } from "../domain/version.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import type { EventStream } from "../events/event_stream.ts";
import type { Gauges } from "../events/metrics.ts";
import type { System } from "../system/system.ts";
import type { DaemonControl } from "../reports/daemon_control.ts";
import type { CheckFinding, DaemonState, HookCall, LastReload, PageSource } from "../reports/page_source.ts";
import type { HttpApp } from "./control/http_app.ts";
import { reportSchedule } from "../reports/morning/report_schedule.ts";
import { webPlace } from "../web/server/web_server.ts";

/** What the page is made of; functions where the answer may change with a reload. */
interface DaemonWebTools {
  readonly system: System;
  readonly events: EventStream;
  readonly source: PageSource;
  readonly http: HttpApp;
  readonly settings: () => Settings;
  readonly startedAt: number;
  /** Told where the page is now; null for nowhere. */
  readonly moved: (url: string | null) => unknown;
}

/** What the page may ask and do: of the control no more than is named here. */
export function pageSource(
  state: DaemonState,
  control: DaemonControl,
  { listen, setup, others, check }: Pick<PageSource, "listen" | "setup" | "others" | "check">,
): PageSource {
  let checking: Promise<readonly CheckFinding[]> | null = null;
  return {
    ...state,
    listen,
    setup,
    others,
    check: check === null ? null : async () => {
      // Who asks during a run gets its result.
      checking ??= check().finally(() => checking = null);
      return await checking;
    },
    sync: (job) => control.sync(job),
    retry: (ids) => control.retry(ids),
    pause: (destination, by) => control.pause(destination, by),
    // Never that another disk is the right one.
    resume: (destination) => control.resume(destination),
    acceptRemoved: (job) => control.acceptRemoved(job),
  };
}

export type DaemonWeb = Awaited<ReturnType<typeof daemonWeb>>;

/** The page, the metrics and the report of one daemon: counts from now on; listens, and sends reports, when it is given settings. */
export async function daemonWeb({ system, events, source, http, settings, startedAt, moved }: DaemonWebTools) {
  const { emit } = events;
  const { metrics } = await import("../events/metrics.ts");
  const counted = metrics({
    startedAt,
    version: VERSION,
    read: () => gaugesOf(source, system),
    logLevel: () => settings().log.level,
  });
  events.listen(counted.listen);
  const place = webPlace({
    source,
    system,
    emit,
    moved,
    answer: (request, env) => http.fetch(request, { listener: "page", ...env }),
    metrics: counted,
    stateDirectory: settings().stateDirectory,
    onError: (error) => emit({ type: "notice", level: "error", message: "A request from the page failed", error }),
  });
  const reports = reportSchedule({ source, system, emit });
  return {
    server: () => place.server(),
    /** Makes these settings the active ones. */
    async adopt({ web, report }: Pick<Settings, "web" | "report">): Promise<void> {
      reports.adopt(report);
      await place.adopt(web);
    },
    async stop(): Promise<void> {
      await Promise.all([place.stop(), reports.stop()]);
    },
  };
}

function gaugesOf(source: PageSource, system: Pick<System, "now" | "usage">): Gauges {
  return {
    now: system.now(),
    usage: system.usage(),
    jobs: source.jobs().map(({ job, how, nextRun, lastImage, usualMs, waiting }) => ({
      name: job.name,
      watched: how !== null,
      filesWaiting: waiting.length,
      nextRun,
      lastImage,
      usualMs,
    })),
    hooks: source.hooks(),
    destinations: source.destinations().map(({ destination: { job, name }, state, freeBytes, audit }) => ({
      audit: audit?.run ?? null,
      job,
      name,
      state: state.state,
      freeBytes,
      ...source.ledger.counts(job, name),
      oldestWaiting: source.ledger.oldestWaiting(job, name),
    })),
  };
}

/** Remembers what the Setup view shows of the past: how the last reload and the last call of each hook came out, since the start. */
export function setupLog() {
  let reload: LastReload | null = null;
  const calls = new Map<string, HookCall>();
  const keyOf = (job: string, hook: string) => JSON.stringify([job, hook]);
  return {
    listen(event: TransferEvent): void {
      if (event.type === "reloaded") reload = { at: event.at, problem: null };
      else if (event.type === "reload_refused") reload = { at: event.at, problem: event.message };
      else if (event.type === "hook") {
        const { at, on, result, said } = event;
        calls.set(keyOf(event.job, event.hook), { at, on, result, said });
      }
    },
    /** Null before the first. */
    reload: (): LastReload | null => reload,
    /** `hook` is the name that events have; null before the first call. */
    hookCall: (job: string, hook: string): HookCall | null => calls.get(keyOf(job, hook)) ?? null,
  };
}
