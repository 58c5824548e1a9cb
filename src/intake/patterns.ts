/**
 * Which files of a watched folder count. Case does not matter. A pattern without a slash is held against the
 * name (an exclude pattern also against every folder above it), one with a slash against the path from the
 * watched folder. Our own `.image-transfer-*` folders and those that belong to a disk never count.
 *
 * @module
 */
import type { Job } from "../config/settings.ts";
import { globs } from "../domain/names/globs.ts";
import { nightFolder } from "../domain/night/night_folder.ts";
import { isMarker } from "./settle/marker.ts";
import { folderOf, lastPart } from "./source_path.ts";

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
