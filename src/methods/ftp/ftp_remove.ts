/**
 * Takes files away by FTP: what attempts left, and delivered files that are to go, to the trash or for good.
 *
 * @module
 */
import { Failure, failureRecord } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Removal, RemovalOutcome } from "../method.ts";
import { checkTrashFolder, notRemoved } from "../removal.ts";
import { isAttemptName, linkRefused } from "../staging.ts";
import { isYes } from "./dialogue.ts";
import { checkBase, command, type FtpBase, look, pathOf } from "./ftp_base.ts";
import { refused } from "./ftp_failures.ts";
import { namesIn, symlinksAmong } from "./ftp_listing.ts";
import { checkStaging, linksAmong, strangersLinks } from "./ftp_staging.ts";

/** Staging holds our own names only, and what tools make of them: nothing deeper. */
const DEEPEST_STAGING = 4;
/** Deeper than any path can be. */
const DEEPEST = 4096;
/** Names in an attempt. */
const OURS = /^[A-Za-z0-9_.~-]+$/;

/** What `Session.leftovers` does. */
export async function leftovers(base: FtpBase, signal: AbortSignal): Promise<string[]> {
  await checkStaging(base, signal);
  const [names = []] = await namesIn(base, [pathOf(base, base.context.stagingRoot)], signal);
  return names.filter(isAttemptName);
}

/** What `Session.sweep` does. Descends four folders at most, and touches no name that could not be ours. */
export async function sweep(base: FtpBase, attempts: readonly string[] | null, signal: AbortSignal): Promise<void> {
  await checkStaging(base, signal);
  const root = pathOf(base, base.context.stagingRoot);
  // Most often it is empty, or gone.
  if (attempts === null && (await removeEmpty(base, [root], signal)).length === 0) return;
  const there = attempts ?? (await namesIn(base, [root], signal))[0] ?? [];
  const ours = there.filter(isAttemptName).map((name) => `${root}/${name}`);
  if (attempts === null && ours.length > 0) await command(base, ours.map((path) => `DELE ${path}`), signal);
  const left = await removeTrees(base, ours, { deepest: DEEPEST_STAGING, ours: true }, signal);
  // What is not ours stays, and so does the folder.
  if (left === null) return attempts === null ? void await removeEmpty(base, [root], signal) : undefined;
  throw new Failure("permission_denied", `Cannot remove the temporary folder "${left}" from ${base.where}`, {
    next: "later",
    hint: "Check the permissions of the account there: it must be allowed to delete (DELE, RMD); it is retried automatically.",
  });
}

/** What `Session.emptyTrash` does. */
export async function emptyTrash(base: FtpBase, folders: readonly string[], signal: AbortSignal): Promise<void> {
  for (const folder of folders) checkTrashFolder(folder);
  await checkStaging(base, signal);
  const paths = folders.map((folder) => pathOf(base, folder));
  const left = await removeTrees(base, paths, { deepest: DEEPEST, ours: false }, signal);
  if (left !== null) throw refused(`remove "${printable(left)}"`, null, 0, "it is not empty afterwards");
}

/** Which names are touched, and how many folders below are entered. */
interface Depth {
  readonly deepest: number;
  readonly ours: boolean;
}

/** Removes folders with all that is in them; gives one that is still there. */
async function removeTrees(base: FtpBase, folders: readonly string[], depth: Depth, signal: AbortSignal): Promise<string | null> {
  // Most are empty, or gone.
  const left = await removeEmpty(base, folders, signal);
  if (left.length === 0) return null;
  const links = await linksAmong(base, left, signal);
  // A link itself may go; what it leads to is not ours.
  if (links.size > 0) await command(base, [...links].map((path) => `DELE ${path}`), signal);
  const full = left.filter((path) => !links.has(path));
  if (full.length === 0) return null;
  if (depth.deepest < 0) return full[0]!;
  const names = await namesIn(base, full, signal);
  const inside = full.flatMap((folder, index) =>
    names[index]!.filter((name) => !depth.ours || OURS.test(name)).map((name) => `${folder}/${name}`)
  );
  const deleted = inside.length === 0 ? () => null : await command(base, inside.map((path) => `DELE ${path}`), signal);
  const deeper = inside.filter((path) => !isYes(deleted(`DELE ${path}`)));
  await removeTrees(base, deeper, { ...depth, deepest: depth.deepest - 1 }, signal);
  return (await removeEmpty(base, full, signal))[0] ?? null;
}

/** Those that are still there afterwards. */
async function removeEmpty(base: FtpBase, folders: readonly string[], signal: AbortSignal): Promise<string[]> {
  if (folders.length === 0) return [];
  const replies = await command(base, folders.flatMap((folder) => [`RMD ${folder}`, `CWD ${folder}`]), signal);
  return folders.filter((folder) => !isYes(replies(`RMD ${folder}`)) && isYes(replies(`CWD ${folder}`)));
}

/** What `Session.remove` does. Between the question and the rename another program could take the name in the trash. */
export async function remove(base: FtpBase, items: readonly Removal[], signal: AbortSignal): Promise<RemovalOutcome[]> {
  if (items.length === 0) return [];
  await checkBase(base, signal);
  await checkStaging(base, signal);
  const strangers = await strangersLinks(base, items.map(({ path }) => path), signal);
  const paths = items.map(({ path }) => pathOf(base, path));
  const trash = items.map(({ to }) => to === null ? null : pathOf(base, to));
  const stats = await look(base, paths, signal);
  const taken = await look(base, trash.filter((path) => path !== null), signal);
  const links = await symlinksAmong(base, paths.filter((_, index) => stats[index]?.kind === "file"), signal);
  const kept = items.map((item, index) => {
    const link = strangers.get(item.path);
    if (link !== undefined) return failureRecord(linkRefused(item.path, link, base.where, "remove"));
    const stat = stats[index] ?? null;
    const there = trash[index] === null ? null : taken.shift();
    if (stat === null) return notRemoved(item, base.where, "gone");
    if (stat.kind !== "file" || links.has(paths[index]!)) return notRemoved(item, base.where, "not a file");
    if (stat.bytes !== item.bytes) return notRemoved(item, base.where, "changed");
    return there ? notRemoved(item, base.where, "taken") : null;
  });
  const folders = new Set(items.flatMap(({ to }, index) => to === null || kept[index] ? [] : ancestors(to)));
  const commands = [...folders].map((folder) => `MKD ${pathOf(base, folder)}`);
  for (const [index, path] of paths.entries()) {
    const to = trash[index]!;
    if (kept[index] === null) commands.push(...(to === null ? [`DELE ${path}`] : [`RNFR ${path}`, `RNTO ${to}`]));
  }
  const replies = kept.every((failure) => failure) ? () => null : await command(base, commands, signal);
  return items.map((item, index) => {
    const failure = kept[index];
    if (failure) return { removed: false, failure };
    const reply = replies(trash[index] === null ? `DELE ${paths[index]}` : `RNTO ${trash[index]}`);
    if (isYes(reply)) return { removed: true };
    return { removed: false, failure: failureRecord(refused(`remove "${printable(item.path)}" below ${base.where}`, reply)) };
  });
}
