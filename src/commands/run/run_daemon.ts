/**
 * What `run` does, also when no command is named: the daemon in the foreground, until it is asked to end, or with `--once` until
 * everything there is was delivered.
 *
 * @module
 */
import { onAbort } from "../../async/abort.ts";
import { withoutFile } from "../../config/read/partial_settings.ts";
import { readConfig, surroundingsOf } from "../../config/read/load.ts";
import { findConfigFile } from "../../config/read/search_path.ts";
import { rememberState } from "../../config/read/remembered_state.ts";
import { type SystemLog, systemLog } from "../../events/system_log.ts";
import { type Daemon, startDaemon } from "../../daemon/daemon.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { Settings } from "../../config/settings.ts";
import type { System } from "../../system/system.ts";
import { allPrograms, neededPrograms } from "../programs.ts";
import type { Tools } from "../command.ts";
import { EXIT } from "../exit.ts";
import type { RunInput } from "../options.ts";
import { type Console, openConsole } from "./console.ts";
import { autoReload, configState } from "./auto_reload.ts";
import { keepFleet } from "./keep_fleet.ts";
import { crashGuard } from "./crash_guard.ts";
import { keepServiceManager } from "./service_manager.ts";
import { type UnheardLines, unheardLines } from "./unheard_lines.ts";

/** Runs the daemon; returns the exit code when it has ended. */
export async function runDaemon(input: RunInput, tools: Tools): Promise<number> {
  if (tools.system.uid === 0 && !input.dryRun) await (await import("../service/meant.ts")).refuseAsRoot(input.config, tools);
  const file = await findConfigFile(input.config, tools.cwd, tools.system);
  // Before it is read: what is changed from then on is read again.
  const seen = await configState(file, tools.system);
  const { settings } = await readConfig(file, tools.system);
  return await runWith(settings, { ...input, seen }, tools);
}

/** How it runs. `seen`: the {@linkcode configState} of its file when that was read; not given where there is none. */
type Running = Omit<RunInput, "config"> & { readonly seen?: string };

/** As {@linkcode runDaemon}, with settings that were read already. */
export async function runWith(settings: Settings, input: Running, tools: Tools): Promise<number> {
  const { system } = tools;
  const first = withOptions(settings, input);
  const logs = keepsSystemLog(first, input.once, system);
  const needed = (settings: Settings) => neededPrograms(settings, logs, system.platform);
  const kept = new Set(needed(first));
  system.giveUp(allPrograms(system.platform).filter((program) => !kept.has(program)));
  if (input.dryRun) {
    const { dryRun } = await import("./dry_run.ts");
    return await dryRun(first, tools);
  }

  await using shown = await openConsole(first.log, tools);
  await using administrators = openSystemLog(logs, shown, system);
  const read = first.file === null ? null : fileReader(first.file, input, tools);
  const unheard = unheardLines();
  unheard.adopt(first);
  const hangup: { act: () => void; early: boolean } = { act: () => hangup.early = true, early: false };
  // Before anything is started: a SIGHUP without a handler would end the program.
  const takeBack = system.onSignal(["SIGHUP"], () => hangup.act());
  try {
    const daemon = await startDaemon(
      first,
      {
        system,
        openLedger: tools.openLedger,
        readSettings: read,
        listeners: [shown.listen, administrators.listen, unheard.hear],
        adopt: async (settings) => {
          unheard.adopt(settings);
          await shown.adopt(settings.log);
          tellGivenUp(needed(settings), shown, system);
        },
        check: async (settings, signal) => {
          const { checkAll } = await import("../checks/check_all.ts");
          return await checkAll(settings, { ...tools, signal });
        },
      },
      { once: input.once },
    );
    if (daemon === null) {
      tools.stderr(
        `Another image-transfer is already running with the state directory "${first.stateDirectory}". See: image-transfer status\n`,
      );
      return EXIT.otherInstance;
    }
    await rememberPlaceOf(daemon, system);
    hangup.act = () => void daemon.reload();
    if (hangup.early) hangup.act();
    return await attend(daemon, { shown, unheard }, input, tools);
  } finally {
    takeBack();
  }
}

/** Where the settings want one, and the daemon stays. */
function keepsSystemLog({ systemLog: wanted }: Settings, once: boolean, { platform }: Pick<System, "platform">): boolean {
  return !once && (wanted === "auto" ? platform !== "linux" : wanted);
}

/** After a reload: what the new settings need, and cannot have before the next start. */
function tellGivenUp(needed: readonly string[], shown: Console, system: System): void {
  const missing = needed.filter(system.gaveUp);
  if (missing.length === 0) return;
  const message = `Restart image-transfer to use ${missing.join(", ")}: not needed at its start, so it may not start them`;
  shown.listen({ at: system.now(), type: "notice", level: "warning", message });
}

function openSystemLog(isOn: boolean, shown: Console, system: System): SystemLog {
  if (!isOn) return { listen: () => {}, [Symbol.asyncDispose]: () => Promise.resolve() };
  return systemLog(system, (message) => shown.listen({ at: system.now(), type: "notice", level: "info", message }));
}

/** So that commands find the daemon and its ledger if the configuration is damaged. */
async function rememberPlaceOf(daemon: Daemon, system: Tools["system"]): Promise<void> {
  try {
    await rememberState(daemon.settings(), withoutFile(await surroundingsOf(system)).stateDirectory, system);
  } catch (error) {
    const message = `Cannot record the state directory of this configuration: ${reasonOf(error)}`;
    daemon.events.emit({ type: "notice", level: "debug", message });
  }
}

/** What has heard the daemon from its first event on. */
interface Listeners {
  readonly shown: Console;
  readonly unheard: UnheardLines;
}

/** Runs until the daemon has stopped. */
async function attend(daemon: Daemon, listeners: Listeners, input: Running, tools: Tools): Promise<number> {
  using _guard = crashGuard(daemon.events.emit, () => daemon.stop("an internal error"));
  using _listening = onAbort(tools.signal, () => daemon.stop("requested by a signal"));
  sayWhereThePageIs(daemon, tools);
  try {
    return await untilTheEnd(daemon, listeners, input, tools);
  } finally {
    await daemon[Symbol.asyncDispose]();
  }
}

async function untilTheEnd(daemon: Daemon, { shown, unheard }: Listeners, input: Running, tools: Tools): Promise<number> {
  if (input.once) {
    const { deliverOnce } = await import("./deliver_once.ts");
    return await deliverOnce(daemon, shown, tools);
  }
  const { system } = tools;
  const beside = [
    keepServiceManager(system, daemon),
    autoReload(system, daemon, input.seen ?? ""),
    keepFleet(daemon, unheard, system),
  ];
  await daemon.stopped;
  await Promise.all(beside);
  return daemon.broken() ? EXIT.notDelivered : EXIT.done;
}

/** The start-up line, which contains the token; printed at a terminal only: elsewhere it could be stored for others to read. */
function sayWhereThePageIs(daemon: Daemon, { system, stderr }: Tools): void {
  const address = daemon.startUrl();
  if (address !== null && system.isTerminal("stderr") && daemon.settings().log.format === "text") {
    stderr(`Watch it live: ${address}\n`);
  }
}

function fileReader(file: string, input: Omit<RunInput, "config">, { system }: Tools): () => Promise<Settings> {
  return async () => withOptions((await readConfig(file, system)).settings, input);
}

/** Options of the command line take precedence over the file. */
function withOptions(settings: Settings, { verbose, logLevel }: Pick<RunInput, "verbose" | "logLevel">): Settings {
  const wanted = logLevel ?? (verbose ? "debug" : undefined);
  if (wanted === undefined) return settings;
  return { ...settings, log: { ...settings.log, level: wanted === "warn" ? "warning" : wanted } };
}
