/**
 * Notes what a watcher tells: the file is touched, so that a settlement under way notices, and its folder is dirty.
 *
 * @module
 */
import type { WatchEvent } from "../../system/system.ts";
import type { IntakeContext } from "../intake_context.ts";
import { folderOf, lastPart, relativePathOf } from "../source_path.ts";
import type { Touch } from "./dirty_folders.ts";

type Noting = Pick<IntakeContext, "job" | "patterns" | "candidates" | "dirty" | "recentCloses" | "missingEvents" | "looks"> & {
  readonly system: Pick<IntakeContext["system"], "monotonic" | "separator">;
};

/** `paths` are absolute. False where one lies outside the watched folder, so that everything must be listed. */
export function noteEvent(context: Noting, kind: WatchEvent["kind"], paths: readonly string[]): boolean {
  const { job, system, patterns, candidates, dirty } = context;
  const how: Touch = kind === "other" ? "write" : kind;
  const now = system.monotonic();
  const renamed = context.recentCloses.note(kind, paths);
  let inside = true;
  for (const each of paths) {
    const path = relativePathOf(job.watchPath, each, system.separator);
    context.missingEvents.told(path ?? "");
    if (path === null) inside = false;
    if (path === null || path === "" || !patterns.enters(folderOf(path))) continue;
    if (patterns.wants(path)) {
      candidates.touch(path, kind === "close" || each === renamed);
      if (kind === "write" || kind === "close") context.looks.heard(each);
    }
    dirty.touch(folderOf(path), lastPart(path), how, now);
  }
  return inside;
}
