/**
 * Removing what attempts left, by SFTP, which cannot remove a tree in one go.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { ask, isFolder, pathOf, type SftpBase } from "./sftp_base.ts";
import { sftpCommand } from "./sftp_command.ts";

/** Staging holds our own names only, and what tools make of them: nothing deeper. */
const DEEPEST = 4;
/** Names of ours: the listing may have escaped others. */
const OURS = /^(?!\.{1,2}$)[A-Za-z0-9_.~-]+$/;

/** What `Session.leftovers` does. */
export async function leftovers(base: SftpBase, signal: AbortSignal): Promise<string[]> {
  const root = pathOf(base, base.context.stagingRoot);
  if (!await isFolder(base, root, signal)) return [];
  const found = await namesIn(base, root, signal);
  const replies = await base.channels.run(found.map((name) => sftpCommand("cd", `${root}/${name}`)), signal);
  return found.filter((_, index) => replies[index]?.errors === "");
}

/** What `Session.sweep` does. Descends four folders at most, and touches no name that could not be ours. */
export async function sweep(base: SftpBase, attempts: readonly string[] | null, signal: AbortSignal): Promise<void> {
  const { stagingRoot } = base.context;
  const folders = attempts?.map((attempt) => `${stagingRoot}/${attempt}`) ?? [stagingRoot];
  for (const folder of folders.map((each) => pathOf(base, each))) {
    if (!await isFolder(base, folder, signal)) continue;
    await removeTree(base, folder, 0, signal);
    if (!await isFolder(base, folder, signal)) continue;
    throw new Failure("permission_denied", `Cannot remove the temporary folder "${folder}" from ${base.where}`, {
      next: "later",
      hint: "Check the permissions of the remote account there; it is retried automatically.",
    });
  }
}

async function removeTree(base: SftpBase, folder: string, depth: number, signal: AbortSignal): Promise<void> {
  const entries = (await namesIn(base, folder, signal)).map((name) => `${folder}/${name}`);
  const replies = await base.channels.run(entries.map((entry) => sftpCommand("rm", entry)), signal);
  const folders = entries.filter((_, index) => replies[index]?.errors !== "");
  for (const entry of folders) if (depth < DEEPEST) await removeTree(base, entry, depth + 1, signal);
  await ask(base, sftpCommand("rmdir", folder), signal);
}

async function namesIn(base: SftpBase, folder: string, signal: AbortSignal): Promise<string[]> {
  const { output } = await ask(base, sftpCommand("ls -1a", folder), signal);
  // Some versions print the folder in front of each name.
  const names = output.split("\n").map((line) => line.trimEnd()).map((line) => line.slice(line.lastIndexOf("/") + 1));
  return names.filter((name) => OURS.test(name));
}
