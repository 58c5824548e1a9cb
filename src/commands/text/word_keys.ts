/** Keys of the configuration that come from a command line. */
import { ConfigError } from "../../config/read/config_error.ts";
import { destinationKeys } from "../../config/read/destination_word.ts";
import { parseConfig } from "../../config/read/parse_settings.ts";
import { absolutePath } from "../../config/read/search_path.ts";
import type { Surroundings } from "../../config/resolve/expand_path.ts";
import type { Settings } from "../../config/settings.ts";
import { Failure } from "../../domain/failure.ts";
import type { Tools } from "../command.ts";

/** The keys of a destination as {@linkcode destinationKeys} has them; a folder of this computer begins in the current one. */
export function destinationHere(
  word: string,
  { system, cwd }: Pick<Tools, "system" | "cwd">,
): ReturnType<typeof destinationKeys> {
  const keys = destinationKeys(word, system.platform === "windows");
  return keys["transfer_method"] === "local" ? { ...keys, remote_base_path: absolutePath(word, cwd, system) } : keys;
}

/** What the keys mean. @throws {Failure} `configuration` with everything that is wrong; there is no file whose lines could be named. */
export function settingsOfKeys(keys: Readonly<Record<string, unknown>>, around: Surroundings): Settings {
  try {
    return { ...parseConfig(JSON.stringify(keys), "", "yaml", around).settings, file: null };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new Failure("configuration", error.problems.map(({ message }) => message).join("; "), { cause: error });
  }
}
