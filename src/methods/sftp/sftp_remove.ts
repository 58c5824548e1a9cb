/**
 * Takes delivered files away by SFTP, to the trash or for good.
 *
 * @module
 */
import { failureRecord } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Removal, RemovalOutcome } from "../method.ts";
import { checkTrashFolder, notRemoved } from "../removal.ts";
import { linkRefused } from "../staging.ts";
import { checkBase, isFolder, pathOf, refused, type SftpBase, strangersLinks } from "./sftp_base.ts";
import { flush } from "./sftp_names.ts";
import { kindOf, STATUS } from "./sftp_protocol.ts";
import { removeTree } from "./sftp_sweep.ts";

/** What `Session.remove` does. As with all names given by SFTP, folders are flushed only as far as the small file after it does it. */
export async function remove(base: SftpBase, items: readonly Removal[], signal: AbortSignal): Promise<RemovalOutcome[]> {
  if (items.length === 0) return [];
  const ways = items.flatMap(({ path, to }) => to === null ? [path] : [path, to]);
  const [, links] = await Promise.all([checkBase(base), strangersLinks(base, ways)]);
  const folders = new Set(items.flatMap(({ to }) => to === null ? [] : ancestors(to)));
  // What is there already is refused; what cannot be made shows when a file is moved there.
  for (const folder of folders) await base.calls.mkdir(pathOf(base, folder));
  const outcomes: RemovalOutcome[] = [];
  for (const item of items) {
    signal.throwIfAborted();
    const link = links.get(item.path) ?? (item.to === null ? undefined : links.get(item.to));
    outcomes.push(
      link === undefined
        ? await removeOne(base, item)
        : { removed: false, failure: failureRecord(linkRefused(item.path, link, base.where, "remove")) },
    );
  }
  if (outcomes.some(({ removed }) => removed)) await flush(base, []);
  return outcomes;
}

async function removeOne(base: SftpBase, item: Removal): Promise<RemovalOutcome> {
  const { calls, where } = base;
  const kept = (why: Parameters<typeof notRemoved>[2]): RemovalOutcome => ({
    removed: false,
    failure: notRemoved(item, where, why),
  });
  const path = pathOf(base, item.path);
  const { value, refusal } = await calls.lstat(path);
  if (refusal?.code === STATUS.NO_SUCH_FILE) return kept("gone");
  if (value !== null && kindOf(value) !== "file") return kept("not a file");
  if (value !== null && value.bytes !== item.bytes) return kept("changed");
  const failed = refusal ?? (item.to === null ? await calls.remove(path) : await move(base, path, pathOf(base, item.to)));
  if (failed === "taken") return kept("taken");
  if (failed === null) return { removed: true };
  const failure = refused(`remove "${printable(item.path)}" below ${where}`, failed);
  return { removed: false, failure: failureRecord(failure) };
}

/** Looks first: the plain rename of some servers replaces. */
async function move({ calls }: SftpBase, from: string, to: string) {
  const there = await calls.lstat(to);
  return there.value !== null ? "taken" : await calls.plainRename(from, to);
}

/** What `Session.emptyTrash` does. */
export async function emptyTrash(base: SftpBase, folders: readonly string[], signal: AbortSignal): Promise<void> {
  for (const folder of folders) {
    checkTrashFolder(folder);
    const [link] = (await strangersLinks(base, [`${folder}/x`])).values();
    if (link !== undefined) throw linkRefused(folder, link, base.where, "remove");
    const path = pathOf(base, folder);
    await removeTree(base, path, { deepest: DEEPEST, ours: false }, signal);
    if (await isFolder(base, path)) {
      throw refused(`remove "${printable(path)}"`, { code: STATUS.FAILURE, message: "it is not empty afterwards" });
    }
  }
}

/** Deeper than any path can be. */
const DEEPEST = 4096;
