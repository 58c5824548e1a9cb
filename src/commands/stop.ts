/**
 * `stop` asks the running daemon to end, and waits until it has. `restart` then has a service manager start it again; otherwise it runs here.
 * `reload` has it read its configuration again; a bad one changes nothing.
 */
import { object } from "@optique/core/constructs";
import { installedServices } from "../config/read/service_mark.ts";
import type { Settings } from "../config/settings.ts";
import { type DaemonClient, findDaemon } from "../daemon/control/control_client.ts";
import { failureRecord, withHint } from "../domain/failure.ts";
import { callingAccount } from "../services/service_account.ts";
import { defineCommand, EXIT, refused, tell, type Tools } from "./command.ts";
import { configOption, jsonOption } from "./options.ts";
import { sayNoDaemon, seekDaemon, seekQuietly } from "./seek_daemon.ts";
import { kindHere, runSteps, serviceCommand } from "./service/installed_service.ts";
import { counted } from "../domain/words.ts";
import { format as formatBytes } from "@std/fmt/bytes";
import { askingLine } from "./text/waiting_for.ts";
import { failureText } from "./text/failure_text.ts";

/** Exit code 1 where it has not ended 15 s after the shutdown time-out, 4 without a daemon. */
export const stop = defineCommand({
  name: "stop",
  help: "Stop the running daemon; transfers finish, or resume at the next start",
  parser: object({ config: configOption }),
  async run({ config }, tools) {
    const { settings, daemon } = await seekDaemon(config, tools);
    if (daemon === null) return sayNoDaemon(tools, settings);
    if (!await stopDaemon(daemon, settings, tools)) return EXIT.notDelivered;
    const service = await whoStartsIt(settings, tools);
    // launchd leaves alone what ended without an error.
    if (service !== null && tools.system.platform !== "darwin") {
      tools.stderr(`${service.title} may start it again in a few seconds. To keep it stopped: ${service.stop}\n`);
    }
    return EXIT.done;
  },
});

/**
 * The installed service of the daemon of this state directory, on systemd and launchd. Null if there is none, or if that cannot be
 * determined.
 */
async function whoStartsIt({ stateDirectory }: Settings, tools: Tools) {
  const { system, signal } = tools;
  const services = await installedServices(system, [system.home]);
  const found = services.find(({ mark }) => mark.state === stateDirectory);
  const account = await callingAccount(system, signal).catch(() => null);
  if (found === undefined || account === null) return null;
  const kind = kindHere(tools);
  const place = { name: found.name, scope: found.scope, account };
  const steps = system.platform === "darwin" ? kind.controls(place).start : [];
  return {
    title: kind.title(place),
    stop: serviceCommand("stop", found, tools),
    /** systemd does so on its own. */
    start: () => runSteps(steps, tools),
  };
}

/** In addition to the time that the daemon gives its transfers, milliseconds. */
const MARGIN_MS = 15_000;

/** Stops it and says so; false if it does not stop in time. */
async function stopDaemon(daemon: DaemonClient, { shutdownTimeoutMs }: Settings, tools: Tools): Promise<boolean> {
  const patience = shutdownTimeoutMs + MARGIN_MS;
  if (await daemon.stop(patience)) {
    tools.stderr(`Stopped (process ${daemon.pid}).\n`);
    return true;
  }
  tools.stderr(
    `The daemon (process ${daemon.pid}) was asked to stop but has not exited after ${Math.round(patience / 1000)} s.\n` +
      "It may be waiting for a disk that is not responding. It is safe to kill the process: unfinished transfers are checked at the next start.\n",
  );
  return false;
}

/** How long a service manager may take to start it again, milliseconds: systemd and launchd wait ten seconds. */
const TAKE_OVER_MS = 20_000;

/**
 * Waits 20 s for an installed service to start it again; without one it runs here at once. Exit code 1 where it does not end, 2 where
 * it could not start again: then it is left running.
 */
export const restart = defineCommand({
  name: "restart",
  help: "Stop the running daemon and start it again",
  description: "If the daemon runs as a service, the service manager starts it again; otherwise it runs here, in the foreground.",
  parser: object({ config: configOption }),
  async run({ config }, tools) {
    const { system, signal } = tools;
    const { settings, daemon, fault } = await seekDaemon(config, tools);
    if (fault !== null) {
      return refused("Not restarted: the daemon cannot start with this configuration. Correct it first.", tools);
    }
    if (daemon !== null && !await stopDaemon(daemon, settings, tools)) return EXIT.notDelivered;
    const service = daemon === null ? null : await whoStartsIt(settings, tools);
    let starting = service?.title;
    try {
      await service?.start();
    } catch (error) {
      starting = undefined;
      // Images are delivered from here meanwhile.
      tools.stderr(`${withHint(failureRecord(error))}\n`);
    }
    if (starting) tools.stderr(`Waiting for ${starting} to start it again (at most ${TAKE_OVER_MS / 1000} s) …\n`);
    const start = system.monotonic();
    while (starting && !signal.aborted && system.monotonic() - start < TAKE_OVER_MS) {
      const again = await findDaemon({ stateDirectory: settings.stateDirectory, system }, signal);
      if (again !== null) {
        tools.stderr(`Restarted (process ${again.pid}).\n`);
        return EXIT.done;
      }
      await system.sleep(LOOK_MS, signal);
    }
    if (signal.aborted) return EXIT.noDaemon;
    const why = service !== null ? "The service did not start it" : "Not installed as a service";
    tools.stderr(`${daemon === null ? "No daemon was running" : why}: running here now.\n`);
    const { runDaemon } = await import("./run/run_daemon.ts");
    return await runDaemon({ config, verbose: false, dryRun: false, once: false, logLevel: undefined }, tools);
  },
});

/** Exit code 2 where the configuration has a fault, 4 without a daemon. */
export const reload = defineCommand({
  name: "reload",
  help: "Make the running daemon reload its configuration",
  parser: object({ config: configOption, json: jsonOption }),
  async run({ config, json }, tools) {
    // An error in the configuration is reported once, by the daemon that cannot use it.
    const { settings, daemon, fault } = await seekQuietly(config, tools);
    if (daemon === null) {
      if (fault !== null) tools.stderr(failureText(fault).text);
      return sayNoDaemon(tools, settings);
    }
    const over = new AbortController();
    const saying = sayWaiting(daemon, tools, over.signal);
    const { ok, message } = await daemon.ask("reload", {}).finally(async () => {
      over.abort();
      await saying;
    });
    // Not made printable: messages about a configuration have several lines and are safe already.
    const kept = ok ? "" : "The daemon is keeping its current configuration.\n";
    tell(json, { reloaded: ok, message }, `${message}\n${kept}`, tools);
    return ok ? EXIT.done : EXIT.usage;
  },
});

const LOOK_MS = 500;

/** Says what the daemon waits for until the signal is aborted: transfers of jobs that change get their time to end. */
async function sayWaiting(daemon: Pick<DaemonClient, "ask">, tools: Tools, over: AbortSignal): Promise<void> {
  await using line = askingLine("Reloading", tools);
  line.heard("the daemon is reading the configuration");
  for (let told = false;;) {
    await tools.system.sleep(LOOK_MS, over);
    if (over.aborted) return;
    // If the daemon does not respond, the reload itself reports it.
    const live = await daemon.ask("live").catch(() => null);
    let [files, bytes, total] = [0, 0, 0];
    for (const one of live?.ending ?? []) [files, bytes, total] = [files + one.files, bytes + one.bytes, total + one.total];
    if (files === 0 || over.aborted) continue;
    const text = `waiting for ${counted(files, "file")} to finish, ${formatBytes(bytes)} of ${formatBytes(total)}`;
    line.heard(text);
    if (!told && !tools.system.isTerminal("stderr")) tools.stderr(`Reloading: ${text}\n`);
    told = true;
  }
}
