/**
 * Which account a service runs as, and what the configuration looks like from there: its home, and nothing of the
 * environment of whoever calls (a service does not have it).
 */
import { Failure } from "../domain/failure.ts";
import type { Account, Scope } from "./service.ts";
import type { Command, Finished, System } from "../system/system.ts";

type Around = Pick<System, "platform" | "uid" | "home" | "env" | "run" | "readText">;

/**
 * The account that will run it: `--run-as`, the user behind sudo, or the caller. Root only where it is asked for by name.
 *
 * @throws {Failure} `configuration` when there is none such, or it cannot be chosen.
 */
export async function accountFor(scope: Scope, runAs: string | undefined, system: Around, signal: AbortSignal): Promise<Account> {
  if (system.platform === "windows") {
    if (runAs !== undefined) {
      throw refused("--run-as is not supported on Windows", "The task runs as the user who installs it: log on as that user.");
    }
    return windowsAccount(system);
  }
  const caller = system.env("SUDO_USER");
  const behindSudo = system.uid !== 0 || caller === "" || caller === "root" ? undefined : caller;
  if (scope === "user") {
    if (runAs !== undefined) {
      throw refused("--run-as works only with --system", "A user service runs as the user who installs it.");
    }
    if (behindSudo !== undefined) {
      throw refused("a user service must be installed without sudo", "Omit sudo, or use --system.");
    }
    return await lookUp(system.uid ?? 0, system, signal);
  }
  const name = runAs ?? behindSudo ?? (system.uid === 0 ? undefined : system.uid ?? undefined);
  if (name === undefined) {
    throw refused(
      "the account to run it is unknown",
      "Specify it: --run-as USER. The daemon does not need root, only access to the images and its SSH key.",
    );
  }
  return await lookUp(name, system, signal);
}

/** The account of whoever calls this, to find and control services. */
export async function callingAccount(system: Around, signal: AbortSignal): Promise<Account> {
  return system.platform === "windows" ? windowsAccount(system) : await lookUp(system.uid ?? 0, system, signal);
}

/** The system as a service of that account sees it: for reading its configuration. */
export function seenFrom(
  account: Account,
  stateFolder: string | null,
  system: Pick<System, "platform" | "env" | "followedFacts" | "read">,
) {
  if (system.platform === "windows") return { ...system, home: account.home };
  const env: Readonly<Record<string, string | undefined>> = {
    HOME: account.home,
    USER: account.name,
    LOGNAME: account.name,
    PATH: system.env("PATH"),
    STATE_DIRECTORY: stateFolder ?? undefined,
  };
  return { ...system, home: account.home, env: (name: string) => Object.hasOwn(env, name) ? env[name] : undefined };
}

/** Whether only root can try what the account can do. */
export function isOther({ uid }: Account, system: Pick<System, "uid">): boolean {
  return system.uid === 0 && uid !== 0 && uid !== null;
}

/** Runs a program as another account, with an environment as bare as a service's. */
export async function runAs(
  account: Account,
  words: readonly string[],
  system: Pick<System, "platform" | "run">,
  signal: AbortSignal,
): Promise<Finished> {
  return await system.run({ ...commandAs(account, words, system), cwd: "/" }, signal);
}

/** The command that {@linkcode runAs} runs. */
export function commandAs(account: Account, words: readonly string[], { platform }: Pick<System, "platform">): Command {
  const bare = ["env", "-i", `HOME=${account.home}`, `USER=${account.name}`, "PATH=/usr/local/bin:/usr/bin:/bin", ...words];
  return platform === "darwin"
    ? { program: "sudo", args: ["-n", "-u", account.name, "--", ...bare] }
    : { program: "runuser", args: ["-u", account.name, "--", ...bare] };
}

function windowsAccount({ env, home }: Around): Account {
  const name = env("USERNAME") ?? "";
  const domain = env("USERDOMAIN");
  return { name: domain ? `${domain}\\${name}` : name, uid: null, home };
}

/** Asks the system's own directory of accounts, which may be more than a file. */
async function lookUp(who: string | number, system: Around, signal: AbortSignal): Promise<Account> {
  const key = String(who);
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.@-]*\$?$/.test(key)) throw noSuch(key);
  const [program, args] = system.platform === "darwin" ? ["id", ["-P", key]] as const : ["getent", ["passwd", key]] as const;
  const { code, stdout } = await system.run({ program, args }, signal);
  const fields = stdout.trim().split("\n")[0]?.split(":") ?? [];
  // name:password:uid:gid:comment:home:shell; macOS has three more before the comment.
  const [name, home, uid] = [fields[0], fields.at(-2), Number(fields[2])];
  if (code !== 0 || !name || !home?.startsWith("/") || !Number.isInteger(uid)) throw noSuch(key);
  return { name, uid, home: home.replace(/(?<=.)\/+$/, "") };
}

function noSuch(name: string): Failure {
  return refused(`there is no account "${name}" on this computer`, "Specify an existing account: --run-as USER.");
}

function refused(reason: string, hint: string): Failure {
  return new Failure("configuration", `Cannot install the service: ${reason}`, { hint });
}

// What an account may do with files here. Where root asks for another account, the system is asked as that account.

/** Every call throws the reason why the account cannot do it. */
export interface Access {
  /** For sentences; null for whoever runs the program. */
  readonly account: string | null;
  /** Makes the folder and its parents where they are missing. */
  makeFolder(path: string, mode?: number): Promise<void>;
  /** Creates a file in the folder and removes it. */
  write(folder: string): Promise<void>;
  read(path: string): Promise<void>;
}

type AccessSystem = Pick<
  System,
  "makeFolder" | "createFile" | "remove" | "followedFacts" | "list" | "read" | "separator" | "randomHex"
>;

export function ownAccess(system: AccessSystem): Access {
  return {
    account: null,
    makeFolder: (path, mode) => system.makeFolder(path, mode),
    async write(folder) {
      const probe = `${folder}${system.separator}.image-transfer-check-${system.randomHex(16)}`;
      try {
        await using file = await system.createFile(probe);
        await file.write(new TextEncoder().encode("check\n"));
      } finally {
        await system.remove(probe);
      }
    },
    async read(path) {
      const facts = await system.followedFacts(path);
      await (facts?.kind === "folder" ? system.list(path) : system.read(path, 0, 1));
    },
  };
}

/** The access of the account that a service will run as. */
export function accessOf(
  account: Account,
  system: AccessSystem & Pick<System, "platform" | "uid" | "run">,
  signal: AbortSignal,
): Access {
  if (!isOther(account, system)) return ownAccess(system);
  const ask = async (...words: readonly string[]) => {
    const { code, stderr } = await runAs(account, words, system, signal);
    if (code !== 0) throw new Deno.errors.PermissionDenied(stderr.trim() || "Permission denied");
  };
  return {
    account: account.name,
    makeFolder: (path, mode) => ask("mkdir", "-p", ...(mode === undefined ? [] : ["-m", mode.toString(8)]), "--", path),
    write: (folder) => ask("test", "-w", folder),
    read: (path) => ask("test", "-r", path),
  };
}
