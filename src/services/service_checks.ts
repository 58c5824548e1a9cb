/**
 * Looks, before a service is installed, at what would keep it from working, as the account that will run it: folders,
 * programs, the configuration. What is missing in the account's own home is made.
 *
 * @module
 */
import type { Settings } from "../domain/settings.ts";
import type { Account } from "./service.ts";
import { needsOf } from "./needs.ts";
import { faultOf } from "../system/fault.ts";
import type { System } from "../system/system.ts";

/** Something that is not as it should be. */
export interface Fault {
  /** True when the service could not work with it. */
  readonly fatal: boolean;
  readonly text: string;
  readonly hint: string;
}

type Door = Pick<
  System,
  "platform" | "uid" | "run" | "which" | "facts" | "followedFacts" | "makeFolder" | "createFile" | "remove" | "list" | "read"
>;

/** Everything that is wrong with the folders and programs that the configuration needs; `given` is a folder that others make. */
export async function checkNeeds(
  settings: Settings,
  account: Account,
  given: string | null,
  system: Door,
  signal: AbortSignal,
): Promise<Fault[]> {
  const findings: Fault[] = [];
  const { writable, readable } = needsOf(settings, account.home);
  const own = new Set([settings.stateDirectory, settings.log.directory]);
  const bases = new Set(settings.jobs.flatMap((job) => job.destinations.map(({ basePath }) => basePath)));
  for (const path of writable.filter((path) => path !== given)) {
    const missing = await system.followedFacts(path).catch(nothing) === null;
    if (missing && !await make(path, account, system, signal)) {
      findings.push({
        fatal: !bases.has(path) || own.has(path),
        text: `"${path}" does not exist, and ${account.name} cannot create it`,
        hint: bases.has(path)
          ? "Create the folder or mount its disk, then install again: the service can write only to folders that exist now."
          : system.platform === "windows"
          ? "Create the folder."
          : `sudo install -d -o ${account.name} '${path}'`,
      });
    } else if (!await may("w", path, account, system, signal)) {
      findings.push({ fatal: true, text: `${account.name} cannot write to "${path}"`, hint: rightsHint(path, account, system) });
    }
  }
  for (const path of readable) {
    const facts = await system.followedFacts(path).catch(nothing);
    const watched = settings.jobs.some((job) => job.watchPath === path);
    if (facts === null && watched) {
      findings.push({ fatal: false, text: `"${path}" does not exist yet`, hint: "It will be watched as soon as it appears." });
    } else if (facts === null) {
      findings.push({ fatal: false, text: `"${path}" does not exist`, hint: `${account.name} needs an SSH key there.` });
    } else if (!await may("r", path, account, system, signal)) {
      findings.push({ fatal: true, text: `${account.name} cannot read "${path}"`, hint: rightsHint(path, account, system) });
    }
  }
  return [...findings, ...await checkPrograms(settings, system)];
}

/** Whether the account can start the program and read the configuration; null when it can, or nobody can ask for it. */
export async function checkAsAccount(
  program: string,
  config: string,
  account: Account,
  system: Door,
  signal: AbortSignal,
): Promise<Fault | null> {
  const { code, stderr } = await asAccount([program, "config", "validate", "--config", config], account, system, signal) ?? {
    code: 0,
    stderr: "",
  };
  if (code === 0) return null;
  return { fatal: true, text: `${account.name} cannot use the configuration: ${stderr.trim()}`, hint: "Fix this first." };
}

async function checkPrograms(settings: Settings, system: Door): Promise<Fault[]> {
  const methods = new Set(settings.jobs.flatMap((job) => job.destinations).map(({ method }) => method));
  const wanted = [
    ...(["rsync", "scp", "sftp"] as const).filter((name) => methods.has(name)),
    ...([...methods].some((method) => method !== "local") ? ["ssh"] : []),
  ];
  const missing: string[] = [];
  for (const name of wanted) if (await system.which(name) === null) missing.push(name);
  return missing.map((name) => ({ fatal: true, text: `${name} is not installed`, hint: `Install ${name}.` }));
}

/** True when the account may read (list) or write what is there. */
async function may(how: "r" | "w", path: string, account: Account, system: Door, signal: AbortSignal): Promise<boolean> {
  const asked = await asAccount(["test", `-${how}`, path], account, system, signal);
  if (asked !== null) return asked.code === 0;
  try {
    const facts = await system.followedFacts(path);
    if (how === "r") {
      await (facts?.kind === "folder" ? system.list(path) : system.read(path, 0, 1));
      return true;
    }
    const probe = `${path}/.image-transfer-check-${crypto.randomUUID()}`;
    await (await system.createFile(probe))[Symbol.asyncDispose]();
    await system.remove(probe);
    return true;
  } catch (error) {
    if (["permission", "read_only"].includes(faultOf(error))) return false;
    throw error;
  }
}

/** Makes a folder as the account; false where that cannot be. */
async function make(path: string, account: Account, system: Door, signal: AbortSignal): Promise<boolean> {
  const asked = await asAccount(["mkdir", "-p", "--", path], account, system, signal);
  if (asked !== null) return asked.code === 0;
  try {
    await system.makeFolder(path);
    return true;
  } catch (error) {
    if (faultOf(error) === "other") throw error;
    return false;
  }
}

/** Runs something as the account, with an environment as bare as a service's; null when we are that account ourselves. */
export async function asAccount(
  words: readonly string[],
  account: Account,
  system: Pick<System, "platform" | "uid" | "run">,
  signal: AbortSignal,
) {
  if (system.uid !== 0 || account.uid === 0 || account.uid === null) return null;
  const bare = ["env", "-i", `HOME=${account.home}`, `USER=${account.name}`, "PATH=/usr/local/bin:/usr/bin:/bin", ...words];
  const [program, args] = system.platform === "darwin"
    ? ["sudo", ["-n", "-u", account.name, "--", ...bare]] as const
    : ["runuser", ["-u", account.name, "--", ...bare]] as const;
  return await system.run({ program, args, cwd: "/" }, signal);
}

function rightsHint(path: string, account: Account, { platform }: Door): string {
  return platform === "windows"
    ? "Give that user permission."
    : `ls -ld '${path}' shows its permissions; ${account.name} needs access.`;
}

function nothing(): null {
  return null;
}
