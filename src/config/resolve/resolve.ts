/**
 * From a checked tree to the settings: keys further up become the defaults of those below, every default is filled in, every
 * path is made absolute, and contradictions are reported.
 *
 * @module
 */
import { finishedKeys, jobShape, nightKeys, watchKeys } from "../schema/schema_job.ts";
import { scheduleKeys } from "../schema/schema_schedule.ts";
import { type Job, loginOf, type Settings } from "../settings.ts";
import { findLoops } from "./loops.ts";
import { splitWatched } from "./night_path.ts";
import { resolveDestination } from "./resolve_destination.ts";
import { resolveProgram } from "./resolve_program.ts";
import { resolveKeys, type Resolving, type Section, withDefaults } from "./resolving.ts";
import type { Path } from "../read/source.ts";
import { listOf } from "../read/tree.ts";

/** The settings, and the same as a complete configuration file. */
export interface Resolved {
  readonly settings: Settings;
  /** For `config show`: jobs with their destinations, every key with its value, secrets in clear. */
  readonly full: Section;
}

/** Resolves a checked tree. If anything was reported to `to.report`, the settings must not be used to send files. */
export function resolve(root: Section, file: string | null, to: Resolving): Resolved {
  const program = resolveProgram(root, to);
  const written: [Path, Section][] = root["jobs"] === undefined
    ? [[[], { name: "default" }]]
    : listOf(root["jobs"]).map(([index, job]) => [["jobs", index], job]);
  const jobs = written.map(([path, section]) => resolveJob(section, path, root, to));
  refuseSameNames(jobs.map(({ job }) => job.name), (index) => [...written[index]![0], "name"], "job", to);
  for (const { job, destination, message } of findLoops(jobs.map(({ job }) => job), to.around.platform)) {
    to.report(to.placeOf(jobs[job]!.places[destination]!, "remote_base_path"), message);
  }
  const namesDestinations = jobs.reduce((sum, { job }) => sum + job.destinations.length, 0) > 1;
  const settings = { ...program.settings, log: { ...program.settings.log, namesDestinations } };
  return {
    settings: { file, jobs: jobs.map(({ job }) => job), ...settings },
    full: { jobs: jobs.map(({ full }) => full), ...program.full },
  };
}

function resolveJob(section: Section, path: Path, root: Section, to: Resolving) {
  const merged = { ...root, ...section };
  const options = resolveKeys({ ...watchKeys, ...finishedKeys, ...scheduleKeys }, merged, path, to);
  const name = String(section["name"] ?? "");
  const watched = splitWatched(options.watchPath);
  const list = listOf(merged["destinations"]);
  const listPath: Path = section["destinations"] === undefined ? [] : path;
  const places: [Path, Section][] = list.length > 0
    ? list.map(([index, destination]) => [[...listPath, "destinations", index], destination])
    : [[path, {}]];
  const above = { ...merged };
  delete above["name"];
  const made = places.map(([at, own]) => resolveDestination({ ...above, ...own }, at, name, to));
  const destinations = made.map(({ destination }) => destination);
  refuseSameNames(
    destinations.map((destination) => destination.name),
    (index) => [...places[index]![0], "name"],
    "destination",
    to,
  );
  refuseSamePlaces(
    destinations.map(({ transport, basePath, layout }) => JSON.stringify([loginOf(transport)?.host, basePath, layout])),
    places.map(([at]) => at),
    to,
  );
  const unproven = destinations.find(({ verify }) => verify !== "checksum");
  if (options.deleteSource && unproven !== undefined) {
    to.report(
      to.placeOf(path, "delete_source"),
      `"delete_source" needs verify_transfer: true at every destination; "${unproven.name}" has ${unproven.verify}`,
    );
  }
  const night = resolveKeys(nightKeys, merged, path, to);
  const job: Job = {
    ...options,
    name,
    watchPath: watched.folder,
    ...(watched.below === null ? {} : { nightFolder: watched.below }),
    night,
    schedule: "timezone" in options.schedule
      ? { ...options.schedule, timezone: options.schedule.timezone ?? night.timezone }
      : options.schedule,
    destinations,
  };
  const full = {
    name,
    ...withDefaults(jobShape, merged),
    watch_path: options.watchPath,
    destinations: made.map((one) => one.full),
  };
  return { job, full, places: places.map(([at]) => at) };
}

function refuseSameNames(names: readonly string[], pathOf: (index: number) => Path, what: string, to: Resolving): void {
  names.forEach((name, index) => {
    const first = names.findIndex((other) => other.toLowerCase() === name.toLowerCase());
    if (first < index && name !== "") to.report(pathOf(index), `there are two ${what}s named "${name}"; names must be unique`);
  });
}

function refuseSamePlaces(places: readonly string[], paths: readonly Path[], to: Resolving): void {
  places.forEach((place, index) => {
    if (places.indexOf(place) < index) {
      to.report(paths[index]!, "this destination has the same folder as another destination of the same job");
    }
  });
}
