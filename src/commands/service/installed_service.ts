/**
 * What install-service, uninstall-service and service share: their options, finding a service again by its definition, carrying out what
 * its kind has planned, and asking its daemon, which alone knows whether it really runs. And which service a command means: root's home has
 * no configuration, so root asks about the services of this computer, each with the configuration and the state that install-service has
 * written down; what uses keys or leaves files runs as the service's account.
 */
import { or } from "@optique/core/constructs";
import { map, optional } from "@optique/core/modifiers";
import { flag as must } from "@optique/core/primitives";
import { type InstalledService, installedServices, type Mark, readMark } from "../../config/read/service_mark.ts";
import { type DaemonClient, findDaemon } from "../../daemon/control/control_client.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { StatusReport } from "../../reports/overview/status_json.ts";
import type { Account, PlannedFile, Scope, ServiceKind, ServicePlace, Step } from "../../services/service.ts";
import { accountFor, callingAccount, commandAs, isOther, runAs } from "../../services/service_account.ts";
import { faultOf } from "../../system/fault.ts";
import type { Command } from "../../system/system.ts";
import { plain, type Tools } from "../command.ts";
import { given, text } from "../options.ts";
import { absolutePath, CONFIG_VARIABLE, findConfigFile } from "../../config/read/find_config.ts";
import { SERVICES } from "../../services/services.ts";

export interface Installed {
  readonly place: ServicePlace;
  /** What its definition says; null when it is not one of ours. */
  readonly mark: Mark | null;
}

/** The service of that name in this scope, or if none is given, in the caller's usual scopes; null if there is none. */
export async function findInstalled(name: string, scope: Scope | undefined, tools: Tools): Promise<Installed | null> {
  const account = await callingAccount(tools.system, tools.signal);
  // Root looks at the computer's services; others at their own first. Windows makes no difference.
  const { uid } = account;
  const usual: readonly Scope[] = uid === null ? ["user"] : uid === 0 ? ["system", "user"] : ["user", "system"];
  for (const each of scope === undefined ? usual : [scope]) {
    const found = await readInstalled({ name, scope: each, account }, tools);
    if (found !== null) return found;
  }
  return null;
}

/** The service at a place; null when there is none. */
export async function readInstalled(place: ServicePlace, tools: Tools): Promise<Installed | null> {
  const where = kindHere(tools).definition(place);
  let text: string | null;
  if (where.print === undefined) text = await readIfThere(where.file, tools.system);
  else {
    const { code, stdout } = await tools.system.run(where.print, tools.signal);
    text = code === 0 && stdout.trim() !== "" ? stdout : null;
  }
  return text === null ? null : { place, mark: readMark(text) };
}

/** Our other services: the computer's and those of this place's account. Those of Task Scheduler are not known. */
export async function othersBeside(place: ServicePlace, tools: Tools): Promise<InstalledService[]> {
  const { system } = tools;
  const { file } = { file: undefined, ...kindHere(tools).definition(place) };
  return (await installedServices(system, [place.account.home])).filter((service) => service.file !== file);
}

/** The service manager of this system. */
export function kindHere({ system }: Pick<Tools, "system">): ServiceKind {
  return SERVICES[system.platform];
}

/** The name as the manager has it. @throws {Failure} when it is none. */
export function serviceName(written: string | undefined, tools: Tools): string {
  const kind = kindHere(tools);
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
export const scopeOption = optional(or(
  scope("system", "For the whole computer, from boot, without anyone logged on (default for root)"),
  scope("user", "For the calling user (default for everyone else)"),
));

function scope(scope: Scope, help: string) {
  return map(must(`--${scope}`, { description: plain(help) }), () => scope);
}

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
export async function runSteps(steps: readonly Step[], tools: Tools): Promise<void> {
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
      if (!kindHere(tools).rightsMissing(words)) throw new Failure("internal", `Cannot run "${line}": ${reason}`);
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

export interface Meant {
  /** As `-c` names it; undefined: the usual one. */
  readonly config: string | undefined;
  /** For root, with the home and the state of the service's account. */
  readonly tools: Tools;
  /** Null where no service that the caller may ask has this configuration. */
  readonly service: InstalledService | null;
}

/** All that is meant, at least one: without `-c`, all services where root asks, or where the caller has no configuration. */
export async function allMeant(config: string | undefined, tools: Tools): Promise<readonly [Meant, ...Meant[]]> {
  const { system, cwd } = tools;
  const named = config ?? (system.env(CONFIG_VARIABLE) || undefined);
  const file = named === undefined
    ? await findConfigFile(undefined, cwd, system).catch(() => null)
    : absolutePath(named, cwd, system);
  const services = await servicesFor(tools);
  const own = services.find(({ mark }) => mark.config === file);
  const usual = own === undefined ? { config, tools, service: null } : { ...meant(own, tools), config };
  if (named !== undefined || file !== null && system.uid !== 0) return [usual];
  const [first, ...others] = services.map((service) => meant(service, tools));
  if (first === undefined) return [usual];
  return file !== null && own === undefined ? [usual, first, ...others] : [first, ...others];
}

/** As {@linkcode allMeant}, for a command that is about one. @throws {Failure} `configuration` where there are several. */
export async function oneMeant(config: string | undefined, tools: Tools): Promise<Meant> {
  const [first, ...others] = await allMeant(config, tools);
  if (others.length === 0 || first.service === null) return first;
  const all = [first, ...others];
  const usual = all.find(({ service }) => service?.name === kindHere(tools).usualName);
  if (usual !== undefined) return usual;
  const names = all.map(({ config, service }) => `-c ${config} (${service?.name})`);
  throw new Failure("configuration", `${all.length} services are installed: specify the configuration of one`, {
    hint: `One of: ${names.join(", ")}`,
  });
}

function meant(service: InstalledService, tools: Tools): Meant {
  const { config, home, state } = service.mark;
  if (tools.system.uid !== 0) return { config, tools, service };
  const given: Readonly<Record<string, string>> = { HOME: home, STATE_DIRECTORY: state };
  const env = (name: string) => given[name] ?? tools.system.env(name);
  return { config, tools: { ...tools, system: { ...tools.system, home, env } }, service };
}

/** Those whose state the caller may read; with sudo, also those of the user who called it. */
async function servicesFor(tools: Tools): Promise<InstalledService[]> {
  const { system } = tools;
  const caller = system.uid === 0 ? await behindSudo(tools) : { name: null, home: system.home };
  const services = await installedServices(system, caller === null ? [] : [caller.home]);
  if (system.uid !== 0) return services.filter(({ mark }) => mark.home === system.home);
  // What stands in a user's folder is the user's word, and only about that user.
  return services.filter(({ scope, mark }) => scope === "system" || mark.account === caller?.name);
}

async function behindSudo({ system, signal }: Tools): Promise<Account | null> {
  return await accountFor("system", undefined, system, signal).catch(() => null);
}

/** How a person has the service started or stopped. */
export function serviceCommand(what: "start" | "stop", { name, scope }: InstalledService, tools: Tools): string {
  const sudo = scope === "system" && tools.system.uid !== 0 ? "sudo " : "";
  return `${sudo}image-transfer service ${what}${nameWords(name, tools)}`;
}

/** The option that names a service; empty for the usual one. */
export function nameWords(name: string, tools: Pick<Tools, "system">): string {
  return name === kindHere(tools).usualName ? "" : ` --name ${name}`;
}

/**
 * Where root calls, does the whole command as the account that runs the service, or would run it: with its keys, and without leaving root's files in
 * its state. The exit code; null where the caller is that account, or where there is none.
 *
 * @throws {Failure} `configuration` where the account may start neither this program nor that of the service.
 */
export async function asServiceAccount(config: string | undefined, tools: Tools): Promise<number | null> {
  const { system, signal } = tools;
  if (system.uid !== 0) return null;
  const { service } = await oneMeant(config, tools);
  const account = service === null ? await behindSudo(tools) : await accountFor("system", service.mark.account, system, signal);
  if (account === null || !isOther(account, system)) return null;
  // This program, or that of the service; none from source.
  const programs = [...(system.compiled ? [system.executable] : []), ...(service === null ? [] : [service.mark.program])];
  let program: string | undefined;
  for (const one of programs) {
    if ((await runAs(account, ["test", "-x", one], system, signal)).code !== 0) continue;
    program = one;
    break;
  }
  if (program === undefined && programs.length > 0) {
    throw new Failure("configuration", `${account.name} cannot start ${programs[0]}`, {
      hint: "Copy the program to /usr/local/bin, and start it from there.",
    });
  }
  if (program === undefined) {
    tools.stderr(`Warning: running from source, so everything is checked as root, not as ${account.name}.\n`);
    return null;
  }
  const { config: file, state } = service?.mark ?? {};
  const variables = Object.entries({
    STATE_DIRECTORY: state,
    [CONFIG_VARIABLE]: config === undefined ? system.env(CONFIG_VARIABLE) || file : undefined,
    NO_COLOR: system.env("NO_COLOR"),
  });
  const given = variables.flatMap(([name, value]) => value === undefined ? [] : [`${name}=${value}`]);
  tools.stderr(`As ${account.name}, which ${service === null ? "would run" : "runs"} the service:\n`);
  const { program: starter, args } = commandAs(account, ["env", ...given, program, ...tools.argv], system);
  return await system.lend(starter, args);
}

/**
 * A daemon of root would leave root's files in the state and the log of the service.
 *
 * @throws {Failure} `configuration` where a service of another account has this configuration.
 */
export async function refuseAsRoot(config: string | undefined, tools: Tools): Promise<void> {
  const [{ service }] = await allMeant(config, tools);
  if (service === null || service.mark.account === "root") return;
  const { name, mark } = service;
  throw new Failure("configuration", `Cannot run as root: the service ${name} runs as ${mark.account} with this configuration`, {
    hint: `Start the service: ${serviceCommand("start", service, tools)}`,
  });
}
