/**
 * Finds the configuration, reads it, and makes settings of it.
 *
 * @module
 */
import { Failure } from "../domain/failure.ts";
import type { Settings } from "../domain/settings.ts";
import { type ConfigKind, parseConfig } from "./parse_settings.ts";
import type { Resolved } from "./resolve.ts";
import { findConfigFile } from "./search_path.ts";
import type { ConfigFiles, Surroundings } from "./surroundings.ts";

/**
 * The settings of the configuration named by `-c`, or of the first found in the usual places.
 *
 * @param cwd where relative names begin
 * @throws {ConfigError} with everything that is wrong with the file
 * @throws {Failure} `configuration` when there is none, or it cannot be read
 */
export async function loadSettings(named: string | undefined, cwd: string, system: ConfigFiles): Promise<Settings> {
  return (await loadConfig(named, cwd, system)).settings;
}

/** As {@linkcode loadSettings}, and the whole in the notation of a configuration file. */
export async function loadConfig(named: string | undefined, cwd: string, system: ConfigFiles): Promise<Resolved> {
  return await readConfig(await findConfigFile(named, cwd, system), system);
}

/** Reads one file, for a reload: the path is absolute and known. */
export async function readConfig(path: string, system: Surroundings & Pick<ConfigFiles, "readText">): Promise<Resolved> {
  let text: string;
  try {
    text = await system.readText(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure("configuration", `Cannot read the configuration "${path}": ${reason}`, {
      hint: "Check that the file is there and that this user may read it.",
      cause,
    });
  }
  return parseConfig(text, path, kindOf(path), system);
}

/** TOML where the name ends in `.toml`, else YAML. */
export function kindOf(path: string): ConfigKind {
  return path.toLowerCase().endsWith(".toml") ? "toml" : "yaml";
}
