/**
 * What the commands that talk to a daemon begin with: the settings, and the daemon that runs with them.
 *
 * @module
 */
import { loadSettings } from "../config/load.ts";
import type { Settings } from "../domain/settings.ts";
import { type DaemonClient, findDaemon } from "../web/control_client.ts";
import { EXIT, type Tools } from "./command.ts";

/** The settings of this configuration and the running daemon, null where none runs. */
export async function seekDaemon(
  config: string | undefined,
  tools: Tools,
): Promise<{ readonly settings: Settings; readonly daemon: DaemonClient | null }> {
  const settings = await loadSettings(config, tools.cwd, tools.system);
  const { stateDirectory } = settings;
  return { settings, daemon: await findDaemon({ stateDirectory, system: tools.system }, tools.signal) };
}

/** Says that none runs, and what would help; returns the exit code for it. */
export function sayNoDaemon(tools: Tools, { stateDirectory }: Settings): number {
  tools.stderr(
    `No daemon runs with the state directory "${stateDirectory}".\n` +
      "Start it: image-transfer run (here), or image-transfer install-service (for good).\n",
  );
  return EXIT.noDaemon;
}

/** Who gives the order, for others to read. */
export function whoAsks({ system }: Tools): string {
  return system.env("SUDO_USER") || system.env("USER") || system.env("LOGNAME") || system.env("USERNAME") || "a command";
}
