/**
 * `stop`: asks the running daemon to end, and waits until it has.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import type { Settings } from "../domain/settings.ts";
import { SERVICES } from "../services/services.ts";
import type { DaemonClient } from "../web/control_client.ts";
import { defineCommand, EXIT, type Tools } from "./command.ts";
import { findInstalled, serviceName } from "./installed_service.ts";
import { configOption } from "./options.ts";
import { sayNoDaemon, seekDaemon } from "./seek_daemon.ts";

/** Exit code 1 where it has not ended 15 s after the shutdown time-out, 4 without a daemon. */
export const stop = defineCommand({
  name: "stop",
  help: "End the running daemon; what is in flight is finished or parked",
  parser: object({ config: configOption }),
  async run({ config }, tools) {
    const { settings, daemon } = await seekDaemon(config, tools);
    if (daemon === null) return sayNoDaemon(tools, settings);
    if (!await stopDaemon(daemon, settings, tools)) return EXIT.notDelivered;
    await tellWhoStartsIt(settings, tools);
    return EXIT.done;
  },
});

/** systemd and launchd start a service again that ends by itself; Windows does after a failure only. */
async function tellWhoStartsIt({ stateDirectory }: Settings, tools: Tools): Promise<void> {
  const { platform } = tools.system;
  if (platform === "windows") return;
  const kind = SERVICES[platform];
  // It has been stopped: what cannot be found out now is no failure.
  const found = await findInstalled(serviceName(undefined, kind), undefined, kind, tools).catch(() => null);
  if (found === null || found.mark?.state !== stateDirectory) return;
  tools.stderr(`${kind.title(found.place)} may start it again in a few seconds. To keep it down: image-transfer service stop\n`);
}

/** Beyond the time that the daemon gives its transfers, milliseconds. */
const MARGIN_MS = 15_000;

/** Stops it and says so; false when it does not end in its time. */
export async function stopDaemon(daemon: DaemonClient, { shutdownTimeoutMs }: Settings, tools: Tools): Promise<boolean> {
  const patience = shutdownTimeoutMs + MARGIN_MS;
  if (await daemon.stop(patience)) {
    tools.stderr(`Stopped (process ${daemon.pid}).\n`);
    return true;
  }
  tools.stderr(
    `The daemon (process ${daemon.pid}) was asked to stop but has not ended after ${Math.round(patience / 1000)} s.\n` +
      "It may be waiting for a disk that hangs. Ending that process by force loses nothing: what was in flight is checked at the next start.\n",
  );
  return false;
}
