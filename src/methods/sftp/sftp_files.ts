/**
 * The destination's files where the server gives no shell: everything by SFTP.
 *
 * @module
 */
import { ancestors } from "../../domain/names/ancestors.ts";
import type { Mount, Stat, Upload } from "../method.ts";
import type { RemoteFiles } from "../ssh/remote_files.ts";
import { checkBase, freeSpace, isFolder, pathOf, type SftpBase, tryToWrite, understood } from "./sftp_base.ts";
import { sftpCommand } from "./sftp_command.ts";
import { flush, publish, type SftpNaming } from "./sftp_names.ts";
import { digest } from "./sftp_read_back.ts";
import { leftovers, sweep } from "./sftp_sweep.ts";

/** All that a session does there. */
export function sftpFiles(base: SftpBase): RemoteFiles {
  const naming: SftpNaming = { base, known: new Set(), replaces: null };
  return {
    attach: (create, signal, probe) => attach(base, create, signal, probe),
    survey: (paths, signal) => survey(base, paths, signal),
    digest: (paths, signal) => digest(base, paths, signal),
    publish: (items, signal) => publish(naming, items, signal),
    flush: (_paths, signal) => flush(base, signal),
    leftovers: (signal) => leftovers(base, signal),
    sweep: (attempts, signal) => sweep(base, attempts, signal),
    prepare: (uploads, signal) => prepare(base, uploads, signal),
    freeBytes: (signal) => freeSpace(base, signal),
    tryToWrite: (signal) => tryToWrite(base, signal),
    path: (relative) => pathOf(base, relative),
  };
}

async function attach(base: SftpBase, create: boolean, signal: AbortSignal, probe?: string): Promise<Mount> {
  const { channels, destination: { directoryMode }, folder, context: { stagingRoot } } = base;
  const made = create && !await isFolder(base, folder, signal);
  if (made) {
    const folders = ancestors(`${folder}/x`).filter((each) => each !== "");
    await channels.run(folders.map((each) => sftpCommand("mkdir", each)), signal);
    if (directoryMode !== null) await channels.run([sftpCommand(`chmod ${directoryMode.toString(8)}`, folder)], signal);
  }
  const freeBytes = await freeSpace(base, signal);
  if (probe !== undefined) {
    const folders = [stagingRoot, `${stagingRoot}/${probe}`];
    await channels.run(folders.map((each) => sftpCommand("mkdir", pathOf(base, each))), signal);
  }
  return { freeBytes, device: null, ...(made ? { made } : {}) };
}

async function survey(base: SftpBase, relative: readonly string[], signal: AbortSignal): Promise<(Stat | null)[]> {
  const paths = relative.map((each) => pathOf(base, each));
  const replies = await base.channels.run(paths.map((path) => sftpCommand("ls -ln", path)), signal);
  return paths.map((path, index) => {
    const found = understood(path, replies[index]!);
    return found.kind === "nothing" ? null : { kind: found.kind, bytes: found.bytes };
  });
}

async function prepare(
  base: SftpBase,
  uploads: readonly Pick<Upload, "staged" | "leftover">[],
  signal: AbortSignal,
): Promise<void> {
  await checkBase(base, signal);
  const folders = new Set(uploads.flatMap(({ staged }) => ancestors(staged)));
  const making = [...folders].map((folder) => sftpCommand("mkdir", pathOf(base, folder)));
  const moves = uploads.flatMap(({ leftover, staged }) =>
    leftover === undefined || leftover === staged ? [] : [sftpCommand("rename", pathOf(base, leftover), pathOf(base, staged))]
  );
  // Folders that are there already, leftovers that are not: neither matters. What does not work shows when files are put.
  await base.channels.run([...making, ...moves], signal);
}
