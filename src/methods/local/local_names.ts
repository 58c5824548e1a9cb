/**
 * Names on a disk of this computer: given by `link`, which never replaces, or by an atomic `rename`, so that no reader ever sees a half or a
 * missing file. Files are flushed before they are named, folders last.
 */
import { dirname } from "@std/path";
import { mapLimit } from "../../async/map_limit.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { faultOf } from "../../system/fault.ts";
import type { Session } from "../method.ts";
import type { Act, Answer, Names } from "../names.ts";
import {
  checkMount,
  checkStaging,
  destinationFailure,
  type LocalBase,
  localFailure,
  makeBelow,
  pathOf,
  strangers,
} from "./local_base.ts";
import { factsOf, FLUSHES_AT_ONCE, LOOKS_AT_ONCE, statOf } from "./local_files.ts";

/** For one call of a session: `flush` flushes the folders whose entries have changed since. */
export function localNames(base: LocalBase, digest: Session["digest"]): Names {
  const { system, destination, where, stagingRoot, folder } = base;
  const changed = new Set<string>();
  let notFlushed: unknown = null;
  const unlisted = (error: unknown): never => {
    throw localFailure(error, `list the temporary folder "${stagingRoot}" of ${where}`);
  };
  return {
    where,
    system,
    stagingRoot,
    timeoutMs: destination.timeoutMs,
    place: folder,
    known: base.flushed,
    check: (path) => pathOf(base, path),
    mayReplace: () => Promise.resolve(false),
    async act(phases, signal) {
      const answers = new Map<Act, Answer>();
      for (const acts of phases) {
        for (const act of await giveMany(base, acts, changed, signal)) answers.set(act, { done: true });
        const isLook = acts.every((act) => act.do === "stat" || act.do === "free");
        await mapLimit(acts.filter((act) => !answers.has(act)), isLook ? LOOKS_AT_ONCE : FLUSHES_AT_ONCE, async (act) => {
          answers.set(act, await doOne(base, act, changed, signal));
        });
      }
      return answers;
    },
    list: (folders) =>
      mapLimit(folders, 1, async (each) => {
        const { entries } = await system.list(pathOf(base, each)).catch(unlisted);
        return entries.map(({ name, facts }) => ({ name, isFolder: facts.kind === "folder" }));
      }),
    digest,
    checkBase: () => checkMount(base),
    checkStaging: () => checkStaging(base).catch(unlisted),
    async strangers(paths, what) {
      await checkMount(base);
      return await strangers(base, paths, what);
    },
    async lock(signal) {
      try {
        return await system.lockFolder(folder, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw await destinationFailure(base, error, `lock the folder ${where}`);
      }
    },
    async removeTrees(folders) {
      for (const each of folders) {
        await system.removeTree(pathOf(base, each)).catch((error) => {
          throw localFailure(error, `remove the folder "${printable(each)}" from ${where}`);
        });
      }
    },
    async flush() {
      try {
        // Linux tells of an error of the disk only once (fsync(2)): what could not be flushed stays so.
        if (notFlushed !== null) throw notFlushed;
        // Once each: a rename is on the disk when its folder is.
        await mapLimit([...changed], FLUSHES_AT_ONCE, (folder) => system.sync(folder));
      } catch (error) {
        notFlushed = error;
        throw await destinationFailure(base, error, `flush folders of ${where} to the disk`);
      }
    },
    async failure(what, error) {
      // It may have been through a link that somebody has just put in the place of our folder.
      if (faultOf(error) === "cross_device") await checkStaging(base);
      return await destinationFailure(base, error, what);
    },
  };
}

/** Flushes many staged files and gives those their names that are free; gives the acts that are done. */
async function giveMany(base: LocalBase, acts: readonly Act[], changed: Set<string>, signal: AbortSignal): Promise<Act[]> {
  if (acts.length < FLUSHES_AT_ONCE) return [];
  const gives = acts.flatMap((act) => {
    if (act.do !== "give" || act.free) return [];
    const [file, name] = [pathOf(base, act.from), pathOf(base, act.to)];
    return base.flushing.has(file) ? [] : [{ act, file, name, mode: null }];
  });
  const named = await base.bulk.name(gives, signal);
  const done = gives.filter((_, index) => named[index]);
  for (const { name } of done) changed.add(dirname(name));
  return done.map(({ act }) => act);
}

async function doOne(base: LocalBase, act: Act, changed: Set<string>, signal: AbortSignal): Promise<Answer> {
  signal.throwIfAborted();
  const { system } = base;
  const path = pathOf(base, "path" in act ? act.path : act.to);
  try {
    switch (act.do) {
      case "free":
        return { done: await factsOf(path, system, "itself") === null };
      case "folder":
        return { done: (await factsOf(path, system, "itself"))?.kind === "folder" };
      case "stat":
        return { done: true, stat: statOf(await factsOf(path, system, act.follow ? "followed" : "itself")) };
      case "mkdir": {
        const done = await makeBelow(base, path);
        // Also where it is there already: a crash may have come between its making and its flushing.
        changed.add(dirname(path));
        return { done };
      }
      case "mode":
        await system.setMode(path, act.mode);
        return { done: true };
      case "rmdir":
      case "remove":
        await system.remove(path);
        changed.add(dirname(path));
        return { done: true };
      case "link":
        // Also where it is there already, as with a folder.
        changed.add(dirname(path));
        await system.link(pathOf(base, act.from), path);
        return { done: true };
      case "rename":
        await system.rename(pathOf(base, act.from), path);
        changed.add(dirname(path)).add(dirname(pathOf(base, act.from)));
        return { done: true };
      case "give":
      case "replace": {
        const from = pathOf(base, act.from);
        const answer = act.do === "give"
          ? await give(base, from, path, act.free === true)
          : await replace(base, from, path, signal);
        if (answer.done) changed.add(dirname(path));
        return answer;
      }
    }
  } catch (refusal) {
    signal.throwIfAborted();
    return { done: false, refusal };
  }
}

async function give(base: LocalBase, staged: string, target: string, isFree: boolean): Promise<Answer> {
  const { system } = base;
  const notFlushed = await flushStaged(base, staged);
  if (notFlushed !== null) return { done: false, refusal: notFlushed, final: true };
  try {
    await system.link(staged, target);
  } catch (refusal) {
    // No hard links here (exFAT, some network drives)? Only another program could take the name since it was seen to be free.
    if (!isFree || TELLING.has(faultOf(refusal)) || await system.facts(target) !== null) return { done: false, refusal };
    await system.rename(staged, target);
    return { done: true };
  }
  await system.remove(staged);
  return { done: true };
}

/** Faults that would be the same with a rename: anything else may only mean that there are no hard links. */
const TELLING: ReadonlySet<string> = new Set([
  "exists",
  "not_found",
  "no_space",
  "read_only",
  "name_too_long",
  "bad_name",
  "cross_device",
]);

/** What cannot be flushed is removed: Linux tells of an error of the disk only once (fsync(2)), and the next flush would succeed. */
async function flushStaged({ flushing, system }: LocalBase, staged: string): Promise<unknown> {
  try {
    const early = await flushing.get(staged) ?? null;
    if (early !== null) throw early;
    await system.sync(staged);
    return null;
  } catch (error) {
    flushing.delete(staged);
    if (faultOf(error) === "not_found") throw error;
    await system.removeTree(staged).catch(() => undefined);
    return error;
  }
}

/** Rename last: readers see the old or the new file, whole. */
async function replace(base: LocalBase, staged: string, target: string, signal: AbortSignal): Promise<Answer> {
  const { system } = base;
  const notFlushed = await flushStaged(base, staged);
  if (notFlushed !== null) return { done: false, refusal: notFlushed, final: true };
  for (let attempt = 1;; attempt++) {
    signal.throwIfAborted();
    try {
      await system.rename(staged, target);
      break;
    } catch (error) {
      const isHeld = system.platform === "windows" && ["busy", "permission"].includes(faultOf(error));
      if (!isHeld) throw error;
      if (attempt === WINDOWS_ATTEMPTS) {
        const refusal = new Failure("permission_denied", `Cannot replace "${printable(target)}": another program has it open`, {
          next: "later",
          hint: "Close the program that has the file open; it is retried automatically.",
          cause: error,
        });
        return { done: false, refusal, final: true };
      }
      await system.sleep(WINDOWS_PAUSE_MS);
    }
  }
  // Two names of one file: POSIX renames nothing then (a crash came between link and remove).
  await system.remove(staged);
  return { done: true };
}

const WINDOWS_ATTEMPTS = 20;
const WINDOWS_PAUSE_MS = 100;
