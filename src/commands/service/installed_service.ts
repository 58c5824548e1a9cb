/**
 * What install-service, uninstall-service and service share: their options, finding a service again by its definition, carrying out what
 * its kind has planned, and asking its daemon, which alone knows whether it really runs.
 */
import { object, or } from "@optique/core/constructs";
import { map, withDefault } from "@optique/core/modifiers";
import { type InstalledService, installedServices, type Mark, readMark } from "../../config/read/service_mark.ts";
import { type DaemonClient, findDaemon } from "../../daemon/control/control_client.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { StatusReport } from "../../reports/overview/status_json.ts";
import type { PlannedFile, Scope, ServiceKind, ServicePlace, Step } from "../../services/service.ts";
import { callingAccount } from "../../services/service_account.ts";
import { faultOf } from "../../system/fault.ts";
import type { Command } from "../../system/system.ts";
import { type Tools } from "../command.ts";
import { flag, given, text } from "../options.ts";

export interface Installed {
  readonly place: ServicePlace;
  /** What its definition says; null when it is not one of ours. */
  readonly mark: Mark | null;
}

/** The service of that name in this scope, or if none is given, in the caller's usual scopes; null if there is none. */
export async function findInstalled(
  name: string,
  scope: Scope | undefined,
  kind: ServiceKind,
  tools: Tools,
): Promise<Installed | null> {
  const account = await callingAccount(tools.system, tools.signal);
  // Root looks at the computer's services; others at their own first. Windows makes no difference.
  const { uid } = account;
  const usual: readonly Scope[] = uid === null ? ["user"] : uid === 0 ? ["system", "user"] : ["user", "system"];
  for (const each of scope === undefined ? usual : [scope]) {
    const found = await readInstalled({ name, scope: each, account }, kind, tools);
    if (found !== null) return found;
  }
  return null;
}

/** The service at a place; null when there is none. */
export async function readInstalled(place: ServicePlace, kind: ServiceKind, tools: Tools): Promise<Installed | null> {
  const where = kind.definition(place);
  let text: string | null;
  if (where.print === undefined) text = await readIfThere(where.file, tools.system);
  else {
    const { code, stdout } = await tools.system.run(where.print, tools.signal);
    text = code === 0 && stdout.trim() !== "" ? stdout : null;
  }
  return text === null ? null : { place, mark: readMark(text) };
}

/** Our other services: the computer's and those of this place's account. Those of Task Scheduler are not known. */
export async function othersBeside(place: ServicePlace, kind: ServiceKind, { system }: Tools): Promise<InstalledService[]> {
  const { file } = { file: undefined, ...kind.definition(place) };
  return (await installedServices(system, [place.account.home])).filter((service) => service.file !== file);
}

/** The name as the manager has it. @throws {Failure} when it is none. */
export function serviceName(written: string | undefined, kind: ServiceKind): string {
  const name = kind.nameOf(written ?? kind.usualName);
  if (name !== null) return name;
  throw new Failure("configuration", `Cannot use "${written}" as the name of a service`, {
    hint: "Use letters, digits, dots, hyphens and underscores.",
  });
}

export const nameOption = given(
  ["--name", "--service-name"],
  text("NAME"),
  "Name of the service (default: image-transfer, com.observatory.imagetransfer or ImageTransferDaemon)",
);

/** `--system` or `--user`; undefined: depends on who calls. */
export const scopeOption = withDefault(
  or(
    map(
      object({
        system: flag("--system", "For the whole computer, from boot, without anyone logged on (default for root)"),
      }),
      ({ system }): Scope | undefined => system ? "system" : undefined,
    ),
    map(
      object({ user: flag("--user", "For the calling user (default for everyone else)") }),
      ({ user }): Scope | undefined => user ? "user" : undefined,
    ),
  ),
  undefined,
);

/** Writes a file unless it already has this content; true if it was written. */
export async function writePlanned(file: PlannedFile, { system }: Pick<Tools, "system">): Promise<boolean> {
  const folder = file.path.slice(0, Math.max(file.path.lastIndexOf("/"), file.path.lastIndexOf("\\")));
  try {
    await system.makeFolder(folder);
    if (file.encoding === "utf-16le") {
      await system.remove(file.path);
      await using writer = await system.createFile(file.path);
      const text = `\ufeff${file.text}`;
      const bytes = new DataView(new ArrayBuffer(2 * text.length));
      for (let at = 0; at < text.length; at++) bytes.setUint16(2 * at, text.charCodeAt(at), true);
      await writer.write(new Uint8Array(bytes.buffer));
      return true;
    }
    if (await readIfThere(file.path, system) === file.text) return false;
    await system.writeText(file.path, file.text, file.mode);
    return true;
  } catch (cause) {
    if (faultOf(cause) !== "permission") throw cause;
    throw new Failure("permission_denied", `Cannot write "${file.path}": permission denied`, { hint: "Use sudo.", cause });
  }
}

/** The text of a file, null when it is not there. */
async function readIfThere(path: string, system: Pick<Tools["system"], "readText">): Promise<string | null> {
  try {
    return await system.readText(path);
  } catch (error) {
    if (["not_found", "not_a_folder"].includes(faultOf(error))) return null;
    throw error;
  }
}

/** Runs one step after the other. @throws {Failure} for the first failure that is not ignored. */
export async function runSteps(steps: readonly Step[], kind: ServiceKind, tools: Tools): Promise<void> {
  const { system, signal, stderr } = tools;
  for (const step of steps) {
    for (let left = step.tries ?? 1; left > 0; left--) {
      const { code, stdout, stderr: said } = await system.run(step.command, signal);
      if (code === 0 || step.failing === "ignore") break;
      if (left > 1) {
        await system.sleep(1000, signal);
        continue;
      }
      const line = commandLine(step.command);
      const words = `${said}\n${stdout}`.trim();
      const reason = words === "" ? `exit code ${code}` : words;
      if (step.failing === "warn") {
        stderr(`Warning: "${line}" failed: ${printable(reason)}\n${step.hint ? `  ${step.hint}\n` : ""}`);
        break;
      }
      if (!kind.rightsMissing(words)) throw new Failure("internal", `Cannot run "${line}": ${reason}`);
      throw new Failure("permission_denied", `Cannot run "${line}": ${reason}`, {
        hint: system.platform === "windows"
          ? "Run it in a PowerShell window opened with “Run as administrator”."
          : `Run as root: sudo ${line}`,
      });
    }
  }
}

/** A command as a person would type it. */
export function commandLine({ program, args }: Pick<Command, "program" | "args">): string {
  return [program, ...args].map((word) => /^[\w@%+=:,./\\-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`).join(
    " ",
  );
}

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
