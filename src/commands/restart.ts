/**
 * `restart`: ends the running daemon. Where a service manager starts it again, that one runs; else it runs here.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { findDaemon } from "../web/control_client.ts";
import { defineCommand, EXIT } from "./command.ts";
import { configOption } from "./options.ts";
import { runDaemon } from "./run.ts";
import { seekDaemon } from "./seek_daemon.ts";
import { stopDaemon } from "./stop.ts";

/** How long a service manager may take to start it again, milliseconds: systemd and launchd wait ten seconds. */
const TAKE_OVER_MS = 20_000;

/** Waits 20 s for a service manager to start it again. Exit code 1 where it does not end. */
export const restart = defineCommand({
  name: "restart",
  help: "End the running daemon and start it again",
  description:
    "Where a service manager looks after the daemon, it starts it again; otherwise the daemon runs here, in the foreground.",
  parser: object({ config: configOption }),
  async run({ config }, tools) {
    const { system, signal } = tools;
    const { settings, daemon } = await seekDaemon(config, tools);
    if (daemon !== null) {
      if (!await stopDaemon(daemon, settings, tools)) return EXIT.notDelivered;
      const start = system.monotonic();
      while (!signal.aborted && system.monotonic() - start < TAKE_OVER_MS) {
        const again = await findDaemon({ stateDirectory: settings.stateDirectory, system }, signal);
        if (again !== null) {
          tools.stderr(`Started again (process ${again.pid}).\n`);
          return EXIT.done;
        }
        await system.sleep(500, signal);
      }
    }
    if (signal.aborted) return EXIT.noDaemon;
    tools.stderr("No service manager starts it again: it runs here now.\n");
    return await runDaemon({ config, verbose: false, dryRun: false, once: false, logLevel: undefined }, tools);
  },
});
