/**
 * Which files of a watched folder count, and which are done-markers. Case does not matter. A pattern without a slash is held against the
 * name (an exclude pattern also against every folder above it), one with a slash against the path from the watched folder. Our own
 * `.image-transfer-*` folders and those that belong to a disk never count.
 *
 * With `completeness: marker` a file is finished once its marker is beside it. `{name}` in the marker's name is the file's name, `{stem}`
 * the name without its ending; `{name}.done` is satisfied by `<stem>.done` too. A marker older than the file belongs to a former version.
 */
import type { Job } from "../config/settings.ts";
import { globs } from "../domain/names/globs.ts";
import { folderOf, lastPart, nameParts } from "../domain/names/file_name.ts";
import { nightFolder } from "../domain/night/night.ts";

/** Paths are relative to the watched folder, `/` between the parts. */
export interface Patterns {
  /** Whether a file with this path is to be delivered. */
  wants(path: string): boolean;
  /** Whether it would be wanted but for its name, which only our own folders and temporary files have. */
  isReserved(path: string): boolean;
  /** Whether anything below this folder may be wanted; `""` is the watched folder itself. */
  enters(folder: string): boolean;
}

type Wanting = Pick<
  Job,
  "filePatterns" | "excludePatterns" | "ignoreHiddenFiles" | "recursive" | "completeness" | "marker" | "nightFolder"
>;

export function patternsOf(job: Wanting): Patterns {
  const patterns = patternsBelow(job);
  if (job.nightFolder === undefined) return patterns;
  const nights = nightFolder(job.nightFolder);
  return {
    wants(path) {
      const found = nights.locate(path);
      return found !== null && patterns.wants(found.path);
    },
    isReserved(path) {
      const found = nights.locate(path);
      return found !== null && patterns.isReserved(found.path);
    },
    enters(folder) {
      if (nights.leadsThere(folder)) return true;
      const found = nights.locate(`${folder}/.`);
      return found !== null && patterns.enters(folderOf(found.path));
    },
  };
}

/** How deep a job's folder must be listed. */
export function isDeep({ recursive, nightFolder }: Pick<Job, "recursive" | "nightFolder">): boolean {
  return recursive || nightFolder !== undefined;
}

function patternsBelow(job: Wanting): Patterns {
  const included = matcher(job.filePatterns);
  const excluded = matcher(job.excludePatterns);
  const entered = new Map<string, boolean>();

  const passes = (path: string) =>
    !OF_THE_DISK.test(lastPart(path)) && !(job.ignoreHiddenFiles && lastPart(path).startsWith(".")) && !excluded(path);

  const enters = (folder: string): boolean => {
    if (folder === "") return true;
    if (!job.recursive) return false;
    const known = entered.get(folder);
    if (known !== undefined) return known;
    if (entered.size >= MOST_FOLDERS) entered.clear();
    const answer = !isOurs(lastPart(folder)) && passes(folder) && !excluded(folder + "/") && enters(folderOf(folder));
    entered.set(folder, answer);
    return answer;
  };

  const chosen = (path: string) =>
    included(path) && passes(path) && !(job.completeness === "marker" && isMarker(lastPart(path), job.marker)) &&
    enters(folderOf(path));

  return {
    enters,
    wants: (path) => !isOurs(lastPart(path)) && chosen(path),
    isReserved: (path) => isOurs(lastPart(path)) && !TEMPORARY.test(path) && chosen(path),
  };
}

/** Whether a folder or file of this name is ours, or looks like it: the sweep may remove it. */
function isOurs(name: string): boolean {
  return name.startsWith(".image-transfer-");
}

/** Folders that file systems and desktops keep on a disk. Many may not be listed, and what is in the others was deleted or lost. */
const OF_THE_DISK =
  /^(?:lost\+found|system volume information|\$recycle\.bin|\.(?:trashes|trash-\d+|spotlight-v100|fseventsd|temporaryitems))$/i;

/** Files that we make for a moment end in a UUID. */
const TEMPORARY = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a relative path matches one of these patterns. */
export function matcher(patterns: readonly string[]): (path: string) => boolean {
  const byName = globs(patterns.filter((pattern) => !pattern.includes("/")));
  const byPath = globs(patterns.filter((pattern) => pattern.includes("/")).map((pattern) => pattern.replace(/^\.?\//, "")));
  return (path) => byName(lastPart(path)) || byPath(path);
}

/** Answers for folders are remembered for this many, so that a huge tree costs no memory. */
const MOST_FOLDERS = 10_000;

/** Whether a file of this name is a marker by this template. */
export function isMarker(name: string, template: string): boolean {
  const [before = "", ...after] = template.split(/\{name\}|\{stem\}/);
  if (after.length === 0) return name === template;
  const ending = after.at(-1) ?? "";
  return name.length > before.length + ending.length && name.startsWith(before) && name.endsWith(ending);
}

/** The names that a file's marker may have, likeliest first. */
export function markersOf(name: string, template: string): string[] {
  const fill = (pattern: string) => pattern.replaceAll("{name}", () => name).replaceAll("{stem}", () => nameParts(name).stem);
  return [...new Set([fill(template), fill(template.replaceAll("{name}", "{stem}"))])].filter((each) => each !== name);
}

/** Whether a marker with this time speaks for a file with that time; both in milliseconds since 1970. */
export function isCurrent(markerMtimeMs: number, fileMtimeMs: number): boolean {
  return markerMtimeMs >= fileMtimeMs - COARSEST_TIMESTAMP_MS;
}

/** Whether a current marker by this template is beside the file; `look` is given names in the file's folder. */
export async function isMarked(
  file: { readonly name: string; readonly mtimeMs: number },
  template: string,
  look: (name: string) => Promise<{ readonly mtimeMs: number } | null>,
): Promise<boolean> {
  for (const name of markersOf(file.name, template)) {
    const marker = await look(name);
    if (marker !== null && isCurrent(marker.mtimeMs, file.mtimeMs)) return true;
  }
  return false;
}

/** FAT keeps times in steps of two seconds. */
const COARSEST_TIMESTAMP_MS = 2_000;
