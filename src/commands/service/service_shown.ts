/**
 * Shows that a service really runs: by asking the daemon itself, not its manager.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { type DaemonClient, findDaemon } from "../../daemon/control/control_client.ts";
import type { StatusReport } from "../../reports/overview/status_json.ts";
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
  return await daemon?.status() ?? null;
}

/** The daemon that runs with this state directory, null when none does. One that cannot be asked just now counts as none. */
export async function daemonOf(stateDirectory: string, { system, signal }: Tools): Promise<DaemonClient | null> {
  try {
    return await findDaemon({ stateDirectory, system }, signal);
  } catch (error) {
    if (error instanceof Failure && ["unreachable", "timeout"].includes(error.code)) return null;
    throw error;
  }
}

/** The report in a few lines. */
export function reportLines(report: StatusReport): string[] {
  return [
    `process ${report.pid}, version ${report.version}${report.url === null ? "" : `, page ${report.url}`}`,
    ...report.jobs.map(({ name, watch_path, watching }) =>
      `${name}: ${watching ? "watches" : "is not watching yet"} ${watch_path}`
    ),
    ...report.destinations.map(({ name, state, reason }) => `${name}: ${reason ?? state.replaceAll("_", " ")}`),
  ];
}
