/**
 * Gives staged files their final names on a disk of this computer, by the conflict policy, so that no reader ever
 * sees a half or a missing file, and nothing that stands there is lost without being asked for.
 *
 * @module
 */
import { dirname } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import { nameKey } from "../../domain/names/name_key.ts";
import { printable } from "../../domain/names/printable.ts";
import { faultOf } from "../../system/fault.ts";
import type { System } from "../../system/system.ts";
import { keyedMutex } from "../../async/mutex.ts";
import { formerName } from "../../domain/names/former_name.ts";
import type { Publication } from "../method.ts";

/** What `publish` of the local method needs; native absolute paths, targets relative with `/`. */
export interface LocalNames {
  /**
   * Flushes the staged file, makes the folders on the way and gives the final name. Folders whose entries changed are
   * added to `changed`: durable once they are flushed. `pathOf` gives the native path of a relative one. Once `signal` is aborted
   * no name is given any more: whoever gave up waiting may send a newer version meanwhile.
   */
  give(
    staged: string,
    item: Publication,
    pathOf: (relative: string) => string,
    changed: Set<string>,
    signal: AbortSignal,
  ): Promise<{ former?: string }>;
  /** Flushes the folders that hold `folder`, so that its own name survives a power cut. */
  flushUpwards(folder: string): Promise<void>;
  /** These folders, which `changed` named, are flushed now: files that go there need no flush of the folder's own name any more. */
  remember(changed: Iterable<string>): void;
  /** Forgets which folders are flushed, after a flush that failed. */
  forget(): void;
}

/** Two that give the same name at once would both keep the same former file: by turns, over all sessions. */
const inTurn = keyedMutex();

/**
 * `base` is the native absolute base path; which folders are flushed is remembered as long as this lives. `makeBelow` makes
 * one folder below it, see `localSide`.
 */
export function createLocalNames(base: string, system: System, makeBelow: (folder: string) => Promise<void>): LocalNames {
  /** Folders that were seen to be there and whose own names are flushed: not before, as another batch may rely on it. */
  const known = new Set<string>([base]);

  async function makeFolders(
    item: Publication,
    pathOf: (relative: string) => string,
    changed: Set<string>,
  ): Promise<void> {
    const parts = item.target.split("/").slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) {
      const folder = pathOf(parts.slice(0, depth).join("/"));
      const facts = await system.followedFacts(folder);
      if (facts === null) {
        await makeBelow(folder);
        if (item.directoryMode !== null) await system.setMode(folder, item.directoryMode);
      } else if (facts.kind !== "folder") {
        throw new Failure("exists", `Cannot write "${printable(item.target)}": "${printable(folder)}" is not a folder`, {
          hint: "Move the file that is in the way, or change the layout.",
        });
      }
      // Also where it was there already: a crash may have come between its making and its flushing.
      changed.add(dirname(folder));
    }
  }

  async function give(
    staged: string,
    item: Publication,
    pathOf: (relative: string) => string,
    changed: Set<string>,
    signal: AbortSignal,
  ) {
    const target = pathOf(item.target);
    if (item.fileMode !== null) await system.setMode(staged, item.fileMode);
    await system.sync(staged);
    try {
      // What this batch has changed it flushes itself.
      if (!known.has(dirname(target)) && !changed.has(dirname(target))) await makeFolders(item, pathOf, changed);
      changed.add(dirname(target));
      return await inTurn(nameKey(target), () => name(staged, target, item, pathOf, signal));
    } catch (error) {
      // A folder that somebody removed meanwhile is made again; a staged file that is gone is not.
      if (faultOf(error) !== "not_found" || await system.facts(staged) === null) throw error;
      forget();
      await makeFolders(item, pathOf, changed);
      return await inTurn(nameKey(target), () => name(staged, target, item, pathOf, signal));
    }
  }

  async function name(
    staged: string,
    target: string,
    item: Publication,
    pathOf: (relative: string) => string,
    signal: AbortSignal,
  ) {
    const claimed = async (alone: boolean) => {
      if (item.onConflict === "overwrite" || !await claim(staged, target, alone)) return false;
      await system.remove(staged);
      return true;
    };
    signal.throwIfAborted();
    if (await claimed(false)) return {};
    // Another installation could keep the same former version, and then replace what this one has put there.
    await using _turn = await system.lockFolder(base, signal);
    // The name may have become free meanwhile.
    if (await claimed(true)) return {};
    const there = await system.facts(target);
    if (there?.kind === "folder") {
      throw new Failure("exists", `Cannot write "${printable(item.target)}": a folder has that name at the destination`, {
        hint: "Move the folder away, or change the layout.",
      });
    }
    if (there === null || item.onConflict === "overwrite" || await sameContent(staged, target)) {
      signal.throwIfAborted();
      await replace(staged, target);
      return {};
    }
    if (item.onConflict !== "version") {
      throw new Failure("exists", `Cannot write "${printable(item.target)}": a different file has that name at the destination`, {
        hint: "on_conflict: version keeps both, overwrite replaces it.",
      });
    }
    signal.throwIfAborted();
    const former = await keep(target, item.target, pathOf);
    await replace(staged, target);
    return { former };
  }

  /** True when the target was free and is the staged file now. `alone` while no other installation gives names. */
  async function claim(staged: string, target: string, alone: boolean): Promise<boolean> {
    try {
      await system.link(staged, target);
      return true;
    } catch (error) {
      const fault = faultOf(error);
      if (fault === "exists") return false;
      if (TELLING.has(fault)) throw error;
    }
    // No hard links here (exFAT, some network drives): look first. Only another program could come in between.
    if (!alone || await system.facts(target) !== null) return false;
    await system.rename(staged, target);
    return true;
  }

  /** Gives what stands at the target its former name; the target goes on existing where hard links do. */
  async function keep(target: string, relative: string, pathOf: (relative: string) => string): Promise<string> {
    const identity = (await system.facts(target))?.identity;
    for (let number = 1;; number++) {
      const former = formerName(relative, number);
      if (await claimFormer(target, pathOf(former))) return former;
      // Kept already, before a crash.
      if (identity && (await system.facts(pathOf(former)))?.identity === identity) return former;
    }
  }

  async function claimFormer(target: string, former: string): Promise<boolean> {
    try {
      await system.link(target, former);
      return true;
    } catch (error) {
      const fault = faultOf(error);
      if (fault === "exists") return false;
      if (TELLING.has(fault)) throw error;
    }
    if (await system.facts(former) !== null) return false;
    await system.rename(target, former);
    return true;
  }

  /** Rename last: readers see the old or the new file, whole. */
  async function replace(staged: string, target: string): Promise<void> {
    for (let attempt = 1;; attempt++) {
      try {
        await system.rename(staged, target);
        break;
      } catch (error) {
        const held = system.platform === "windows" && ["busy", "permission"].includes(faultOf(error));
        if (!held) throw error;
        if (attempt === WINDOWS_ATTEMPTS) {
          throw new Failure("permission_denied", `Cannot replace "${printable(target)}": another program has it open`, {
            next: "later",
            hint: "Close the program that has the file open; it is retried automatically.",
            cause: error,
          });
        }
        await system.sleep(WINDOWS_PAUSE_MS);
      }
    }
    // Two names of one file: POSIX renames nothing then (a crash came between link and remove).
    await system.remove(staged);
  }

  async function sameContent(staged: string, target: string): Promise<boolean> {
    const [ours, theirs] = [await system.facts(staged), await system.facts(target)];
    if (theirs?.kind !== "file" || ours?.size !== theirs.size) return false;
    if (ours.identity !== "" && ours.identity === theirs.identity) return true;
    const never = new AbortController().signal;
    return (await system.hash(staged, never)).sha256 === (await system.hash(target, never)).sha256;
  }

  function forget(): void {
    known.clear();
    known.add(base);
  }

  return {
    give,
    forget,
    remember: (changed) => {
      for (const folder of changed) known.add(folder);
    },
    flushUpwards: async (folder) => {
      for (let parent = dirname(folder), child = folder; parent !== child; child = parent, parent = dirname(parent)) {
        await system.sync(parent);
      }
    },
  };
}

/** Faults that would be the same with another call: anything else may only mean that there are no hard links. */
const TELLING: ReadonlySet<string> = new Set(["not_found", "no_space", "read_only", "name_too_long", "bad_name", "cross_device"]);
const WINDOWS_ATTEMPTS = 20;
const WINDOWS_PAUSE_MS = 100;
