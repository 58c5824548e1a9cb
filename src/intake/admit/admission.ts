/**
 * What a finished file becomes: one delivery per destination, night and target path frozen. The night
 * follows from the file's time of last change, which every file has; a YYYYMMDD folder in the path stays as it is.
 * Where `watch_path` has `NIGHT` in it, that folder tells the night, and the path begins below it.
 *
 * @module
 */
import type { Job } from "../../config/settings.ts";
import { targetPath } from "../../domain/names/layout.ts";
import { nightFolder } from "../../domain/night/night_folder.ts";
import { observingNight } from "../../domain/night/night.ts";
import type { FileFacts, SourceFile } from "../../domain/source_file.ts";
import type { Admission } from "../../ledger/intake_ledger.ts";

/** Header cards worth keeping in the ledger. */
export type Cards = NonNullable<Admission["cards"]>;

/**
 * What the ledger is told of a finished file.
 * `methodOf` tells the method of a destination where `auto` has chosen one already.
 *
 * @throws {Failure} `bad_name` for a path that cannot be a target.
 */
export function admissionOf(
  job: Job,
  facts: FileFacts,
  absolutePath: string,
  cards: Cards | null,
  methodOf: (destination: string) => string | null,
): Admission {
  const source: SourceFile = { ...facts, job: job.name, absolutePath };
  const night = nightOf(job, facts);
  const path = locate(job, facts)?.path ?? facts.path;
  const targets = job.destinations.map(({ name, layout, transport }) => ({
    destination: name,
    target: targetPath(layout, { path, night, job: job.name }),
    method: methodOf(name) ?? transport.method,
  }));
  return { source, night, targets, ...(cards === null || Object.keys(cards).length === 0 ? {} : { cards }) };
}

/** The observing night of a file, `YYYYMMDD`. */
export function nightOf(job: Pick<Job, "night" | "nightFolder">, facts: Pick<FileFacts, "path" | "mtimeMs">): string {
  return locate(job, facts)?.night ?? observingNight(facts.mtimeMs, job.night);
}

function locate(job: Pick<Job, "nightFolder">, { path }: Pick<FileFacts, "path">) {
  return job.nightFolder === undefined ? null : nightFolder(job.nightFolder).locate(path);
}
