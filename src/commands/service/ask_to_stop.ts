/**
 * Before a service manager that only knows force ends a daemon, the daemon is asked to park what is in flight.
 *
 * @module
 */
import type { Mark } from "../../services/mark.ts";
import type { Tools } from "../command.ts";
import { daemonOf } from "./service_shown.ts";

/** How long a daemon is given to park what is in flight. */
const STOP_MS = 30_000;

/** On Windows; elsewhere the manager asks by itself. @throws {Failure} where the daemon may not be asked. */
export async function askToStop(mark: Mark, tools: Tools): Promise<void> {
  if (tools.system.platform === "windows") await (await daemonOf(mark.state, tools))?.stop(STOP_MS);
}
