/**
 * What a finished file becomes: one delivery per destination, night and target path frozen. The night
 * follows from the file's time of last change, which every file has; a YYYYMMDD folder in the path stays as it is.
 * Where `watch_path` has `NIGHT` in it, that folder tells the night, and the path begins below it.
 *
 * @module
 */
import type { Job } from "../../config/settings.ts";
import { Failure } from "../../domain/failure.ts";
import { targetPath } from "../../domain/names/layout.ts";
import { nightFolder } from "../../domain/night/night_folder.ts";
import { observingNight } from "../../domain/night/night.ts";
import type { FileFacts, SourceFile } from "../../domain/source_file.ts";
import type { Admission } from "../../ledger/intake_ledger.ts";

/** Header cards worth keeping in the ledger. */
export type Cards = NonNullable<Admission["cards"]>;

/** What the ledger is told of a finished file, and why some destinations do not get it. */
interface Admitted {
  readonly admission: Admission;
  /** Null where every destination gets it. */
  readonly refused: Failure | null;
}

/**
 * What the ledger is told of a finished file. A destination whose layout needs a header card that the file does not have is left
 * out, and the others get it all the same.
 * `methodOf` tells the method of a destination where `auto` has chosen one already.
 *
 * @throws {Failure} `bad_name` for a path that cannot be a target; `header_missing` where no destination can have it.
 */
export function admissionOf(
  job: Job,
  facts: FileFacts,
  absolutePath: string,
  cards: Cards | null,
  methodOf: (destination: string) => string | null,
): Admitted {
  const source: SourceFile = { ...facts, job: job.name, absolutePath };
  const night = nightOf(job, facts);
  const path = locate(job, facts)?.path ?? facts.path;
  const targets: Admission["targets"][number][] = [];
  const refused: Failure[] = [];
  for (const { name, layout, transport } of job.destinations) {
    try {
      const target = targetPath(layout, { path, night, job: job.name, cards });
      targets.push({ destination: name, target, method: methodOf(name) ?? transport.method });
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "header_missing") throw error;
      refused.push(error);
    }
  }
  if (refused[0] !== undefined && targets.length === 0) throw refused[0];
  const admission = { source, night, targets, ...(cards === null || Object.keys(cards).length === 0 ? {} : { cards }) };
  return { admission, refused: refused[0] ?? null };
}

/** The observing night of a file, `YYYYMMDD`. */
export function nightOf(job: Pick<Job, "night" | "nightFolder">, facts: Pick<FileFacts, "path" | "mtimeMs">): string {
  return locate(job, facts)?.night ?? observingNight(facts.mtimeMs, job.night);
}

function locate(job: Pick<Job, "nightFolder">, { path }: Pick<FileFacts, "path">) {
  return job.nightFolder === undefined ? null : nightFolder(job.nightFolder).locate(path);
}
