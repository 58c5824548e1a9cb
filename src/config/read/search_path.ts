/** Where a configuration is looked for: `-c`, `IMAGE_TRANSFER_CONFIG`, the user's folder, `/etc`. */
import { Failure } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { type Surroundings, wholePath } from "../resolve/expand_path.ts";

interface EntryFacts {
  readonly kind: string;
  readonly mode: number;
  readonly uid?: number | null;
}

/** What finding and reading a file takes. */
export interface ConfigFiles extends Surroundings {
  followedFacts(path: string): Promise<{ readonly kind: "file" | "folder" | "symlink" | "other" } | null>;
  /** What is in a folder; symlinks are not followed. */
  list?(folder: string): Promise<{
    readonly entries: readonly { readonly name: string; readonly facts: EntryFacts }[];
  }>;
  /** The account that asks; null where accounts have no numbers. */
  readonly uid?: number | null;
  /** The path with its links followed; null where nothing is. */
  realPath?(path: string): Promise<string | null>;
  /** What is at a path, links not followed. */
  facts?(path: string): Promise<unknown>;
  /** A folder of image-transfer's own, for sockets. */
  runtimeFolder?(): Promise<string>;
  /** At most so many bytes from there on. */
  read(path: string, offset: number, length: number): Promise<Uint8Array>;
}

/** The variable that names a configuration. */
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
