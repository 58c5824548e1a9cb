/**
 * `stop`: asks the running daemon to end, and waits until it has.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import type { Settings } from "../config/settings.ts";
import { installedServices } from "../config/read/service_mark.ts";
import { callingAccount } from "../services/service_account.ts";
import { SERVICES } from "../services/services.ts";
import type { DaemonClient } from "../daemon/control/control_client.ts";
import { defineCommand, EXIT, type Tools } from "./command.ts";
import { runSteps } from "./service/carry_out.ts";
import { serviceCommand } from "./service/meant.ts";
import { configOption } from "./options.ts";
import { sayNoDaemon, seekDaemon } from "./seek_daemon.ts";

/** Exit code 1 where it has not ended 15 s after the shutdown time-out, 4 without a daemon. */
export const stop = defineCommand({
  name: "stop",
  help: "Stop the running daemon; transfers finish, or resume at the next start",
  parser: object({ config: configOption }),
  async run({ config }, tools) {
    const { settings, daemon } = await seekDaemon(config, tools);
    if (daemon === null) return sayNoDaemon(tools, settings);
    if (!await stopDaemon(daemon, settings, tools)) return EXIT.notDelivered;
    await tellWhoStartsIt(settings, tools);
    return EXIT.done;
  },
});

async function tellWhoStartsIt(settings: Settings, tools: Tools): Promise<void> {
  const service = await whoStartsIt(settings, tools);
  // launchd leaves alone what ended without an error.
  if (service === null || tools.system.platform === "darwin") return;
  tools.stderr(`${service.title} may start it again in a few seconds. To keep it stopped: ${service.stop}\n`);
}

/** The service that the daemon runs as. */
export interface Starter {
  readonly title: string;
  /** The command that keeps it stopped. */
  readonly stop: string;
  /** Has the service manager start it: systemd does so on its own. */
  start(): Promise<void>;
}

/**
 * The installed service of the daemon of this state directory, on systemd and launchd. Null if there is none, or if that cannot be
 * determined.
 */
export async function whoStartsIt({ stateDirectory }: Settings, tools: Tools): Promise<Starter | null> {
  const { system, signal } = tools;
  const services = await installedServices(system, [system.home]);
  const found = services.find(({ mark }) => mark.state === stateDirectory);
  const account = await callingAccount(system, signal).catch(() => null);
  if (found === undefined || account === null) return null;
  const kind = SERVICES[system.platform];
  const place = { name: found.name, scope: found.scope, account };
  const steps = system.platform === "darwin" ? kind.controls(place).start : [];
  return {
    title: kind.title(place),
    stop: serviceCommand("stop", found, tools),
    start: () => runSteps(steps, kind, tools),
  };
}

/** In addition to the time that the daemon gives its transfers, milliseconds. */
const MARGIN_MS = 15_000;

/** Stops it and says so; false if it does not stop in time. */
export async function stopDaemon(daemon: DaemonClient, { shutdownTimeoutMs }: Settings, tools: Tools): Promise<boolean> {
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
