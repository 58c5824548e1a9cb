/**
 * `stop`: asks the running daemon to end, and waits until it has.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import type { Settings } from "../domain/settings.ts";
import type { DaemonClient } from "../web/control_client.ts";
import { defineCommand, EXIT, type Tools } from "./command.ts";
import { configOption } from "./options.ts";
import { sayNoDaemon, seekDaemon } from "./seek_daemon.ts";

export const stop = defineCommand({
  name: "stop",
  help: "End the running daemon; what is in flight is finished or parked",
  parser: object({ config: configOption }),
  async run({ config }, tools) {
    const { settings, daemon } = await seekDaemon(config, tools);
    if (daemon === null) return sayNoDaemon(tools, settings);
    return await stopDaemon(daemon, settings, tools) ? EXIT.done : EXIT.notDelivered;
  },
});

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
