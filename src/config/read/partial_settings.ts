/**
 * A configuration as far as it can be read: for commands that only talk to a daemon or read its ledger. They must work even if
 * the file was damaged or deleted while the daemon runs.
 */
import { Failure } from "../../domain/failure.ts";
import type { Settings } from "../settings.ts";
import { readPartially, SERVICE_STATE, surroundingsOf } from "./load.ts";
import { unparsed } from "./parse_settings.ts";
import { rememberedState } from "./remembered_state.ts";
import type { Surroundings } from "../resolve/expand_path.ts";
import { absolutePath, CONFIG_VARIABLE, type ConfigFiles, findConfigFile, usualConfigFiles } from "./search_path.ts";

/** What could be read. */
interface PartialSettings {
  /** Complete if nothing is wrong. Else only the state directory is reliable, and the rest is what could be read. */
  readonly settings: Settings;
  /** Why it cannot be used; null if it can. */
  readonly fault: Failure | null;
  /** True if the state directory is unknown, and the usual one is assumed. */
  readonly guessed: boolean;
  /** Where a daemon with this file last kept its state, if that is not what the file says now. */
  readonly former: string | null;
}

/**
 * As `loadSettings()`, but gives what is known of a file with faults, or one that is gone.
 *
 * @throws {Failure} `configuration` for a named file that cannot be read and that no daemon ever ran with.
 */
export async function partialSettings(named: string | undefined, cwd: string, system: ConfigFiles): Promise<PartialSettings> {
  const around = await surroundingsOf(system);
  const defaults = withoutFile(around);
  const remembered = (file: string) => rememberedState(file, [defaults.stateDirectory, SERVICE_STATE], system);
  try {
    const file = await findConfigFile(named, cwd, system);
    const { resolved: { settings }, stateDirectory, fault } = await readPartially(file, system);
    const last = await remembered(file);
    if (fault === null) return { settings, fault, guessed: false, former: last === settings.stateDirectory ? null : last };
    const known = stateDirectory ?? last;
    const believed = { ...settings, stateDirectory: known ?? defaults.stateDirectory };
    return { settings: believed, fault, guessed: known === null, former: null };
  } catch (fault) {
    if (!(fault instanceof Failure)) throw fault;
    const given = named ?? (system.env(CONFIG_VARIABLE) || undefined);
    for (const file of given === undefined ? usualConfigFiles(system) : [absolutePath(given, cwd, system)]) {
      const last = await remembered(file);
      if (last === null) continue;
      return { settings: { ...defaults, file, stateDirectory: last }, fault, guessed: false, former: null };
    }
    if (given !== undefined) throw fault;
    return { settings: defaults, fault, guessed: true, former: null };
  }
}

/** All defaults, and no jobs: the settings without a file. */
export function withoutFile(around: Surroundings): Settings {
  return { ...unparsed("", "", "yaml", around, []).resolved.settings, file: null };
}
