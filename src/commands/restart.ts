/**
 * `restart`: ends the running daemon. If a service manager starts it again, that is all; otherwise it runs here.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import type { Settings } from "../config/settings.ts";
import { failureRecord } from "../domain/failure.ts";
import { findDaemon } from "../daemon/control/control_client.ts";
import { defineCommand, EXIT, type Tools } from "./command.ts";
import { configOption } from "./options.ts";
import { runDaemon } from "./run/run_daemon.ts";
import { seekDaemon } from "./seek_daemon.ts";
import { type Starter, stopDaemon, whoStartsIt } from "./stop.ts";

/** How long a service manager may take to start it again, milliseconds: systemd and launchd wait ten seconds. */
const TAKE_OVER_MS = 20_000;

/** Waits 20 s for an installed service to start it again; without one it runs here at once. Exit code 1 where it does not end, 2 where
 * it could not start again: then it is left running. */
export const restart = defineCommand({
  name: "restart",
  help: "Stop the running daemon and start it again",
  description: "If the daemon runs as a service, the service manager starts it again; otherwise it runs here, in the foreground.",
  parser: object({ config: configOption }),
  async run({ config }, tools) {
    const { settings, daemon, fault } = await seekDaemon(config, tools);
    if (fault !== null) {
      tools.stderr("Not restarted: the daemon cannot start with this configuration. Correct it first.\n");
      return EXIT.usage;
    }
    if (daemon !== null && !await stopDaemon(daemon, settings, tools)) return EXIT.notDelivered;
    const service = daemon === null ? null : await whoStartsIt(settings, tools);
    if (service !== null && await isStarted(service, tools) && await startedAgain(service.title, settings, tools)) {
      return EXIT.done;
    }
    if (tools.signal.aborted) return EXIT.noDaemon;
    const why = daemon === null
      ? "No daemon was running"
      : service === null
      ? "Not installed as a service"
      : "The service did not start it";
    tools.stderr(`${why}: running here now.\n`);
    return await runDaemon({ config, verbose: false, dryRun: false, once: false, logLevel: undefined }, tools);
  },
});

/** Has the service start it; where that is refused, says why: images are delivered from here meanwhile. */
async function isStarted(service: Starter, tools: Tools): Promise<boolean> {
  try {
    await service.start();
    return true;
  } catch (error) {
    const { message, hint } = failureRecord(error);
    tools.stderr(`${message}${hint === "" ? "" : `. ${hint}`}\n`);
    return false;
  }
}

/** Waits until the service has started it, and says so; false if it does not, or if a person gave up. */
async function startedAgain(service: string, { stateDirectory }: Settings, tools: Tools): Promise<boolean> {
  const { system, signal } = tools;
  tools.stderr(`Waiting for ${service} to start it again (at most ${TAKE_OVER_MS / 1000} s) …\n`);
  const start = system.monotonic();
  while (!signal.aborted && system.monotonic() - start < TAKE_OVER_MS) {
    const again = await findDaemon({ stateDirectory, system }, signal);
    if (again !== null) {
      tools.stderr(`Restarted (process ${again.pid}).\n`);
      return true;
    }
    await system.sleep(500, signal);
  }
  return false;
}
