/**
 * The destination's files where the server gives no shell: everything by SFTP.
 *
 * @module
 */
import { untilAborted } from "../../async/abort.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import type { Mount, Upload } from "../method.ts";
import type { RemoteFiles } from "../shell/shell_files.ts";
import {
  checkBase,
  checkStaging,
  flushedEarly,
  isFolder,
  look,
  pathOf,
  PRIVATE_FOLDER,
  type SftpBase,
  spaceOf,
  tryToWrite,
} from "./sftp_base.ts";
import { namesSession } from "../naming.ts";
import { flush, tryFlush } from "./sftp_flush.ts";
import { sftpNames } from "./sftp_names.ts";
import { digest } from "./sftp_read_back.ts";

/** All that a session does there. */
export function sftpFiles(base: SftpBase): RemoteFiles {
  const names = sftpNames(base, (paths, signal) => digest(base, paths, signal));
  const { publish, remove, emptyTrash, leftovers, sweep } = namesSession(() => names);
  return {
    attach: (create, signal, probe) => untilAborted(attach(base, create, probe), signal),
    survey: (paths, signal) => untilAborted(Promise.all(paths.map((path) => look(base, pathOf(base, path)))), signal),
    digest: (paths, signal, calm) => untilAborted(digest(base, paths, signal, calm), signal),
    modifiedAt: (path, signal) => untilAborted(modifiedAt(base, path), signal),
    publish: (items, signal) => untilAborted(publish(items, signal), signal),
    flush: (paths, signal) => untilAborted(flush(base, paths), signal),
    remove: (items, signal) => untilAborted(remove(items, signal), signal),
    emptyTrash: (folders, signal) => untilAborted(emptyTrash(folders, signal), signal),
    leftovers: (signal) => untilAborted(leftovers(signal), signal),
    sweep: (attempts, signal) => untilAborted(sweep(attempts, signal), signal),
    prepare: (uploads, signal) => untilAborted(prepare(base, uploads), signal),
    freeBytes: async (signal) => (await untilAborted(spaceOf(base), signal)).freeBytes,
    tryToWrite: (signal) => untilAborted(tryToWrite(base), signal),
    path: (relative) => pathOf(base, relative),
  };
}

async function modifiedAt(base: SftpBase, path: string): Promise<number | null> {
  const { value } = await base.calls.stat(pathOf(base, path));
  return value?.times === undefined ? null : value.times.modified * 1000;
}

async function attach(base: SftpBase, create: boolean, probe?: string): Promise<Mount> {
  const { calls, destination: { directoryMode }, folder, context: { stagingRoot } } = base;
  const made = create && !await isFolder(base, folder);
  if (made) {
    for (const each of ancestors(`${folder}/x`)) if (each !== "") await calls.mkdir(each);
    if (directoryMode !== null) await calls.setMode(folder, directoryMode);
  }
  const space = await spaceOf(base);
  if (probe !== undefined) {
    await calls.mkdir(pathOf(base, stagingRoot), PRIVATE_FOLDER);
    await checkStaging(base);
    await calls.mkdir(pathOf(base, `${stagingRoot}/${probe}`), PRIVATE_FOLDER);
    await tryFlush(base, `${stagingRoot}/${probe}/try.flush`);
  }
  return { ...space, ...(made ? { made } : {}) };
}

async function prepare(base: SftpBase, uploads: readonly Pick<Upload, "staged" | "leftover">[]): Promise<void> {
  const { calls } = base;
  await checkBase(base);
  // Folders that are there already, leftovers that are not: neither matters. What does not work shows when files are put.
  for (const folder of new Set(uploads.flatMap(({ staged }) => ancestors(staged)))) {
    const made = calls.mkdir(pathOf(base, folder), PRIVATE_FOLDER);
    await (folder === base.context.stagingRoot ? Promise.all([made, checkStaging(base)]) : made);
  }
  await Promise.all(uploads.map(async ({ leftover = null, staged }) => {
    if (leftover === null) return;
    const from = pathOf(base, leftover);
    // The answer to a flush of it may not have been heard.
    if (await isFolder(base, flushedEarly(from))) await calls.remove(from);
    else if (leftover !== staged) await calls.rename(from, pathOf(base, staged));
  }));
}
