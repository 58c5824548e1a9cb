/** A daemon that only answers: behind the real control channel, with the real lock. */
import { withoutFile } from "../../src/config/read/load.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { httpApp } from "../../src/daemon/control/http_app.ts";
import { controlServer } from "../../src/daemon/control/control_server.ts";
import type { DaemonControl } from "../../src/reports/daemon_control.ts";
import type { JobNow } from "../../src/reports/page_source.ts";
import { type StatusParts, statusReport } from "../../src/reports/overview/status_report.ts";
import { join } from "@std/path";

const COUNTS = { queued: 4, sending: 1, deferred: 0, delivered: 12, failed: 0 };

export const STATUS: StatusParts = {
  trouble: null,
  hooks: [],
  pid: Deno.pid,
  version: "0.1.0",
  now: Date.UTC(2024, 4, 18, 1, 3, 0),
  startedAt: Date.UTC(2024, 4, 18, 1, 2, 3),
  url: "http://127.0.0.1:9090/",
  configuration: "/home/ann/config.yaml",
  jobs: [{
    job: { name: "spring", watchPath: "/data/images", night: { timezone: "UTC", rollover: "12:00", siteLongitude: null } },
    how: "events",
    eventsMissing: null,
    failure: null,
    nextRun: null,
    lastImage: null,
    usualMs: null,
    waiting: [aWaiting("1.fits"), aWaiting("2.fits")],
    unmatched: null,
    leftAside: null,
  }],
  destinations: [{
    destination: { name: "freya", job: "spring" },
    method: "rsync",
    state: { state: "open" },
    freeBytes: 5e12,
    made: false,
    limit: null,
    heldRemovals: null,
    audit: null,
    counts: COUNTS,
  }],
  counts: COUNTS,
  orphans: [],
  tonight: { night: "20240517", files: 0, bytes: 0, destinations: [] },
};

/** A file that is not sent yet. */
export function aWaiting(path: string, changes: Partial<JobNow["waiting"][number]> = {}): JobNow["waiting"][number] {
  return { path, reason: "growing", detail: "", hint: "", size: 3, declared: null, since: 0, ...changes };
}

interface FakeDaemon extends AsyncDisposable {
  /** What it was told, in order. */
  readonly told: unknown[];
  readonly port: number;
  readonly errors: unknown[];
}

/** Starts one in a state directory; a part of its answers may be replaced. */
export async function fakeDaemon(stateDirectory: string, instead: Partial<DaemonControl> = {}): Promise<FakeDaemon> {
  const system = createSystem();
  const lock = await system.lock(join(stateDirectory, "lock"));
  if (lock === null) throw new Error("the state directory is taken");
  const told: unknown[] = [];
  const errors: unknown[] = [];
  const end = new AbortController();
  const control: DaemonControl = {
    settings: () => ({ ...withoutFile({ platform: "linux", home: "/", env: () => undefined }), stateDirectory }),
    status: () => statusReport(STATUS),
    live: () => ({ running: [], oldestWaiting: null, orphans: [] }),
    stop(reason) {
      told.push(["stop", reason]);
      end.abort();
    },
    reload() {
      told.push(["reload"]);
      return Promise.resolve({ ok: true, message: "Configuration reloaded" });
    },
    sync(job) {
      told.push(["sync", job]);
      return ["spring"];
    },
    retry(ids) {
      told.push(["retry", ids]);
      return ids?.length ?? 7;
    },
    sendAgain(ids) {
      told.push(["send again", ids]);
      return ids;
    },
    pause(destination, by) {
      told.push(["pause", destination, by]);
      return [destination ?? "freya"];
    },
    markGone(ids, reason) {
      told.push(["mark gone", ids, reason]);
      return ids.length;
    },
    resume(destination, former) {
      told.push(["resume", destination, former]);
      return { destinations: [destination ?? "freya"], retrying: [], undecided: [] };
    },
    acceptRemoved: () => Promise.resolve([]),
    acceptRemovals(destination) {
      told.push(["accept", destination]);
      return [];
    },
    audit(job) {
      told.push(["audit", job]);
      return ["spring/freya"];
    },
    acceptAudit(job) {
      told.push(["accept audit", job]);
      return 3;
    },
    forget(destination) {
      told.push(["forget", destination]);
      return { count: 6, jobs: ["spring"] };
    },
    opening: () => ({ once: `${STATUS.url}?token=once`, shown: `${STATUS.url}?token=shown` }),
    ...instead,
  };
  const options = { stateDirectory, version: "0.1.0", url: STATUS.url, system, onError: (error: unknown) => errors.push(error) };
  const app = httpApp({ control, source: null, system, onError: options.onError }, end.signal);
  const server = await controlServer(app, options, end.signal);
  const ended = server.finished.then(() => lock[Symbol.asyncDispose]());
  return {
    told,
    errors,
    port: server.port,
    async [Symbol.asyncDispose]() {
      end.abort();
      await ended;
    },
  };
}
