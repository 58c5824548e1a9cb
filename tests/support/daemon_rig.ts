/** A daemon that runs in this process on real files, with one job that watches `data`. */
import { parseSettings } from "../../src/config/read/parse_settings.ts";
import type { Settings } from "../../src/config/settings.ts";
import { type Daemon, startDaemon } from "../../src/daemon/daemon.ts";
import type { TransferEvent } from "../../src/domain/transfer_event.ts";
import { checkAll } from "../../src/commands/checks/check_destination.ts";
import { markDamaged } from "../../src/ledger/sqlite/integrity.ts";
import { openLedger, readLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";
import { farRollover } from "./far_rollover.ts";
import { until } from "./until.ts";
import { type TempFolder, tempFolder } from "./temp.ts";

export interface DaemonRig extends AsyncDisposable {
  readonly folder: TempFolder;
  readonly daemon: Daemon;
  /** Starts another one in its place, once it has stopped. */
  start(): Promise<Daemon>;
  readonly events: readonly TransferEvent[];
  readonly system: System;
  /** What a reload reads. */
  next: () => Settings;
  settings(changes?: Record<string, unknown>): Settings;
  until(done: () => boolean | Promise<boolean>, what: string): Promise<void>;
}

export interface DaemonRigOptions {
  readonly once?: boolean;
  /** Parts of the system to replace. */
  readonly instead?: Partial<System>;
  /** What is in the watched folder before it starts, by name: with `once`, what comes later may be too late. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Starts it; `config` has keys as in `config.yaml`. */
export async function daemonRig(
  config: Record<string, unknown>,
  { instead = {}, files = {}, ...options }: DaemonRigOptions = {},
): Promise<DaemonRig> {
  const folder = await tempFolder();
  await Deno.mkdir(folder.at("data"));
  for (const [name, content] of Object.entries(files)) await folder.write(`data/${name}`, content);
  const system = { ...createSystem(), ...instead };
  const startedAt = system.now();
  const events: TransferEvent[] = [];
  const keys = (changes: Record<string, unknown> = {}) =>
    JSON.stringify({
      watch_path: folder.at("data"),
      state_directory: folder.at("state"),
      log_directory: folder.at("logs"),
      pid_file: folder.at("daemon.pid"),
      minimum_free_space_gb: 0,
      copy_safety_margin_gb: 0,
      min_file_age_seconds: 0.1,
      night_rollover: farRollover(startedAt),
      destinations: [{ name: "nas", transfer_method: "local", remote_base_path: folder.at("nas") }],
      ...config,
      ...changes,
    });
  const settings = (changes?: Record<string, unknown>) => parseSettings(keys(changes), folder.at("config.yaml"), "yaml", system);
  // For commands.
  await folder.write("config.yaml", keys());
  const state = { next: () => settings() };
  const readSettings = async () => await Promise.resolve(state.next());
  const listeners = [(event: TransferEvent) => void events.push(event)];
  const check = (settings: Settings, signal: AbortSignal) => checkAll(settings, { system, readLedger, markDamaged, signal });
  const start = async () => {
    const daemon = await startDaemon(settings(), { system, openLedger, readSettings, listeners, check }, options);
    if (daemon === null) throw new Error("another daemon has the state directory");
    return daemon;
  };
  const daemon = await start();
  return Object.assign(state, {
    folder,
    daemon,
    start,
    events,
    system,
    settings,
    until: (done: () => boolean | Promise<boolean>, what: string) =>
      until(done, what, 20, () => JSON.stringify(events.slice(-6))),
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  });
}
