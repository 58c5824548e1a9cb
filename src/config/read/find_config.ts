/**
 * Where a configuration is looked for: `-c`, `IMAGE_TRANSFER_CONFIG`, the user's folder, `/etc`; and which state directory belongs to it:
 * recorded at every start of a daemon, so that commands find it even if the file was damaged or deleted since.
 */
import { Failure } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { type ConfigFiles, type Surroundings, wholePath } from "../resolve/expand_path.ts";
import { jsonOf } from "../../domain/json.ts";
import { join } from "@std/path";
import * as z from "zod";
import { installedServices } from "./service_mark.ts";
import type { Settings } from "../settings.ts";

export type Reading = Surroundings & Pick<ConfigFiles, "read"> & Partial<ConfigFiles>;

export const CONFIG_VARIABLE = "IMAGE_TRANSFER_CONFIG";

/** The user's own configuration, where `init` writes it. */
export function userConfigFile(around: Pick<Surroundings, "home" | "platform">): string {
  const parts = [around.home.replace(/[\\/]+$/, ""), ".config", "image-transfer", "config.yaml"];
  return parts.join(around.platform === "windows" ? "\\" : "/");
}

/** Where it is looked for when none is named, in this order. */
export function usualConfigFiles(around: Pick<Surroundings, "home" | "platform">): string[] {
  const yaml = around.platform === "windows"
    ? [userConfigFile(around)]
    : [userConfigFile(around), "/etc/image-transfer/config.yaml"];
  return yaml.flatMap((path) => [path, path.replace(/\.yaml$/, ".toml")]);
}

/**
 * The absolute path of the configuration to use. A named one must exist: no other is used in its place.
 *
 * @param named what `-c` says
 * @param cwd where relative names begin
 * @throws {Failure} `configuration` when there is none
 */
export async function findConfigFile(
  named: string | undefined,
  cwd: string,
  system: Omit<ConfigFiles, "read">,
): Promise<string> {
  const fromVariable = system.env(CONFIG_VARIABLE);
  if (named !== undefined) return await mustBeThere(named, "-c", cwd, system);
  if (fromVariable) return await mustBeThere(fromVariable, CONFIG_VARIABLE, cwd, system);
  const usual = usualConfigFiles(system);
  for (const path of usual) {
    if (await factsOf(path, `"${path}"`, system) !== null) return path;
  }
  throw new Failure("configuration", `Cannot find a configuration; looked for ${usual.join(", ")}`, {
    hint: "Create one with image-transfer init, or specify one with -c FILE.",
  });
}

async function mustBeThere(named: string, by: string, cwd: string, system: Omit<ConfigFiles, "read">): Promise<string> {
  const path = absolutePath(named, cwd, system);
  const facts = await factsOf(path, `"${named}" (named by ${by})`, system);
  if (facts?.kind === "file" || facts?.kind === "other") return path;
  const [reason, hint] = facts === null
    ? ["the file does not exist", `Create one with image-transfer init --output "${named}".`]
    : ["it is a folder", "Specify a file in it."];
  throw new Failure("configuration", `Cannot read the configuration "${named}" (named by ${by}): ${reason}`, { hint });
}

/** Facts of the path; null if nothing is there. @throws {Failure} `configuration` if the path cannot be accessed. */
async function factsOf(path: string, shown: string, system: Pick<ConfigFiles, "followedFacts">) {
  try {
    return await system.followedFacts(path);
  } catch (cause) {
    throw new Failure("configuration", `Cannot read the configuration ${shown}: ${reasonOf(cause)}`, {
      hint: "Check the path and that this user can read it.",
      cause,
    });
  }
}

/** An absolute path from the command line: `~` is the home folder, relative paths begin at `cwd`; the shell has done the rest. */
export function absolutePath(named: string, cwd: string, around: Pick<Surroundings, "home" | "platform">): string {
  const whole = wholePath(named, named, around);
  if (whole.fault === undefined) return whole.path;
  const joined = wholePath(`${cwd.replace(/[\\/]+$/, "")}/${named}`, named, around);
  return joined.fault === undefined ? joined.path : named;
}

/** Records the state directory of a configuration in the usual one, `usual`. @throws what prevents writing. */
export async function rememberState(
  { file, stateDirectory }: Pick<Settings, "file" | "stateDirectory">,
  usual: string,
  system: {
    makeFolder(path: string, mode?: number): Promise<void>;
    writeText(path: string, text: string, mode?: number): Promise<void>;
  },
): Promise<void> {
  if (file === null) return;
  const folder = join(usual, FOLDER);
  await system.makeFolder(folder, 0o700);
  await system.writeText(join(folder, await nameOf(file)), `${JSON.stringify({ configuration: file, stateDirectory })}\n`, 0o600);
}

/** The state directory of a configuration, as recorded in one of these folders; null if it is in none. */
export async function rememberedState(
  file: string,
  folders: readonly string[],
  system: Pick<ConfigFiles, "read">,
): Promise<string | null> {
  const name = await nameOf(file);
  for (const folder of folders) {
    const bytes = await system.read(join(folder, FOLDER, name), 0, MOST_BYTES).catch(() => new Uint8Array());
    const { data } = NOTE.safeParse(jsonOf(new TextDecoder().decode(bytes)));
    if (data?.configuration === file) return data.stateDirectory;
  }
  return null;
}

/** Two paths, each of 4,096 bytes at most on every system, and more where JSON escapes them. */
const MOST_BYTES = 65_536;
const FOLDER = "configurations";
const NOTE = z.object({ configuration: z.string(), stateDirectory: z.string() });

/** Paths are too long for file names, and contain characters that those cannot have. */
async function nameOf(file: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(file));
  return `${new Uint8Array(hash, 0, 8).toHex()}.json`;
}

/** Where systemd keeps the state of services, each in a folder of its name. */
const SERVICE_STATES = "/var/lib";
export const SERVICE_STATE = `${SERVICE_STATES}/image-transfer`;

/**
 * Commands typed in a shell use the state of the service that has this file, if this account may look into it; else what a service with
 * it left behind, else the state of the service with the usual name.
 */
export async function surroundingsOf(system: Reading, file?: string): Promise<Surroundings> {
  if (system.platform !== "linux" || system.env("STATE_DIRECTORY")) return system;
  const services = file === undefined ? [] : await installedServices(system);
  const current = services.filter(({ mark }) => mark.config === file).map(({ mark }) => mark.state);
  const left = file === undefined ? [] : await leftStates(file, system.uid ?? null, system);
  for (const state of [...current, ...left, SERVICE_STATE]) {
    const lock = await system.followedFacts?.(`${state}/lock`).catch(() => null) ?? null;
    if (lock !== null) return { ...system, env: (name) => name === "STATE_DIRECTORY" ? state : system.env(name) };
  }
  return system;
}

/**
 * The state folders of services with this file that are this account's. Other programs have folders there, too, and could claim
 * anything: only a folder of the account that is closed to all others is accepted.
 */
export async function leftStates(
  file: string,
  uid: number | null,
  system: Pick<ConfigFiles, "list" | "read">,
): Promise<string[]> {
  const { entries } = await system.list?.(SERVICE_STATES).catch(() => null) ?? { entries: [] };
  const own = entries.filter(({ facts: { kind, mode, uid: owner } }) =>
    kind === "folder" && (mode & 0o077) === 0 && owner === uid
  );
  const states = own.map(({ name }) => `${SERVICE_STATES}/${name}`);
  const found = await Promise.all(states.map((state) => rememberedState(file, [state], system)));
  return states.filter((state, index) => found[index] === state);
}
