/**
 * A daemon as its PocketBase server knows it: the real link, with an account, a configuration file, a state folder, connections and
 * a spool of its own. It is light because many share this process, because it watches and delivers nothing, and because the state
 * that it reports is that of one real daemon.
 */
import { dirname, join } from "@std/path";
import { bell } from "../../src/async/bell.ts";
import { readConfig } from "../../src/config/read/load.ts";
import type { Settings } from "../../src/config/settings.ts";
import type { FleetMember } from "../../src/domain/fleet.ts";
import { eventStream } from "../../src/events/event_stream.ts";
import type { NewAccount } from "../../src/fleet/accounts.ts";
import { keepLink } from "../../src/fleet/link.ts";
import type { DaemonControl } from "../../src/reports/daemon_control.ts";
import type { FleetSums } from "../../src/reports/fleet/fleet_sums.ts";
import type { StatusReport } from "../../src/reports/overview/status_json.ts";
import type { System } from "../../src/system/system.ts";

/** A request that a daemon has made; times as of `performance.now()`. */
export interface Asked {
  readonly collection: string;
  readonly at: number;
  readonly milliseconds: number;
  readonly result: "ok" | "error" | "unreachable";
}

export interface LightDaemon extends AsyncDisposable {
  readonly settings: () => Settings;
  /** Says something that is logged. */
  say(message: string): void;
  /** Looks at the fleet, as a page does. */
  look(): Promise<readonly FleetMember[]>;
  /** Log lines that are on this disk and not yet on the server; null before the first upload. */
  waiting(): number | null;
  /** Resolves when the jobs in force have this one; to the moment when they did. */
  inForce(job: string): Promise<number>;
}

/** What all of them share. */
interface Shared {
  readonly system: System;
  /** What each reports. */
  readonly status: StatusReport;
  readonly asked: Asked[];
}

/** A night of two destinations. */
export const SUMS: FleetSums = {
  waiting: 0,
  night: {
    night: "20261122",
    files: 240,
    files_delivered: 240,
    files_waiting: 0,
    files_failed: 0,
    not_sent: 0,
    expected: 480,
    delivered: 480,
    failed: 0,
    bytes: 7_680_000_000,
  },
};

/** Starts it; comes back at once. `pocketbase` are more keys of that section. */
export async function lightDaemon(
  folder: string,
  account: NewAccount,
  pocketbase: Readonly<Record<string, unknown>>,
  { system, status, asked }: Shared,
): Promise<LightDaemon> {
  const [site, watched] = [dirname(folder), join(folder, "camera")];
  await Deno.mkdir(watched, { recursive: true });
  const file = join(folder, "config.json");
  const config = {
    state_directory: join(folder, "state"),
    log_level: "INFO",
    jobs: [{ name: "camera", watch_path: watched, transfer_method: "local", remote_base_path: join(folder, "there") }],
    pocketbase: { may_set: ["jobs", "schedules"], may_watch: [site], may_send_to: [site], ...pocketbase, ...account },
  };
  await Deno.writeTextFile(file, JSON.stringify(config));
  const read = async () => await readConfig(file, system);
  let settings = await read();
  let waiting: number | null = null;
  const events = eventStream(() => system.now());
  const [reloaded, ending, stopped] = [bell(system), new AbortController(), Promise.withResolvers<void>()];
  const fleetAsked = bell(system);
  const looking = new Set<() => void>();
  events.listen((event) => {
    if (event.type === "log_upload") waiting = event.waiting;
    if (event.type !== "pocketbase") return;
    const { collection, milliseconds, result } = event;
    asked.push({ at: performance.now(), collection, milliseconds, result });
  });
  const nothing = () => [];
  const daemon: Parameters<typeof keepLink>[0]["daemon"] = {
    settings: () => settings,
    status: () => status,
    live: (): ReturnType<DaemonControl["live"]> => ({ running: [], oldestWaiting: null, orphans: [] }),
    async reload() {
      settings = await read();
      reloaded.ring();
      for (const look of looking) look();
      return { ok: true, message: "Configuration reloaded" };
    },
    pause: nothing,
    resume: () => ({ destinations: [], retrying: [], undecided: [] }),
    retry: () => 0,
    sync: nothing,
  };
  const link = keepLink(
    {
      system,
      daemon,
      fleetAsked,
      sums: () => SUMS,
      emit: events.emit,
      listen: events.listen,
      ending: ending.signal,
      stopped: stopped.promise,
      check: async (jobs) => await readConfig(file, system, jobs),
    },
    reloaded,
    ending.signal,
  );
  return {
    settings: () => settings,
    say: (message) => events.emit({ type: "notice", level: "info", message }),
    look() {
      const seen = Promise.withResolvers<readonly FleetMember[]>();
      const stop = events.listen((event) => event.type === "fleet" && seen.resolve(event.members));
      fleetAsked.ring();
      return seen.promise.finally(stop);
    },
    waiting: () => waiting,
    inForce: (job) =>
      new Promise((resolve) => {
        const look = () => {
          if (!settings.jobs.some(({ name }) => name === job)) return;
          looking.delete(look);
          resolve(performance.now());
        };
        looking.add(look);
        look();
      }),
    async [Symbol.asyncDispose]() {
      ending.abort();
      stopped.resolve();
      await link;
    },
  };
}
