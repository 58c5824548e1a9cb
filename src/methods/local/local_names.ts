/**
 * Gives staged files their final names on a disk of this computer, so that no reader ever sees a half or a missing file.
 * Names are given by `link`, which never replaces, or by an atomic `rename`; folders are flushed last.
 *
 * @module
 */
import { dirname } from "@std/path";
import { mapLimit } from "../../async/map_limit.ts";
import { keyedMutex, perOwner } from "../../async/mutex.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { nameKey } from "../../domain/names/name_key.ts";
import { printable } from "../../domain/names/printable.ts";
import { faultOf } from "../../system/fault.ts";
import type { BulkName } from "../../system/system.ts";
import type { System } from "../../system/system.ts";
import type { Publication, PublishOutcome } from "../method.ts";
import { cannotWrite, folderDenied, resolveConflict } from "../naming.ts";
import {
  checkMount,
  destinationFailure,
  linkRefusedAt,
  type LocalBase,
  makeBelow,
  pathOf,
  strangersLinks,
} from "./local_base.ts";
import { FLUSHES_AT_ONCE } from "./local_files.ts";

/** Two that give the same name at once would both keep the same former file: one after the other, over all sessions of a program. */
const nameLock = perOwner(keyedMutex);

/** What the folders of a publication are made with. */
interface Making {
  readonly base: LocalBase;
  readonly item: Publication;
  /** Folders whose entries changed: what is in them is durable once they are flushed. */
  readonly changed: Set<string>;
}

/** A publication under way. */
interface Naming extends Making {
  /** Native absolute paths. */
  readonly staged: string;
  readonly target: string;
  /** Once aborted no name is given any more: whoever gave up waiting may send a newer version meanwhile. */
  readonly signal: AbortSignal;
}

/** What `Session.publish` does. */
export async function publish(base: LocalBase, items: readonly Publication[], signal: AbortSignal): Promise<PublishOutcome[]> {
  await checkMount(base);
  const changed = new Set<string>();
  const outcomes: PublishOutcome[] = [];
  const links = await strangersLinks(base, items.map(({ target }) => target));
  items.forEach(({ target }, index) => {
    const link = links.get(target);
    if (link !== undefined) {
      outcomes[index] = { published: false, failure: failureRecord(linkRefusedAt(base, target, link)) };
    }
  });
  const groups = byTarget(items).filter(([index]) => outcomes[index!] === undefined);
  for (const index of await publishMany(base, items, groups, changed, signal)) outcomes[index] = { published: true };
  await mapLimit(groups, FLUSHES_AT_ONCE, async (indices) => {
    for (const index of indices) {
      if (outcomes[index] !== undefined) continue;
      signal.throwIfAborted();
      outcomes[index] = await publishOne(base, items[index]!, changed, signal);
    }
  });
  try {
    // Folders last and once each: a rename is on the disk when its folder is.
    await mapLimit([...changed], FLUSHES_AT_ONCE, (folder) => base.system.sync(folder));
    for (const folder of changed) base.flushed.add(folder);
  } catch (error) {
    forgetFlushed(base);
    throw await destinationFailure(base, error, `flush folders of ${base.where} to the disk`);
  }
  return outcomes;
}

/** The numbers of the items, those for one name together: the later of two is the newer. */
function byTarget(items: readonly Publication[]): number[][] {
  return [...Map.groupBy(items.keys(), (index) => nameKey(items[index]!.target)).values()];
}

/** Gives names in bulk that are free; gives the numbers of the items that have them. The others are published one by one. */
async function publishMany(
  base: LocalBase,
  items: readonly Publication[],
  groups: readonly (readonly number[])[],
  changed: Set<string>,
  signal: AbortSignal,
): Promise<number[]> {
  // Few are published one by one.
  if (items.length < FLUSHES_AT_ONCE) return [];
  const ready: (BulkName & { readonly index: number })[] = [];
  for (const [index, second] of groups) {
    if (index === undefined || second !== undefined || items[index]!.onConflict === "overwrite") continue;
    const name = await bulkName({ base, item: items[index]!, changed });
    if (name !== null) ready.push({ index, ...name });
  }
  const named = await base.bulk.name(ready, signal);
  return ready.flatMap(({ index }, at) => named[at] ? [index] : []);
}

/** The names of a publication, whose folder is there; null where `publishOne` has to tell what is wrong. */
async function bulkName(making: Making): Promise<BulkName | null> {
  const { base, item, changed } = making;
  try {
    const [file, name] = [pathOf(base, item.staged), pathOf(base, item.target)];
    if (base.flushing.has(file)) return null;
    if (!base.flushed.has(dirname(name)) && !changed.has(dirname(name))) await makeFolders(making);
    changed.add(dirname(name));
    return { file, name, mode: item.fileMode };
  } catch {
    return null;
  }
}

async function publishOne(
  base: LocalBase,
  item: Publication,
  changed: Set<string>,
  signal: AbortSignal,
): Promise<PublishOutcome> {
  try {
    const naming = { base, item, staged: pathOf(base, item.staged), target: pathOf(base, item.target), changed, signal };
    return { published: true, ...await flushAndName(naming) };
  } catch (error) {
    signal.throwIfAborted();
    const failure = await destinationFailure(base, error, `write "${printable(item.target)}" to ${base.where}`);
    const denied = faultOf(error) === "permission" ? await denyingFolder(base, item) : null;
    return { published: false, failure: failureRecord(denied === null ? failure : folderDenied(item, base.where, denied)) };
  }
}

/** The folder of a target that denies what the base path allows; null where the base path itself does. */
async function denyingFolder(base: LocalBase, item: Publication): Promise<string | null> {
  const there = await Promise.all(
    ancestors(item.target).map((folder) => base.system.facts(pathOf(base, folder)).catch(() => null)),
  );
  const deepest = ancestors(item.target)[there.findLastIndex((facts) => facts !== null)];
  return deepest !== undefined && await allowsNames(base) ? deepest : null;
}

/** Asked without making anything: whether the staging folder may be removed, which it cannot be while a staged file is in it. */
async function allowsNames(base: LocalBase): Promise<boolean> {
  try {
    await base.system.remove(pathOf(base, base.stagingRoot));
    return true;
  } catch (error) {
    return !["permission", "read_only"].includes(faultOf(error));
  }
}

async function flushAndName(naming: Naming): Promise<{ former?: string }> {
  const { base, item, staged, target, changed } = naming;
  const { system } = base;
  if (item.fileMode !== null) await system.setMode(staged, item.fileMode);
  await flushStaged(base, staged);
  try {
    // What this batch has changed it flushes itself.
    if (!base.flushed.has(dirname(target)) && !changed.has(dirname(target))) await makeFolders(naming);
    changed.add(dirname(target));
    return await nameLock(system)(nameKey(target), () => giveName(naming));
  } catch (error) {
    // A folder that somebody removed meanwhile is made again; a staged file that is gone is not.
    if (faultOf(error) !== "not_found" || await system.facts(staged) === null) throw error;
    forgetFlushed(base);
    await makeFolders(naming);
    return await nameLock(system)(nameKey(target), () => giveName(naming));
  }
}

/** What cannot be flushed is removed: Linux tells of an error of the disk only once (fsync(2)), and the next flush would succeed. */
async function flushStaged({ flushing, system }: LocalBase, staged: string): Promise<void> {
  try {
    const early = await flushing.get(staged) ?? null;
    if (early !== null) throw early;
    await system.sync(staged);
  } catch (error) {
    flushing.delete(staged);
    await system.removeTree(staged).catch(() => undefined);
    throw error;
  }
}

function forgetFlushed({ flushed, folder }: LocalBase): void {
  flushed.clear();
  flushed.add(folder);
}

async function makeFolders({ base, item, changed }: Making): Promise<void> {
  for (const folder of ancestors(item.target).map((relative) => pathOf(base, relative))) {
    const facts = await base.system.followedFacts(folder);
    if (facts === null) {
      await makeBelow(base, folder);
      if (item.directoryMode !== null) await base.system.setMode(folder, item.directoryMode);
    } else if (facts.kind !== "folder") {
      const hint = "Move the file that is in the way, or change the layout.";
      throw cannotWrite(item, base.where, "exists", `"${printable(folder)}" is not a folder`, hint);
    }
    // Also where it was there already: a crash may have come between its making and its flushing.
    changed.add(dirname(folder));
  }
}

async function giveName(naming: Naming): Promise<{ former?: string }> {
  const { base: { system, folder, where }, item, staged, target, signal } = naming;
  signal.throwIfAborted();
  if (await claimed(naming, false)) return {};
  // Another installation could keep the same former version, and then replace what this one has put there.
  await using _lock = await system.lockFolder(folder, signal);
  // The name may have become free meanwhile.
  if (await claimed(naming, true)) return {};
  const there = await system.facts(target);
  const replaceNow = () => {
    signal.throwIfAborted();
    return replace(staged, target, system);
  };
  if (there === null) {
    await replaceNow();
    return {};
  }
  return await resolveConflict(item, there.kind === "symlink" ? "other" : there.kind, where, {
    isSame: () => sameContent(staged, target, system),
    keepAs: (former) => keepAs(naming, former),
    replace: replaceNow,
  });
}

/** True when the name was free and is the staged file's now. `alone` while no other installation gives names. */
async function claimed({ base: { system }, item, staged, target }: Naming, alone: boolean): Promise<boolean> {
  if (item.onConflict === "overwrite" || !await nameAlso(staged, target, alone, system)) return false;
  await system.remove(staged);
  return true;
}

/** Gives a file a free name, beside its own where there are hard links; false where the name is taken, or may be. */
async function nameAlso(file: string, name: string, alone: boolean, system: System): Promise<boolean> {
  try {
    await system.link(file, name);
    return true;
  } catch (error) {
    const fault = faultOf(error);
    if (fault === "exists") return false;
    if (TELLING.has(fault)) throw error;
  }
  // No hard links here (exFAT, some network drives): look first. Only another program could come in between.
  if (!alone || await system.facts(name) !== null) return false;
  await system.rename(file, name);
  return true;
}

/** Faults that would be the same with another call: anything else may only mean that there are no hard links. */
const TELLING: ReadonlySet<string> = new Set(["not_found", "no_space", "read_only", "name_too_long", "bad_name", "cross_device"]);

/** Gives what has the name a former name, under our lock; the target stays where there are hard links. */
async function keepAs({ base, target, signal }: Naming, relative: string): Promise<boolean> {
  signal.throwIfAborted();
  const { system } = base;
  const former = pathOf(base, relative);
  const identity = (await system.facts(target))?.identity;
  if (await nameAlso(target, former, true, system)) return true;
  // Kept already, before a crash.
  return Boolean(identity) && (await system.facts(former))?.identity === identity;
}

/** Rename last: readers see the old or the new file, whole. */
async function replace(staged: string, target: string, system: System): Promise<void> {
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

const WINDOWS_ATTEMPTS = 20;
const WINDOWS_PAUSE_MS = 100;

async function sameContent(staged: string, target: string, system: System): Promise<boolean> {
  const [ours, theirs] = [await system.facts(staged), await system.facts(target)];
  if (theirs?.kind !== "file" || ours?.size !== theirs.size) return false;
  if (ours.identity !== "" && ours.identity === theirs.identity) return true;
  const never = new AbortController().signal;
  return (await system.hash(staged, never)).sha256 === (await system.hash(target, never)).sha256;
}
