/**
 * Which service a command means. Root's home has no configuration: root asks about the services of this computer, each with the
 * configuration and the state that install-service has written down; what uses keys or leaves files runs as the service's account.
 */
import { type InstalledService, installedServices } from "../../config/read/service_mark.ts";
import { absolutePath, CONFIG_VARIABLE, findConfigFile } from "../../config/read/find_config.ts";
import { Failure } from "../../domain/failure.ts";
import type { Account } from "../../services/service.ts";
import { accountFor, commandAs, isOther, runAs } from "../../services/service_account.ts";
import { SERVICES } from "../../services/services.ts";
import type { Tools } from "../command.ts";

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
  const usual = all.find(({ service }) => service?.name === SERVICES[tools.system.platform].usualName);
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
export function serviceCommand(what: "start" | "stop", { name, scope }: InstalledService, { system }: Tools): string {
  const sudo = scope === "system" && system.uid !== 0 ? "sudo " : "";
  return `${sudo}image-transfer service ${what}${name === SERVICES[system.platform].usualName ? "" : ` --name ${name}`}`;
}

/**
 * Where root calls, does the whole command as the account that runs the service, or would run it: with its keys, and without leaving root's files in
 * its state. The exit code; null where the caller is that account, or where there is none.
 */
export async function asServiceAccount(config: string | undefined, tools: Tools): Promise<number | null> {
  const { system, signal } = tools;
  if (system.uid !== 0) return null;
  const { service } = await oneMeant(config, tools);
  const account = service === null ? await behindSudo(tools) : await accountFor("system", service.mark.account, system, signal);
  if (account === null || !isOther(account, system)) return null;
  const program = await programFor(account, service, tools);
  if (program === null) {
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

/** This program, or that of the service; null from source. @throws {Failure} where the account may start neither. */
async function programFor(account: Account, service: InstalledService | null, tools: Tools): Promise<string | null> {
  const { system, signal } = tools;
  const programs = [...(system.compiled ? [system.executable] : []), ...(service === null ? [] : [service.mark.program])];
  for (const program of programs) {
    if ((await runAs(account, ["test", "-x", program], system, signal)).code === 0) return program;
  }
  if (programs.length === 0) return null;
  throw new Failure("configuration", `${account.name} cannot start ${programs[0]}`, {
    hint: "Copy the program to /usr/local/bin, and start it from there.",
  });
}
