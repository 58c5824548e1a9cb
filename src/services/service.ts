/**
 * The contract of services: what has to be written and run so that the system starts the daemon, as plain data.
 * A service kind (systemd, launchd, Task Scheduler) only plans; `commands/` carries out, or prints with `--dry-run`.
 */
import { type Mark, writeMark } from "../config/read/service_mark.ts";
import type { Command } from "../system/system.ts";
import { dirname, join } from "@std/path";
import { isOnThisComputer, loginOf, type Settings } from "../config/settings.ts";

/** For the whole computer, from boot on; or for one account, from its log-on (or boot, where the system allows). */
export type Scope = "system" | "user";

/** The account that the daemon runs as. */
export interface Account {
  /** Log-on name; `DOMAIN\name` on Windows. */
  readonly name: string;
  /** Null on Windows. */
  readonly uid: number | null;
  readonly home: string;
}

/** Which service: enough to ask and control it. */
export interface ServicePlace {
  readonly name: string;
  readonly scope: Scope;
  /** Who calls for user services, who runs it for system services. */
  readonly account: Account;
}

/** Folders and files that the daemon needs, absolute. */
interface Needs {
  readonly writable: readonly string[];
  readonly readable: readonly string[];
}

/** Everything that a definition is made of. */
export interface ServiceRequest extends ServicePlace {
  readonly description: string;
  /** The binary, at a place where it stays. */
  readonly program: string;
  /** True when install-service put the binary there: uninstall-service takes it away again. */
  readonly copied: boolean;
  /** Absolute path of the configuration file. */
  readonly config: string;
  readonly needs: Needs;
  readonly stateDirectory: string;
  /** The state folder of earlier runs, which the service continues with; null where the manager makes one, or has none. */
  readonly formerState: string | null;
  /** Absolute; what the service manager catches itself is put beside it. */
  readonly logFile: string;
  /** How long a stop may take before the rest is ended by force. */
  readonly stopSeconds: number;
}

/** The mark that a definition carries. */
export function markOf(request: ServiceRequest): string {
  const content: Mark = {
    program: request.program,
    copied: request.copied,
    config: request.config,
    account: request.account.name,
    home: request.account.home,
    state: request.stateDirectory,
    log: request.logFile,
  };
  return writeMark(content);
}

export interface PlannedFile {
  readonly path: string;
  readonly text: string;
  /** Permission bits; not for Windows. */
  readonly mode: number;
  /** Windows' own notation, with a byte order mark; UTF-8 unless given. */
  readonly encoding?: "utf-16le";
  /** Only read by the steps that follow, then removed. */
  readonly passing?: boolean;
}

/** A program to run. */
export interface Step {
  readonly command: Command;
  /** What happens if it fails: nothing (`ignore`), a warning (`warn`), or everything stops (not given). */
  readonly failing?: "ignore" | "warn";
  /** Said with the warning. */
  readonly hint?: string;
  /** How often it is tried, one second after the other, for steps that finish in the background. */
  readonly tries?: number;
}

/** How an installed service is started, stopped and asked. */
interface Controls {
  readonly start: readonly Step[];
  readonly stop: readonly Step[];
  readonly restart: readonly Step[];
  /** What the service manager says of it. */
  readonly status: Command;
  /** The manager's own log; null where the daemon's log file is all there is. */
  readonly logs: ((lines: number, follow: boolean) => Command) | null;
  /** What it takes to forget the service, before and after its files are removed. */
  readonly forget: { readonly before: readonly Step[]; readonly after: readonly Step[] };
}

/** Where a definition can be read back: a file, or a command that prints it. */
type Definition = { readonly file: string; readonly print?: undefined } | { readonly print: Command };

/** What to do to install. */
interface ServicePlan {
  readonly files: readonly PlannedFile[];
  /** Make the system know the definition and start it at boot or log-on. */
  readonly enable: readonly Step[];
}

/** One kind of service manager. */
export interface ServiceKind {
  /** The name of a service that was given none. */
  readonly usualName: string;
  /** The template's path among the embedded files. */
  readonly template: string;
  /** The name without an ending that the manager adds; null when it is none. */
  readonly nameOf: (written: string) => string | null;
  /** How the manager calls it, for people and for its own tools. */
  readonly title: (place: ServicePlace) => string;
  readonly definition: (place: ServicePlace) => Definition;
  /** The folder that the manager makes and hands the daemon for its state; null where it makes none. */
  readonly stateFolder: (place: ServicePlace) => string | null;
  readonly plan: (request: ServiceRequest, template: string) => ServicePlan;
  readonly controls: (place: ServicePlace) => Controls;
  /** True when what a failed step printed means that rights are missing. */
  readonly rightsMissing: (output: string) => boolean;
}

/** Writes: state, log, pid file, bases of local destinations, and watched folders whose files it removes. Reads the rest. */
export function needsOf(settings: Settings, home: string): Needs {
  const { stateDirectory, log, pidFile, jobs, web, file } = settings;
  const destinations = jobs.flatMap((job) => job.destinations);
  const bases = destinations.filter(isOnThisComputer).map(({ basePath }) => basePath);
  const moved = jobs.filter((job) => job.deleteSource).map((job) => job.watchPath);
  const isRemote = destinations.some(({ transport }) => loginOf(transport) !== null);
  const usual = join(home, ".config", "rclone");
  const configs = destinations.flatMap(({ transport }) => transport.method === "rclone" ? transport.rcloneConfig ?? usual : []);
  const files = [...configs, file, web?.tlsCert, web?.tlsKey].filter((path) => typeof path === "string");
  const writable = unique([stateDirectory, log.directory, ...(pidFile === null ? [] : [dirname(pidFile)]), ...bases, ...moved]);
  const readable = unique([...jobs.map((job) => job.watchPath), ...files, ...(isRemote ? [join(home, ".ssh")] : [])]);
  return { writable, readable: readable.filter((path) => !writable.includes(path)) };
}

function unique(paths: readonly string[]): string[] {
  return [...new Set(paths)];
}
