/**
 * The link of a daemon that does nothing else, at a real server: what it says, loads and sends can be looked at, and its clock and
 * its network replaced.
 */

import { bell } from "../../src/async/bell.ts";
import { readConfig } from "../../src/config/read/load.ts";
import type { PocketbaseSettings, Settings } from "../../src/config/settings.ts";
import type { NewEvent, TransferEvent } from "../../src/domain/transfer_event.ts";
import { addAccount } from "../../src/fleet/accounts.ts";
import { HEARTBEATS } from "../../src/fleet/collections.ts";
import { keepLink } from "../../src/fleet/link.ts";
import { type PocketbaseServer, pocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { unheardLines } from "../../src/commands/run/run_daemon.ts";
import { setUp } from "../../src/fleet/setup.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";
import { type PocketbaseProcess, ROOT, startPocketbase } from "../support/pocketbase.ts";
import type { TempFolder } from "../support/temp.ts";
import { until } from "../support/until.ts";
import { pocketbaseSettings } from "./fleet_rig.ts";

export const never = new AbortController().signal;

/** A server with its collections and the account of one computer, `spring`. */
export interface FleetServer extends AsyncDisposable {
  readonly url: string;
  readonly root: PocketbaseServer;
  readonly account: PocketbaseSettings;
  readonly id: string;
  process: PocketbaseProcess;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

export async function fleetServer(data: string, env: Readonly<Record<string, string>> = {}): Promise<FleetServer> {
  const process = await startPocketbase(data, { env });
  const { url, port } = process;
  const root = pocketbaseServer(pocketbaseSettings(url, ROOT.email, ROOT.password), createSystem());
  await setUp(root, never);
  const { admin_email, admin_password } = await addAccount("spring", root, createSystem(), never);
  const account = pocketbaseSettings(url, admin_email, admin_password);
  const { id } = await pocketbaseServer(account, createSystem()).account(never);
  const server: FleetServer = {
    url,
    root,
    account,
    id,
    process,
    kill: async () => await server.process[Symbol.asyncDispose](),
    async start() {
      server.process = await startPocketbase(data, { port });
    },
    [Symbol.asyncDispose]: () => server.kill(),
  };
  return server;
}

export interface LinkRig extends AsyncDisposable {
  readonly settings: () => Settings;
  readonly events: readonly TransferEvent[];
  /** What was done on the order of other computers. */
  readonly ordered: readonly string[];
  readonly stateFolder: string;
  /** Looks at the fleet, as a page does; an event `fleet` is the answer. */
  look(): void;
  /** What the daemon would say of something. */
  say(message: string, level?: "debug" | "info" | "warning" | "error"): void;
  /** What the link said, as people read it. */
  notices(): string[];
  reloads(): number;
  /** How many heartbeats were written. */
  beats(): number;
  /** Names of the jobs in force. */
  jobs(): string[];
  until(done: () => boolean | Promise<boolean>, what: string): Promise<void>;
}

/** Starts it. `instead` takes the place of parts of the system, `status` of what the daemon tells of itself. */
export async function linkRig(
  folder: TempFolder,
  pocketbase: PocketbaseSettings,
  instead: Partial<System> = {},
  status = IDLE.status,
): Promise<LinkRig> {
  const system = { ...createSystem(), ...instead };
  const stateFolder = folder.at("state");
  const file = folder.at("config.yaml");
  await Deno.writeTextFile(file, JSON.stringify(configuration(folder, pocketbase)));
  await Deno.chmod(file, 0o600);
  const read = async () => ({ ...await readConfig(file, system), pocketbase });
  let settings = await read();
  const lines = unheardLines();
  const events: TransferEvent[] = [];
  const emit = (event: NewEvent) => {
    const dated = { ...event, at: system.now() } as TransferEvent;
    events.push(dated);
    lines.hear(dated);
  };
  const ordered: string[] = [];
  const ending = new AbortController();
  let reloads = 0;
  const fleetAsked = bell(system);
  const running = keepLink(
    {
      system,
      emit,
      listen: lines.listen,
      ending: ending.signal,
      stopped: Promise.resolve(),
      fleetAsked,
      sums: () => NO_FILES,
      check: async (jobs) => await readConfig(file, system, jobs),
      daemon: {
        settings: () => settings,
        ...IDLE,
        status,
        async reload() {
          settings = await read();
          reloads++;
          return { ok: true, message: "" };
        },
        pause: (name) => (ordered.push(`pause ${name}`), [String(name)]),
        resume: (name) => (ordered.push(`resume ${name}`), { destinations: [], retrying: [], undecided: [] }),
        retry: () => ordered.push("retry"),
        sync: (name) => (ordered.push(`scan ${name}`), []),
      },
    },
    bell(system),
    ending.signal,
  );
  const notices = () => events.flatMap((event) => event.type === "notice" ? [event.message] : []);
  return {
    settings: () => settings,
    events,
    ordered,
    stateFolder,
    look: () => fleetAsked.ring(),
    say: (message, level = "info") => emit({ type: "notice", level, message }),
    notices: () => notices().filter((message) => message.startsWith("PocketBase")),
    reloads: () => reloads,
    beats: () =>
      events.filter((event) => event.type === "pocketbase" && event.collection === HEARTBEATS && event.result === "ok").length,
    jobs: () => settings.jobs.map(({ name }) => name),
    until: (done, what) => until(done, what, 90, () => JSON.stringify(notices().slice(-6))),
    async [Symbol.asyncDispose]() {
      ending.abort();
      await running;
    },
  };
}

/** A file whose only job is its own; the account in it is not used. */
function configuration(folder: TempFolder, { url }: PocketbaseSettings): Record<string, unknown> {
  return {
    watch_path: folder.at("data"),
    transfer_method: "local",
    remote_base_path: folder.at("nas"),
    state_directory: folder.at("state"),
    log_directory: folder.at("logs"),
    log_level: "DEBUG",
    pocketbase: {
      url,
      admin_email: "spring@example.org",
      admin_password: "unused-1",
      may_set: ["jobs", "schedules"],
      may_watch: ["/"],
      may_send_to: ["/"],
    },
  };
}

/** The sums of a daemon that has seen no image. */
export const NO_FILES = {
  waiting: 0,
  night: {
    night: "20260115",
    files: 0,
    files_delivered: 0,
    files_waiting: 0,
    files_failed: 0,
    not_sent: 0,
    expected: 0,
    delivered: 0,
    failed: 0,
    bytes: 0,
  },
};

/** A daemon with nothing to do. */
export const IDLE = {
  status: () => ({
    running: true,
    all_well: true,
    headline: { level: "good" as const, text: "All is well", advice: "" },
    pid: 1,
    version: "0.0.0",
    started_at: null,
    url: null,
    configuration: null,
    jobs: [],
    destinations: [],
    deliveries: { queued: 0, sending: 0, deferred: 0, failed: 0, delivered: 0 },
  }),
  live: () => ({ running: [], oldestWaiting: null, orphans: [] }),
};
