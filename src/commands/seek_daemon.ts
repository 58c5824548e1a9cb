/**
 * What the commands that talk to a daemon begin with: the settings, and the daemon that runs with them. A configuration that has been
 * damaged or deleted is only a warning: a running daemon reports its settings.
 */
import { partialSettings } from "../config/read/load.ts";
import { installedServices } from "../config/read/service_mark.ts";
import type { PocketbaseSettings, Settings } from "../config/settings.ts";
import { type DaemonClient, findDaemon } from "../daemon/control/control_client.ts";
import { Failure } from "../domain/failure.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { forgetOrphans } from "../ledger/orphans.ts";
import type { AnswerOf, AskOf, CommandActions } from "../reports/actions.ts";
import { EXIT, notices, type Tools } from "./command.ts";
import { oneMeant, serviceCommand } from "./service/installed_service.ts";
import { failureText } from "./text/failure_text.ts";

export interface Sought {
  /** Those of the configuration; if it has an error, those of the daemon, or without a daemon what could be read. */
  readonly settings: Settings;
  readonly daemon: DaemonClient | null;
  /** Why the configuration cannot be used; null where it can. */
  readonly fault: Failure | null;
}

/**
 * Finds both; a fault of the configuration is printed as a warning.
 *
 * @throws {Failure} what `partialSettings()` and `findDaemon()` throw, and `configuration` where another daemon may be meant.
 */
export async function seekDaemon(config: string | undefined, tools: Tools): Promise<Sought> {
  const sought = await seekQuietly(config, tools);
  if (sought.fault !== null) tools.stderr(warning(sought, sought.fault));
  return sought;
}

/** Like {@linkcode seekDaemon}, for a command that reports the fault itself. */
export async function seekQuietly(named: string | undefined, caller: Tools): Promise<Sought> {
  const { config, tools } = await oneMeant(named, caller);
  const { system, signal } = tools;
  const { settings, fault, guessed, former } = await partialSettings(config, tools.cwd, system);
  const { stateDirectory } = settings;
  const daemon = await findDaemon({ stateDirectory, system }, signal);
  if (fault === null && daemon === null && former !== null) {
    // A daemon that was started before its state_directory was changed is still the daemon of this file.
    const other = await findDaemon({ stateDirectory: former, system }, signal);
    if (other === null || (await other.ask("settings")).file !== settings.file) return { settings, daemon, fault };
    tools.stderr(
      `Warning: state_directory has been changed. The running daemon still uses "${former}"; restart it to use the new one.\n`,
    );
    return { settings: { ...settings, stateDirectory: former }, daemon: other, fault };
  }
  if (fault === null || daemon === null) return { settings, daemon, fault };
  const { hasPage, ...inForce } = await daemon.ask("settings");
  if (guessed && settings.file !== null && inForce.file !== settings.file) {
    tools.stderr(failureText(fault).text);
    throw new Failure("configuration", `Cannot determine the state directory of "${settings.file}"`, {
      hint: `The daemon of "${stateDirectory}" uses another configuration: -c ${inForce.file}`,
    });
  }
  return { settings: { ...settings, ...inForce, web: hasPage ? settings.web : null }, daemon, fault };
}

/**
 * All settings, for a command that needs more than a daemon: those of the configuration, or, where it has a fault, of the daemon.
 *
 * @throws {Failure} the fault, where no daemon runs.
 */
export async function wholeSettings(config: string | undefined, tools: Tools): Promise<Settings> {
  const { settings, fault } = await settingsMeant(config, tools);
  if (fault === null) return settings;
  const sought = await seekQuietly(config, tools);
  if (sought.daemon === null) throw fault;
  tools.stderr(warning(sought, fault));
  return sought.settings;
}

/** What can be read of the configuration that is meant, without a question to a daemon. */
export async function settingsMeant(named: string | undefined, caller: Tools): ReturnType<typeof partialSettings> {
  const { config, tools } = await oneMeant(named, caller);
  return await partialSettings(config, tools.cwd, tools.system);
}

function warning({ daemon, settings }: Sought, fault: Failure): string {
  // Without any configuration there is no more to say than how to make one.
  if (daemon === null && settings.file === null) return `Warning: ${failureText(fault).text}\n`;
  const consequence = daemon === null
    ? `No daemon can start with this configuration. The following is from the state directory "${settings.stateDirectory}".`
    : `The running daemon is keeping its current configuration${settings.file === null ? "" : ` ("${settings.file}")`}.`;
  return `Warning: ${failureText(fault).text}${consequence}\n\n`;
}

/**
 * Has something done that does not need a daemon: by the one that runs, else in the ledger, where the next one finds it.
 *
 * @throws {Failure} `configuration` where there is no configuration: nobody knows which ledger is meant.
 */
export async function askOrChange<Name extends keyof InLedger>(
  name: Name,
  body: AskOf<CommandActions[Name]>,
  { daemon, settings }: Pick<Sought, "daemon" | "settings">,
  tools: Tools,
): Promise<AnswerOf<CommandActions[Name]>> {
  if (daemon !== null) return await daemon.ask(name, body);
  using ledger = ledgerToChange(settings, tools);
  return IN_LEDGER[name](ledger, body, settings, tools.system.now());
}

type InLedger = Pick<CommandActions, "retry" | "send-again" | "mark-gone" | "accept-audit" | "forget">;

const IN_LEDGER: {
  readonly [Name in keyof InLedger]: (
    ledger: Ledger,
    body: AskOf<InLedger[Name]>,
    settings: Settings,
    now: number,
  ) => AnswerOf<InLedger[Name]>;
} = {
  retry: (ledger, { ids }, _, now) => ({ count: ledger.requeue(ids, now) }),
  "send-again": (ledger, { ids }, _, now) => ({ ids: ledger.sendAgain(ids, now) }),
  "mark-gone": (ledger, { ids, reason }, _, now) => ({ count: ledger.markGone(ids, reason, now) }),
  "accept-audit": (ledger, { job }, { jobs }) => {
    const audited = jobs.filter(({ name }) => job === undefined || name === job).flatMap(({ destinations }) => destinations);
    return { count: audited.reduce((sum, { job, name }) => sum + ledger.acceptAudit(job, name), 0) };
  },
  forget: (ledger, { destination }, { jobs }, now) => forgetOrphans(ledger, jobs, destination, now),
};

/** The ledger, to be changed while no daemon runs. @throws {Failure} `configuration` without one: nobody knows which ledger is meant. */
export function ledgerToChange({ stateDirectory, file }: Settings, tools: Tools): Ledger {
  if (file !== null) return tools.openLedger(stateDirectory, notices(tools));
  const why = "without a configuration, it is not known where the deliveries are recorded";
  throw new Failure("configuration", `Nothing was changed: ${why}`);
}

/** Says that no daemon is running and how to start one; returns the exit code. */
export async function sayNoDaemon(tools: Tools, { stateDirectory, file }: Settings): Promise<number> {
  tools.stderr(`No daemon is running with the state directory "${stateDirectory}".\n`);
  const services = await installedServices(tools.system, [tools.system.home]);
  const own = services.find(({ mark }) => mark.config === file);
  const others = services.filter(({ mark }) => mark.home !== tools.system.home);
  if (own !== undefined) tools.stderr(`Start it: ${serviceCommand("start", own, tools)}\n`);
  else if (file !== null) {
    tools.stderr("Start it: image-transfer run (in this terminal) or image-transfer install-service (permanently).\n");
  } else if (others.length > 0 && tools.system.uid !== 0) {
    const list = others.map(({ name, mark }) => `${name} (${mark.account})`).join(", ");
    tools.stderr(`Services of other accounts: ${list}. See: sudo image-transfer status\n`);
  }
  return EXIT.noDaemon;
}

export function whoAsks({ system }: Tools): string {
  return system.env("SUDO_USER") || system.env("USER") || system.env("LOGNAME") || system.env("USERNAME") || "a command";
}

/** @throws {Failure} where no server is configured. */
export function pocketbaseOf({ pocketbase }: Settings): PocketbaseSettings {
  if (pocketbase !== null) return pocketbase;
  throw new Failure("configuration", "No PocketBase server is configured", {
    hint: "Add: pocketbase: { url: https://pocketbase.example, admin_email: …, admin_password_file: … }",
  });
}
