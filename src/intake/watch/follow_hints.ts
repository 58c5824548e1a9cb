/**
 * Works off dirty folders: looks at the names that were hinted at, lists the folder after them, and descends into
 * folders that were just made, as what was put into them before the watch was there gave no hint.
 *
 * @module
 */
import type { Job } from "../../config/settings.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { FileFacts } from "../../domain/source_file.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import type { PathFacts, System, WatchHint } from "../../system/system.ts";
import type { Candidates } from "../settle/candidates.ts";
import type { DirtyFolders, FolderWork, Touch } from "./dirty_folders.ts";
import { mapLimit } from "../../async/map_limit.ts";
import type { Judge } from "../settle/judge.ts";
import { isMarker, markersOf } from "../settle/marker.ts";
import { folderOf, lastPart, type Patterns } from "../patterns.ts";
import { recentCloses } from "./recent_closes.ts";
import type { Rereads } from "../settle/rereads.ts";
import { absolutePathOf, pathIn, relativePathOf } from "../source_path.ts";
import type { Unreadables } from "./unreadables.ts";

/** What the follower is handed: the parts of one intake. */
export interface HintTools {
  readonly job: Job;
  readonly system: Pick<System, "facts" | "list" | "monotonic" | "separator">;
  readonly patterns: Patterns;
  readonly judge: Judge;
  readonly candidates: Candidates;
  readonly dirty: DirtyFolders;
  readonly unreadables: Unreadables;
  readonly emit: Emit;
  readonly rereads: Pick<Rereads, "ask">;
}

/** From what a watch says to candidates; `paths` are absolute. */
export interface HintFollower {
  /** Notes a hint. False where it names something outside the watched folder, so that all must be listed. */
  note(kind: WatchHint["kind"], paths: readonly string[]): boolean;
  /** Does what is due in one folder. */
  work(work: FolderWork, signal: AbortSignal): Promise<void>;
}

/** Holds no more than which files were closed lately. */
export function hintFollower(tools: HintTools): HintFollower {
  const { job, system, patterns, judge, candidates, dirty, emit } = tools;
  const absolute = (path: string) => absolutePathOf(job.watchPath, path, system.separator);
  const closes = recentCloses();

  function note(kind: WatchHint["kind"], paths: readonly string[]): boolean {
    const how: Touch = kind === "other" ? "write" : kind;
    const now = system.monotonic();
    const carried = closes.note(kind, paths);
    let inside = true;
    for (const each of paths) {
      const path = relativePathOf(job.watchPath, each, system.separator);
      if (path === null) inside = false;
      if (path === null || path === "" || !patterns.enters(folderOf(path))) continue;
      // At once, so that a judgement under way notices.
      if (patterns.wants(path)) candidates.touch(path, how === "close" || each === carried);
      dirty.touch(folderOf(path), lastPart(path), how, now);
    }
    return inside;
  }

  async function work({ folder, names, whole, deep }: FolderWork, signal: AbortSignal): Promise<void> {
    if (!await isRealFolder(folder)) return gone(folder, names);
    const hinted = [...names];
    for (let start = 0; start < hinted.length; start += AT_ONCE) {
      await lookAt(folder, new Map(hinted.slice(start, start + AT_ONCE)), signal);
    }
    if (whole) await listWhole(folder, deep, signal);
  }

  async function lookAt(folder: string, names: FolderWork["names"], signal: AbortSignal): Promise<void> {
    const found: FileFacts[] = [];
    const marked: string[] = [];
    const folders: string[] = [];
    await mapLimit([...names], LOOKS_AT_ONCE, async ([name, touches]) => {
      const path = pathIn(folder, name);
      const facts = await factsOf(path);
      if (facts === undefined) return;
      if (facts === null) return vanished(path, touches);
      if (facts.kind === "folder" && patterns.enters(path) && (touches.has("create") || touches.has("rename"))) {
        folders.push(path);
      }
      if (facts.kind !== "file") return;
      if (patterns.wants(path)) found.push({ path, ...facts });
      if (job.completeness !== "marker" || !isMarker(name, job.marker)) return;
      // One by one: a marker may speak for a whole folder, and a call cannot take a hundred thousand arguments.
      for (const waiting of markedBy(path)) marked.push(waiting);
    }, signal);
    const news = (path: string) => {
      const touches = names.get(lastPart(path));
      return touches?.has("create") || touches?.has("rename") ? "created" : "changed";
    };
    const { open, known } = judge.meet(found, { news });
    // Heard of after its bytes may have been read. Only Linux tells of closes, the others of writes alone.
    tools.rereads.ask(known.filter((path) => names.get(lastPart(path))?.has("close") || names.get(lastPart(path))?.has("write")));
    const all = marked.length > 0 ? [...open, ...await judge.revisit(marked, signal, { retry: true })] : open;
    if (all.length > 0) await judge.judge(all, signal);
    for (const path of folders) {
      await listWhole(path, true, signal);
      dirty.list(path, system.monotonic(), job.debounceMs, true);
    }
  }

  /** Undefined, and listed, where it cannot be looked at. */
  async function factsOf(path: string): Promise<PathFacts | null | undefined> {
    try {
      return await system.facts(absolute(path));
    } catch (error) {
      tools.unreadables.note(path, reasonOf(error));
      return undefined;
    }
  }

  async function listWhole(top: string, deep: boolean, signal: AbortSignal): Promise<void> {
    const folders = [top];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      const begun = system.monotonic();
      const listing = await listOrNull(folder);
      if (listing === null) continue;
      const found: FileFacts[] = [];
      for (const { name, facts } of listing.entries) {
        const path = pathIn(folder, name);
        if (facts.kind === "folder" && deep && patterns.enters(path)) folders.push(path);
        if (facts.kind === "file" && patterns.wants(path)) found.push({ path, ...facts });
      }
      for (const { name, reason } of listing.unreadable) tools.unreadables.note(pathIn(folder, name), reason);
      dirty.listed(folder, system.monotonic(), system.monotonic() - begun);
      for (let start = 0; start < found.length; start += AT_ONCE) {
        const { open } = judge.meet(found.slice(start, start + AT_ONCE));
        if (open.length > 0) await judge.judge(open, signal);
      }
    }
  }

  async function listOrNull(folder: string): Promise<Awaited<ReturnType<System["list"]>> | null> {
    try {
      return await system.list(absolute(folder));
    } catch (error) {
      // Gone again, or not ours to read: the scans say so.
      if (await system.facts(absolute(folder)).catch(() => null) !== null) {
        tools.unreadables.note(folder, reasonOf(error));
      }
      return null;
    }
  }

  /** No part of the way is a symlink: nothing outside the watched folder is ever looked at. */
  async function isRealFolder(folder: string): Promise<boolean> {
    for (let part = folder; part !== ""; part = folderOf(part)) {
      const facts = await system.facts(absolute(part));
      if (facts?.kind !== "folder") return false;
    }
    return true;
  }

  function gone(folder: string, names: FolderWork["names"]): void {
    for (const [name, touches] of names) vanished(pathIn(folder, name), touches);
  }

  function vanished(path: string, touches: ReadonlySet<Touch>): void {
    candidates.forget(path);
    const told = (touches.has("remove") && job.watchEvents.includes("remove")) ||
      (touches.has("rename") && job.watchEvents.includes("rename"));
    if (told && patterns.wants(path)) emit({ type: "removed", job: job.name, path });
  }

  /** Files that wait for this marker. */
  function markedBy(marker: string): string[] {
    const inFolder = candidates.waiting().filter(({ path }) => folderOf(path) === folderOf(marker));
    return inFolder.map(({ path }) => path).filter((path) => markersOf(lastPart(path), job.marker).includes(lastPart(marker)));
  }

  return { note, work };
}

const AT_ONCE = 500;
const LOOKS_AT_ONCE = 128;
