/**
 * Removing what attempts left, by SFTP, which cannot remove a tree in one go.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { isAttemptName } from "../staging.ts";
import { checkStaging, isFolder, pathOf, type SftpBase } from "./sftp_base.ts";
import { kindOf } from "./sftp_protocol.ts";

/** Staging holds our own names only, and what tools make of them: nothing deeper. */
const DEEPEST = 4;
/** Names in an attempt. */
const OURS = /^[A-Za-z0-9_.~-]+$/;

/** What `Session.leftovers` does. */
export async function leftovers(base: SftpBase): Promise<string[]> {
  if (!await checkStaging(base)) return [];
  return (await entriesOf(base, pathOf(base, base.context.stagingRoot)))
    .filter(({ name, folder }) => folder && isAttemptName(name)).map(({ name }) => name);
}

/** What `Session.sweep` does. Descends four folders at most, and touches no name that could not be ours. */
export async function sweep(base: SftpBase, attempts: readonly string[] | null, signal: AbortSignal): Promise<void> {
  if (!await checkStaging(base)) return;
  const root = pathOf(base, base.context.stagingRoot);
  const entries = await entriesOf(base, root);
  const ours = entries.filter(({ name }) => isAttemptName(name) && (attempts === null || attempts.includes(name)));
  for (const { name, folder } of ours) {
    signal.throwIfAborted();
    if (folder) await removeTree(base, `${root}/${name}`, { deepest: DEEPEST, ours: true }, signal);
    else await base.calls.remove(`${root}/${name}`);
    if (!folder || !await isFolder(base, `${root}/${name}`)) continue;
    throw new Failure("permission_denied", `Cannot remove the temporary folder "${name}" from ${base.where}`, {
      next: "later",
      hint: "Check the permissions of the remote account there; it is retried automatically.",
    });
  }
  // What is not ours stays, and so does the folder.
  if (attempts === null) await base.calls.rmdir(root);
}

/** Removes a folder with all that is in it, down to so many folders below it; with `ours` no name that could not be ours. */
export async function removeTree(
  base: SftpBase,
  path: string,
  { deepest, ours }: { readonly deepest: number; readonly ours: boolean },
  signal: AbortSignal,
): Promise<void> {
  const entries = (await entriesOf(base, path)).filter(({ name }) => !name.includes("/") && (!ours || OURS.test(name)));
  signal.throwIfAborted();
  await Promise.all(entries.filter(({ folder }) => !folder).map(({ name }) => base.calls.remove(`${path}/${name}`)));
  for (const { name, folder } of entries) {
    if (folder && deepest > 0) await removeTree(base, `${path}/${name}`, { deepest: deepest - 1, ours }, signal);
  }
  await base.calls.rmdir(path);
}

/** None where there is no such folder. */
async function entriesOf({ calls }: SftpBase, path: string): Promise<{ name: string; folder: boolean }[]> {
  const { value } = await calls.list(path);
  return (value ?? []).map(({ name, attributes }) => ({ name, folder: kindOf(attributes) === "folder" }));
}
