/**
 * Takes files away from a remote: what attempts left, and delivered files that are to go, to the trash or for good.
 *
 * @module
 */
import { failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Removal, RemovalOutcome, Session } from "../method.ts";
import { checkTrashFolder, notRemoved } from "../removal.ts";
import { type Fields, RcloneError } from "./rclone_daemon.ts";
import { isNotFound } from "./rclone_failures.ts";
import { below, checkBase, folderOf, leftovers } from "./rclone_files.ts";
import { LARGE_BYTES, moved } from "./rclone_names.ts";
import { failureOf, type Remote } from "./rclone_remote.ts";

/** What `Session.sweep` does. */
export async function sweep(remote: Remote, attempts: readonly string[] | null, signal: AbortSignal): Promise<void> {
  const { stagingRoot } = remote.context;
  const going = attempts ?? await leftovers(remote, signal);
  await purge(remote, going.map((attempt) => `${stagingRoot}/${attempt}`), "remove temporary files", signal);
  // It stays where somebody has put something else into it.
  if (attempts === null) await remote.callAll([{ _path: "operations/rmdir", fs: remote.itself(), remote: stagingRoot }], signal);
}

/** What `Session.emptyTrash` does. */
export async function emptyTrash(remote: Remote, folders: readonly string[], signal: AbortSignal): Promise<void> {
  for (const folder of folders) checkTrashFolder(folder);
  await purge(remote, folders, "empty the trash", signal);
}

async function purge(remote: Remote, folders: readonly string[], what: string, signal: AbortSignal): Promise<void> {
  const calls = folders.map((folder) => ({ _path: "operations/purge", fs: remote.itself(), remote: folder }));
  const doing = `${what} below ${remote.where}`;
  const results = await remote.callAll(calls, signal).catch((error) => {
    throw failureOf(error, doing, signal);
  });
  for (const result of results) {
    // A symlink that somebody has put there stays, and so does its folder.
    const isLeft = result instanceof RcloneError && remote.hasSymlinks && /not empty|SSH_FX_FAILURE|rmdir/i.test(result.message);
    if (result instanceof RcloneError && !isNotFound(result.message) && !isLeft) throw failureOf(result, doing, signal);
  }
}

/** What `Session.remove` does. Between the question and the move another program could take the name in the trash. */
export async function remove(
  remote: Remote,
  survey: Session["survey"],
  items: readonly Removal[],
  signal: AbortSignal,
): Promise<RemovalOutcome[]> {
  if (items.length === 0) return [];
  await checkBase(remote, signal);
  const stats = await survey(items.map(({ path }) => path), signal);
  const taken = await survey(items.map(({ path, to }) => to ?? path), signal);
  const links = await symlinks(remote, items.filter((_, index) => stats[index]?.kind === "file"), signal);
  const outcomes = items.map((item, index): RemovalOutcome | null => {
    const stat = stats[index] ?? null;
    const kept = stat === null
      ? "gone"
      : stat.kind !== "file" || links.has(item.path)
      ? "not a file"
      : stat.bytes !== item.bytes
      ? "changed"
      : item.to !== null && taken[index]
      ? "taken"
      : null;
    return kept && { removed: false, failure: notRemoved(item, remote.where, kept) };
  });
  const going = items.filter((_, index) => outcomes[index] === null);
  const results = await remote.callAll(going.map((item) => removal(remote, item)), signal).catch((error) => {
    throw failureOf(error, `remove files below ${remote.where}`, signal);
  });
  const resultOf = new Map(going.map((item, index) => [item, results[index]!]));
  return items.map((item, index) => {
    const result = resultOf.get(item);
    if (!(result instanceof RcloneError)) return outcomes[index] ?? { removed: true };
    const failure = failureOf(result, `remove "${printable(item.path)}" below ${remote.where}`, signal);
    return { removed: false, failure: failureRecord(failure) };
  });
}

function removal(remote: Remote, { path, to, bytes }: Removal): Fields & { readonly _path: string } {
  if (to === null) return { _path: "operations/deletefile", fs: remote.fs(), remote: path };
  return moved(remote, path, to, bytes < LARGE_BYTES);
}

/** Those that are gone when symlinks are left out. */
async function symlinks(remote: Remote, items: readonly Removal[], signal: AbortSignal): Promise<ReadonlySet<string>> {
  if (!remote.hasSymlinks) return new Set();
  const opt = { noModTime: true, noMimeType: true, filesOnly: true };
  const folders = [...new Set(items.map(({ path }) => folderOf(path)))];
  const calls = folders.map((folder) => ({ _path: "operations/list", fs: remote.itself(), remote: folder, opt }));
  const lists = await remote.callAll(calls, signal);
  const files = new Set<string>();
  for (const [index, folder] of folders.entries()) {
    const result = lists[index]!;
    if (result instanceof RcloneError) throw failureOf(result, `list files below ${remote.where}`, signal);
    for (const { Name } of (result["list"] ?? []) as readonly { readonly Name: string }[]) files.add(below(folder, Name));
  }
  return new Set(items.map(({ path }) => path).filter((path) => !files.has(path)));
}
