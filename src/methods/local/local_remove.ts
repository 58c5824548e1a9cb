/**
 * Takes delivered files of a disk of this computer away, to the trash or for good.
 *
 * @module
 */
import { dirname } from "@std/path";
import { mapLimit } from "../../async/map_limit.ts";
import { failureRecord } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Removal, RemovalOutcome } from "../method.ts";
import { checkTrashFolder, notRemoved } from "../removal.ts";
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
import { localFailure } from "./local_failures.ts";

/** What `Session.remove` does. */
export async function remove(base: LocalBase, items: readonly Removal[], signal: AbortSignal): Promise<RemovalOutcome[]> {
  await checkMount(base);
  const changed = new Set<string>();
  const links = await strangersLinks(base, items.flatMap(({ path, to }) => to === null ? [path] : [path, to]));
  const outcomes = await mapLimit(items, 1, async (item): Promise<RemovalOutcome> => {
    signal.throwIfAborted();
    const link = links.get(item.path) ?? (item.to === null ? undefined : links.get(item.to));
    if (link !== undefined) return { removed: false, failure: failureRecord(linkRefusedAt(base, item.path, link, "remove")) };
    try {
      return await removeOne(base, item, changed);
    } catch (error) {
      const failure = await destinationFailure(base, error, `remove "${printable(item.path)}" below ${base.where}`);
      return { removed: false, failure: failureRecord(failure) };
    }
  });
  try {
    await mapLimit([...changed], FLUSHES_AT_ONCE, (folder) => base.system.sync(folder));
  } catch (error) {
    throw await destinationFailure(base, error, `flush folders of ${base.where} to the disk`);
  }
  return outcomes;
}

async function removeOne(base: LocalBase, item: Removal, changed: Set<string>): Promise<RemovalOutcome> {
  const { system, where } = base;
  const path = pathOf(base, item.path);
  const facts = await system.facts(path);
  if (facts === null) return { removed: false, failure: notRemoved(item, where, "gone") };
  if (facts.kind !== "file") return { removed: false, failure: notRemoved(item, where, "not a file") };
  if (facts.size !== item.bytes) return { removed: false, failure: notRemoved(item, where, "changed") };
  changed.add(dirname(path));
  if (item.to === null) {
    await system.remove(path);
    return { removed: true };
  }
  const to = pathOf(base, item.to);
  for (const folder of ancestors(item.to)) {
    await makeBelow(base, pathOf(base, folder));
    changed.add(dirname(pathOf(base, folder)));
  }
  if (await system.facts(to) !== null) return { removed: false, failure: notRemoved(item, where, "taken") };
  await system.rename(path, to);
  changed.add(dirname(to));
  return { removed: true };
}

/** What `Session.emptyTrash` does. */
export async function emptyTrash(base: LocalBase, folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    checkTrashFolder(folder);
    const [link] = (await strangersLinks(base, [`${folder}/x`])).values();
    if (link !== undefined) throw linkRefusedAt(base, folder, link, "remove");
    const path = pathOf(base, folder);
    try {
      await base.system.removeTree(path);
    } catch (error) {
      throw localFailure(error, `remove "${printable(path)}"`);
    }
  }
}
