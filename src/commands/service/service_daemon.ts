/**
 * The daemon of an installed service: whether it really runs is asked of the daemon itself, not of its manager.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { type DaemonClient, findDaemon } from "../../daemon/control/control_client.ts";
import type { StatusReport } from "../../reports/overview/status_json.ts";
import type { Mark } from "../../config/read/service_mark.ts";
import type { Tools } from "../command.ts";

const PATIENCE_MS = 20_000;

/** The running daemon's report once it watches all folders, or as it is after twenty seconds; null when none runs by then. */
export async function untilItRuns(stateDirectory: string, tools: Tools): Promise<StatusReport | null> {
  const { system, signal } = tools;
  const start = system.monotonic();
  for (;;) {
    const report = await reportOf(stateDirectory, tools);
    const late = system.monotonic() - start > PATIENCE_MS;
    if (late || signal.aborted || report?.jobs.every(({ watching }) => watching)) return report;
    await system.sleep(250, signal);
  }
}

/** The daemon's own report; null when none runs or it cannot be asked. */
export async function reportOf(stateDirectory: string, tools: Tools): Promise<StatusReport | null> {
  const daemon = await daemonOf(stateDirectory, tools);
  return await daemon?.ask("status") ?? null;
}

/** The daemon that runs with this state directory, null when none does. One that does not respond counts as none. */
async function daemonOf(stateDirectory: string, { system, signal }: Tools): Promise<DaemonClient | null> {
  try {
    return await findDaemon({ stateDirectory, system }, signal);
  } catch (error) {
    if (error instanceof Failure && ["unreachable", "timeout"].includes(error.code)) return null;
    throw error;
  }
}

/** How long a daemon is given to park what is in flight. */
const STOP_MS = 30_000;

/**
 * Asks the daemon to park what is in flight before Task Scheduler, which only knows force, ends it; elsewhere the manager asks.
 *
 * @throws {Failure} where the daemon may not be asked.
 */
export async function askToStop(mark: Mark, tools: Tools): Promise<void> {
  if (tools.system.platform === "windows") await (await daemonOf(mark.state, tools))?.stop(STOP_MS);
}

export function reportLines(report: StatusReport): string[] {
  return [
    `process ${report.pid}, version ${report.version}${report.url === null ? "" : `, page ${report.url}`}`,
    ...report.jobs.map(({ name, watch_path, watching }) =>
      `${name}: ${watching ? "watches" : "is not watching yet"} ${watch_path}`
    ),
    ...report.destinations.map(({ name, state, reason }) => `${name}: ${reason ?? state.replaceAll("_", " ")}`),
  ];
}
