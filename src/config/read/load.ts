/** Finds the configuration, reads it, and makes settings of it. */
import { heldJobs, heldReasons, permissionLines } from "./held_jobs.ts";
import { keptJobs, type RemoteJob, type UsedJob } from "./remote_jobs.ts";
import { type ConfigKind, parsePartially, type PartialConfig, unparsed } from "./parse_settings.ts";
import {
  absolutePath,
  CONFIG_VARIABLE,
  findConfigFile,
  type Reading,
  rememberedState,
  SERVICE_STATE,
  surroundingsOf,
  usualConfigFiles,
} from "./find_config.ts";
import type { ConfigFiles, Surroundings } from "../resolve/expand_path.ts";
import type { Position } from "./source.ts";
import type { FullSettings } from "../resolve/resolve.ts";
import { isOnThisComputer, type Job, type Settings } from "../settings.ts";
import { writtenJobs } from "../show/show.ts";
import { Failure } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";

/**
 * The settings of the configuration named by `-c`, or of the first found in the usual places.
 *
 * @param cwd where relative names begin
 * @throws {ConfigError} with everything that is wrong with the file
 * @throws {Failure} `configuration` when there is none, or it cannot be read
 */
export async function loadSettings(named: string | undefined, cwd: string, system: ConfigFiles): Promise<FullSettings> {
  return await readConfig(await findConfigFile(named, cwd, system), system);
}

/** Reads one file, for a reload: the path is absolute and known. */
export async function readConfig(path: string, system: Reading, remote?: readonly RemoteJob[]): Promise<FullSettings> {
  const { settings, fault } = await readPartially(path, system, remote);
  if (fault !== null) throw fault;
  return settings;
}

/**
 * As {@linkcode readConfig}, but what is wrong with the file is part of the answer. With `remote`, these jobs stand for what the server
 * was last known to keep.
 *
 * @throws {Failure} where the file cannot be read.
 */
export async function readPartially(path: string, system: Reading, remote?: readonly RemoteJob[]): Promise<PartialConfig> {
  let bytes: Uint8Array;
  try {
    bytes = await system.read(path, 0, MOST_BYTES + 1);
  } catch (cause) {
    throw new Failure("configuration", `Cannot read the configuration "${path}": ${reasonOf(cause)}`, {
      hint: "Check that the file exists and that this user can read it.",
      cause,
    });
  }
  if (bytes.length > MOST_BYTES) {
    throw new Failure("configuration", `Cannot read the configuration "${path}": it is larger than 1 MB`, {
      hint: "Specify a configuration file, not an image or a device.",
    });
  }
  const around = await surroundingsOf(system, path);
  const decoded = decode(bytes);
  if ("text" in decoded) return await withRemoteJobs(decoded.text, path, around, system, remote);
  return unparsed(new TextDecoder().decode(bytes), path, kindOf(path), around, [decoded.fault]);
}

/** With the jobs of the server that the text names, if there is one and as far as it allows them: `remote`, else the copy on this disk. */
async function withRemoteJobs(
  text: string,
  path: string,
  around: Surroundings,
  system: Reading,
  remote?: readonly RemoteJob[],
): Promise<PartialConfig> {
  const parsed = (jobs: readonly UsedJob[] = []) => parsePartially(text, path, kindOf(path), around, jobs);
  const alone = parsed();
  const { settings: own } = alone;
  if (own.pocketbase === null || alone.fault !== null) return alone;
  const jobs = remote ?? (await keptJobs(own, system))?.jobs ?? [];
  const asked = parsed(jobs.map((job) => ({ ...job, use: "job" }))).settings;
  const { held, linkFree } = await heldJobs(jobs, asked, own, { ...system, ...around });
  const { maySet } = own.pocketbase;
  const written = writtenJobs(own.full);
  const used = jobs.flatMap((job): UsedJob[] => {
    const same = written.find(({ name }) => name.toLowerCase() === job.name.toLowerCase());
    if (maySet.includes("jobs") && !held.some(({ name }) => name === job.name)) {
      return [{ ...job, use: "job", ...same === undefined ? {} : { own: same } }];
    }
    return maySet.includes("schedules") ? [{ ...job, use: "schedule" }] : [];
  });
  const taken = parsed(used);
  const guarded = (job: Job): Job => {
    const from = used.find(({ name, use }) => use === "job" && name.toLowerCase() === job.name.toLowerCase());
    const linkFreeFrom = from && linkFree.get(from.name);
    if (from === undefined) return job;
    const destinations = job.destinations.map((one) => isOnThisComputer(one) ? { ...one, noLinks: true as const } : one);
    return { ...job, destinations, ...linkFreeFrom === undefined ? {} : { linkFreeFrom } };
  };
  const lines = permissionLines(held, own.pocketbase, kindOf(path)).map((line) => line.trim());
  const advice = lines.length === 0 ? [] : ['if you want what waits to run, add these lines to "pocketbase"', ...lines];
  const notes = [...taken.settings.notes, ...heldReasons(held), ...advice];
  const removedOnServer = jobs.flatMap(({ name, removedAt }) => removedAt === undefined ? [] : [name]);
  const settings = { ...taken.settings, jobs: taken.settings.jobs.map(guarded), notes, held, removedOnServer };
  return { ...taken, settings };
}

/** A larger file is not a configuration; a device may be endless. */
const MOST_BYTES = 1_048_576;

export function kindOf(path: string): ConfigKind {
  return path.toLowerCase().endsWith(".toml") ? "toml" : "yaml";
}

// From the bytes of a configuration to its text: UTF-8, or UTF-16 if a byte order mark says so, as Windows PowerShell writes it.
// Nothing is guessed: a wrong guess would result in a wrong folder name.

/** The text without its byte order mark, or why there is none. */
type Decoded = { readonly text: string } | { readonly fault: Position & { readonly message: string } };

const MARKS = [["utf-16le", 0xff, 0xfe], ["utf-16be", 0xfe, 0xff]] as const;

/** Never throws: what is wrong with the bytes is the fault. */
function decode(bytes: Uint8Array): Decoded {
  const fault = (message: string, line = 1, column = 1) => ({ fault: { line, column, message } });
  const encoding = MARKS.find(([, first, second]) => bytes[0] === first && bytes[1] === second)?.[0] ?? "utf-8";
  const text = strictly(encoding, bytes);
  if (text?.includes("\0")) {
    return fault("the file contains zero bytes, as in UTF-16 without a byte order mark; save it as UTF-8");
  }
  if (text !== null) return { text };
  if (encoding !== "utf-8") return fault("the file is damaged: it begins as UTF-16 but is not valid UTF-16");
  let [line, start] = [1, 0];
  const end = () => bytes.indexOf(LINE_FEED, start);
  for (; end() >= 0 && strictly("utf-8", bytes.subarray(start, end())) !== null; line++) start = end() + 1;
  // Everything before the first replacement character is valid. The line itself is not quoted: it may hold a secret.
  const column = new TextDecoder().decode(bytes.subarray(start)).indexOf("\uFFFD") + 1;
  return fault("invalid UTF-8; the file may have been saved as Latin-1 or Windows-1252: save it as UTF-8", line, column);
}

function strictly(encoding: string, bytes: Uint8Array): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

const LINE_FEED = 0x0a;

// For commands that only talk to a daemon or read its ledger: they must work even if the file was damaged or deleted while it runs.

interface PartialSettings {
  /** Complete if nothing is wrong. Else only the state directory is reliable, and the rest is what could be read. */
  readonly settings: Settings;
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
    const { settings, stateDirectory, fault } = await readPartially(file, system);
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

export function withoutFile(around: Surroundings): Settings {
  return { ...unparsed("", "", "yaml", around, []).settings, file: null };
}
