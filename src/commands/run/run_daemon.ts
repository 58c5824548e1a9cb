/**
 * What `run` does, also when no command is named: the daemon in the foreground, until it is asked to end, or with `--once` until
 * everything there is was delivered.
 */
import { onAbort } from "../../async/abort.ts";
import { bell } from "../../async/bell.ts";
import { readConfig, withoutFile } from "../../config/read/load.ts";
import { findConfigFile, rememberState, surroundingsOf } from "../../config/read/find_config.ts";
import type { Settings } from "../../config/settings.ts";
import { type Daemon, startDaemon } from "../../daemon/daemon.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { Emit, TransferEvent } from "../../domain/transfer_event.ts";
import { logLine } from "../../events/log_line.ts";
import { systemLog } from "../../events/system_log.ts";
import type { System } from "../../system/system.ts";
import type { Tools } from "../command.ts";
import type { RunInput } from "../options.ts";
import { allPrograms, neededPrograms } from "../programs.ts";
import { EXIT } from "../text/failure_text.ts";
import { openConsole } from "./console.ts";

/** Runs the daemon; returns the exit code when it has ended. */
export async function runDaemon(input: RunInput, tools: Tools): Promise<number> {
  if (tools.system.uid === 0 && !input.dryRun) {
    await (await import("../service/installed_service.ts")).refuseAsRoot(input.config, tools);
  }
  const file = await findConfigFile(input.config, tools.cwd, tools.system);
  // Before it is read: what is changed from then on is read again.
  const seen = await configState(file, tools.system);
  const settings = await readConfig(file, tools.system);
  return await runWith(settings, { ...input, seen }, tools);
}

/** How it runs. `seen`: the {@linkcode configState} of its file when that was read; not given where there is none. */
type Running = Omit<RunInput, "config"> & { readonly seen?: string };

/** As {@linkcode runDaemon}, with settings that were read already. */
export async function runWith(settings: Settings, input: Running, tools: Tools): Promise<number> {
  const { system } = tools;
  const withOptions = (settings: Settings): Settings => {
    // Options of the command line take precedence over the file.
    const wanted = input.logLevel ?? (input.verbose ? "debug" : undefined);
    if (wanted === undefined) return settings;
    return { ...settings, log: { ...settings.log, level: wanted === "warn" ? "warning" : wanted } };
  };
  const first = withOptions(settings);
  const { file } = first;
  const logs = !input.once && (first.systemLog === "auto" ? system.platform !== "linux" : first.systemLog);
  const needed = (settings: Settings) => neededPrograms(settings, logs, system.platform);
  const kept = new Set(needed(first));
  system.giveUp(allPrograms(system.platform).filter((program) => !kept.has(program)));
  if (input.dryRun) return await (await import("./ending_runs.ts")).dryRun(first, tools);

  await using shown = await openConsole(first.log, tools);
  const notice = (level: "info" | "warning", message: string) =>
    shown.listen({ at: system.now(), type: "notice", level, message });
  await using administrators = logs ? systemLog(system, (message) => notice("info", message)) : null;
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
        readSettings: file === null ? null : async () => withOptions(await readConfig(file, system)),
        listeners: [shown.listen, unheard.hear, ...(administrators === null ? [] : [administrators.listen])],
        async adopt(settings) {
          unheard.adopt(settings);
          await shown.adopt(settings.log);
          const missing = needed(settings).filter(system.gaveUp).join(", ");
          if (missing === "") return;
          notice("warning", `Restart image-transfer to use ${missing}: not needed at its start, so it may not start them`);
        },
        async check(settings, signal) {
          const { checkAll } = await import("../checks/check_destination.ts");
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
    try {
      // So that commands find the daemon and its ledger if the configuration is damaged.
      await rememberState(daemon.settings(), withoutFile(await surroundingsOf(system)).stateDirectory, system);
    } catch (error) {
      const message = `Cannot record the state directory of this configuration: ${reasonOf(error)}`;
      daemon.events.emit({ type: "notice", level: "debug", message });
    }
    hangup.act = () => void daemon.reload();
    if (hangup.early) hangup.act();
    using _guard = crashGuard(daemon.events.emit, () => daemon.stop("an internal error"));
    using _listening = onAbort(tools.signal, () => daemon.stop("requested by a signal"));
    // The address contains the token. Elsewhere than on a terminal it could be stored for others to read.
    const address = daemon.startUrl();
    if (address !== null && system.isTerminal("stderr") && daemon.settings().log.format === "text") {
      tools.stderr(`Watch it live: ${address}\n`);
    }
    try {
      if (input.once) return await (await import("./ending_runs.ts")).deliverOnce(daemon, shown, tools);
      const beside = [
        keepServiceManager(system, daemon),
        autoReload(system, daemon, input.seen ?? ""),
        keepFleet(daemon, unheard, system),
      ];
      await daemon.stopped;
      await Promise.all(beside);
      return daemon.broken() ? EXIT.notDelivered : EXIT.done;
    } finally {
      await daemon[Symbol.asyncDispose]();
    }
  } finally {
    takeBack();
  }
}

/**
 * Logs errors that nothing else caught, until disposed of. After an uncaught error the program cannot be trusted any more: `stop` ends it
 * cleanly, so that a service manager starts it again.
 */
function crashGuard(emit: Emit, stop: () => void): Disposable {
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    // Known: a refused connection inside node's net surfaces here although it was handled where it was awaited.
    emit({ type: "notice", level: "error", message: "Unhandled promise rejection", error: event.reason });
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    emit({ type: "notice", level: "error", message: "Uncaught error", error: event.error });
    stop();
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  globalThis.addEventListener("error", onError);
  return {
    [Symbol.dispose]() {
      globalThis.removeEventListener("unhandledrejection", onRejection);
      globalThis.removeEventListener("error", onError);
    },
  };
}

/** Tells systemd that the daemon is ready, alive and stopping. Without its watchdog, a Worker notices a main thread that stands still. */
async function keepServiceManager(
  system: Pick<System, "notifyServiceManager" | "env" | "sleep" | "guardMainThread">,
  daemon: Pick<Daemon, "ending">,
): Promise<void> {
  await system.notifyServiceManager("READY=1");
  const watchdogMs = Number(system.env("WATCHDOG_USEC") ?? "0") / 1000;
  // systemd's watchdog does the same, and takes no memory.
  if (watchdogMs === 0) system.guardMainThread(daemon.ending);
  const restMs = watchdogMs > 0 ? watchdogMs / 3 : DAY_MS;
  while (!daemon.ending.aborted) {
    await system.sleep(restMs, daemon.ending);
    if (watchdogMs > 0) await system.notifyServiceManager("WATCHDOG=1");
  }
  await system.notifyServiceManager("STOPPING=1");
}

const DAY_MS = 86_400_000;
const LOOK_EVERY_MS = 2_000;

/**
 * Reads the configuration again when its file is not as it was when `read`, a {@linkcode configState}; until the daemon stops. The file is
 * looked at, which works with editors that replace it, symlinks and network drives. A change counts once two looks in a row are the same.
 */
export async function autoReload(
  system: Pick<System, "sleep" | "followedFacts">,
  daemon: Pick<Daemon, "settings" | "reload" | "ending">,
  read: string,
): Promise<void> {
  let known = read;
  let before = known;
  while (!daemon.ending.aborted) {
    await system.sleep(LOOK_EVERY_MS, daemon.ending, "in step");
    if (daemon.ending.aborted) return;
    const now = await configState(daemon.settings().file, system);
    const still = now === before;
    before = now;
    if (!still || now === known) continue;
    known = now;
    if (daemon.settings().autoReload) await daemon.reload();
  }
}

/** Identifies the state of the file; if it is missing or unreadable, the reload says so. */
export async function configState(file: string | null, system: Pick<System, "followedFacts">): Promise<string> {
  if (file === null) return "";
  try {
    const facts = await system.followedFacts(file);
    return facts === null ? "missing" : `${facts.identity}/${facts.size}/${facts.mtimeMs}`;
  } catch {
    return "unreadable";
  }
}

/** Linked to its PocketBase server, if its configuration names one, until the daemon stops; loaded only then. */
export async function keepFleet(
  daemon: Daemon,
  unheard: Pick<ReturnType<typeof unheardLines>, "listen">,
  system: System,
): Promise<void> {
  const reloaded = bell(system);
  const stopListening = daemon.events.listen(({ type }) => type === "reloaded" && reloaded.ring());
  const { file } = daemon.settings();
  try {
    while (!daemon.ending.aborted && daemon.settings().pocketbase === null) await reloaded.wait(DAY_MS, daemon.ending);
    if (daemon.ending.aborted) return;
    const { keepLink } = await import("../../fleet/link.ts");
    const { fleetSums } = await import("../../reports/fleet/fleet_sums.ts");
    await keepLink(
      {
        system,
        daemon,
        sums: (status) => fleetSums(daemon.ledger, daemon.settings().jobs, status, system.now()),
        fleetAsked: daemon.fleetAsked,
        emit: daemon.events.emit,
        listen: unheard.listen,
        ending: daemon.ending,
        stopped: daemon.stopped,
        check: async (jobs) => file === null ? daemon.settings() : await readConfig(file, system, jobs),
      },
      reloaded,
      daemon.ending,
    );
  } finally {
    stopListening();
  }
}

type Listener = (event: TransferEvent) => void;

/** A start has some dozens; more are the disk's to keep, which the link does. */
const MOST = 1_000;

/** The events of a start, kept until somebody listens. */
export function unheardLines() {
  const listeners = new Set<Listener>();
  let isWanted = true;
  let unheard: TransferEvent[] = [];
  return {
    /** Told of every event. */
    hear(event: TransferEvent): void {
      for (const listener of listeners) listener(event);
      if (!isWanted || listeners.size > 0 || unheard.length >= MOST) return;
      if (logLine(event) !== null) unheard.push(event);
    },
    /** Hears what nobody has heard so far, and every event until the returned function is called. */
    listen(listener: Listener): () => void {
      for (const event of unheard.splice(0)) listener(event);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** With these settings, lines are uploaded or not. */
    adopt({ pocketbase }: Pick<Settings, "pocketbase">): void {
      isWanted = pocketbase?.uploadLogs ?? false;
      if (!isWanted) unheard = [];
    },
  };
}
