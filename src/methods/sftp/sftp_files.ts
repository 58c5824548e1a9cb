/**
 * The destination's files where the server gives no shell: everything by SFTP.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { untilAborted } from "../../async/abort.ts";
import { mapLimit } from "../../async/map_limit.ts";
import type { Pace } from "../../async/pace.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { paceOf } from "../bandwidth.ts";
import type { Mount, Upload } from "../method.ts";
import { namesSession } from "../naming.ts";
import type { RemoteFiles } from "../shell/shell_files.ts";
import {
  checkBase,
  checkStaging,
  flushedEarly,
  isFolder,
  look,
  pathOf,
  PRIVATE_FOLDER,
  refused,
  type SftpBase,
  spaceOf,
  tryToWrite,
} from "./sftp_base.ts";
import type { Given, Handle, Refusal } from "./sftp_calls.ts";
import type { SftpConnection } from "./sftp_connection.ts";
import { flush, tryFlush } from "./sftp_flush.ts";
import { sftpNames } from "./sftp_names.ts";
import { STATUS } from "./sftp_protocol.ts";

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

/** Each open file costs a round trip before its first byte comes, and one after its last. */
const FILES_AT_ONCE = 64;
/** Reads of one file that may be under way. */
const READS_AHEAD = 32;
/** Asked for behind the end that the size tells. */
const MORE_BYTES = 4096;

/** What `Session.digest` does. */
export async function digest(
  base: SftpBase,
  paths: readonly string[],
  signal: AbortSignal,
  calm?: "calm",
): Promise<(Digest | null)[]> {
  const { channels, destination, context: { system } } = base;
  const limit = calm === undefined ? null : paceOf(destination, { system });
  const stats = await Promise.all(paths.map((path) => look(base, pathOf(base, path))));
  const openFiles = await channels.ready(stats.reduce((sum, stat) => sum + (stat?.bytes ?? 0), 0), signal);
  return await mapLimit(paths, Math.min(FILES_AT_ONCE, openFiles), async (path, index) => {
    const stat = stats[index]!;
    if (stat?.kind !== "file") return null;
    const connection = channels.pick(stat.bytes);
    try {
      return await readBack(base, connection, path, stat.bytes, limit, signal);
    } finally {
      channels.done(connection, stat.bytes);
    }
  }, signal);
}

async function readBack(
  base: SftpBase,
  connection: SftpConnection,
  relative: string,
  size: number,
  limit: Pace | null,
  signal: AbortSignal,
): Promise<Digest | null> {
  const { calls } = connection;
  const { value: file, refusal } = await calls.open(pathOf(base, relative));
  if (file === null) return notRead(base, relative, refusal);
  try {
    const sum = createHash("sha256");
    let bytes = 0;
    for await (const { value, refusal } of readPieces(connection, file, { from: 0, size, to: size + MORE_BYTES }, signal)) {
      if (value === null) return notRead(base, relative, refusal);
      sum.update(value);
      bytes += value.length;
      await limit?.next(value.length, signal);
    }
    return { bytes, sha256: sum.digest("hex") };
  } finally {
    calls.close(file).catch(() => undefined); // A lost connection shows in the next call.
  }
}

/** A range of a file: what is asked for behind `size` shows whether that is its end. */
interface Range {
  readonly from: number;
  readonly size: number;
  readonly to: number;
}

/** The pieces of a range in order, to the end of the file, which may lie before its size said; or a refusal. */
export async function* readPieces(
  { calls, limits: { readBytes }, reading }: Pick<SftpConnection, "calls" | "limits" | "reading">,
  file: Handle,
  { from, size, to }: Range,
  signal: AbortSignal,
): AsyncGenerator<Given<Uint8Array>> {
  const ahead: { readonly at: number; readonly length: number; readonly piece: Promise<Given<Uint8Array>> }[] = [];
  for (let at = from; at < to || ahead.length > 0;) {
    while (at < to && (ahead.length === 0 || (ahead.length < READS_AHEAD && at <= size))) {
      const length = Math.min(readBytes, (at < size ? size : to) - at);
      await reading.take(length, signal);
      const piece = calls.read(file, at, length).finally(() => reading.release(length));
      piece.catch(() => undefined); // Heard in its turn.
      ahead.push({ at, length, piece });
      at += length;
    }
    const next = ahead.shift()!;
    for (let got = 0; got < next.length;) {
      signal.throwIfAborted();
      // A server may give less than it is asked for.
      const given = got === 0 ? await next.piece : await calls.read(file, next.at + got, next.length - got);
      if (given.value === null && given.refusal.code === STATUS.EOF) return;
      yield given;
      if (given.value === null) return;
      got += given.value.length;
      if (given.value.length === 0) return;
    }
  }
}

/** Null where there is no such file. @throws {Failure} */
function notRead({ destination }: SftpBase, relative: string, refusal: Refusal): null {
  if (refusal.code === STATUS.NO_SUCH_FILE) return null;
  const told = refused(`read "${printable(relative)}" back from ${destination.name}`, refusal);
  if (told.code !== "permission_denied") throw told;
  // This file's own trouble (servers say "Failure" for a bad sector): it must not hold all others.
  throw failure(CAUSES.not_read_back, told.message);
}
