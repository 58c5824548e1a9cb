/**
 * Removing what attempts left, by SFTP, which cannot remove a tree in one go.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { isFolder, pathOf, type SftpBase } from "./sftp_base.ts";
import { kindOf } from "./sftp_protocol.ts";

/** Staging holds our own names only, and what tools make of them: nothing deeper. */
const DEEPEST = 4;
/** Names of ours. */
const OURS = /^[A-Za-z0-9_.~-]+$/;

/** What `Session.leftovers` does. */
export async function leftovers(base: SftpBase): Promise<string[]> {
  return (await entriesOf(base, pathOf(base, base.context.stagingRoot)))
    .filter(({ name, folder }) => folder && OURS.test(name)).map(({ name }) => name);
}

/** What `Session.sweep` does. Descends four folders at most, and touches no name that could not be ours. */
export async function sweep(base: SftpBase, attempts: readonly string[] | null, signal: AbortSignal): Promise<void> {
  const { stagingRoot } = base.context;
  const folders = attempts?.map((attempt) => `${stagingRoot}/${attempt}`) ?? [stagingRoot];
  for (const folder of folders.map((each) => pathOf(base, each))) {
    signal.throwIfAborted();
    await removeTree(base, folder, { deepest: DEEPEST, ours: true }, signal);
    if (!await isFolder(base, folder)) continue;
    throw new Failure("permission_denied", `Cannot remove the temporary folder "${folder}" from ${base.where}`, {
      next: "later",
      hint: "Check the permissions of the remote account there; it is retried automatically.",
    });
  }
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
