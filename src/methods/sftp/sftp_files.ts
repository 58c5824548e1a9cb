/** The destination's files where the server gives no shell: everything by SFTP. */
import { createHash } from "node:crypto";
import { untilAborted } from "../../async/abort.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import { Failure } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/file_name.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { paceOf } from "../bandwidth.ts";
import type { Mount, Session, Upload } from "../method.ts";
import type { Act, Answer, Names } from "../names.ts";
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
  said,
  type SftpBase,
  spaceOf,
  statAt,
  strangers,
  tryToWrite,
} from "./sftp_base.ts";
import type { Given, Handle, Refusal } from "./sftp_calls.ts";
import type { SftpConnection } from "./sftp_connection.ts";
import { flush, makeAndRemove, makeEmptyFile, tryFlush } from "./sftp_flush.ts";
import { kindOf, STATUS } from "./sftp_protocol.ts";

/** All that a session does there. */
export function sftpFiles(base: SftpBase): RemoteFiles {
  const names = sftpNames(base, (paths, signal) => digest(base, paths, signal));
  const { publish, remove, emptyTrash, leftovers, sweep } = namesSession(() => names);
  return {
    attach: (create, signal, probe) => untilAborted(attach(base, create, probe), signal),
    survey: (paths, signal) => untilAborted(Promise.all(paths.map((path) => look(base, pathOf(base, path)))), signal),
    digest: (paths, signal, calm) => untilAborted(digest(base, paths, signal, calm), signal),
    async modifiedAt(path, signal) {
      const { value } = await untilAborted(base.calls.stat(pathOf(base, path)), signal);
      return value?.times === undefined ? null : value.times.modified * 1000;
    },
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
    const { calls } = connection;
    let file: Handle | null = null;
    try {
      const opened = await calls.open(pathOf(base, path));
      file = opened.value;
      if (file === null) return notRead(base, path, opened.refusal!);
      const sum = createHash("sha256");
      let bytes = 0;
      const range = { from: 0, size: stat.bytes, to: stat.bytes + MORE_BYTES };
      for await (const { value, refusal } of readPieces(connection, file, range, signal)) {
        if (value === null) return notRead(base, path, refusal);
        sum.update(value);
        bytes += value.length;
        await limit?.next(value.length, signal);
      }
      return { bytes, sha256: sum.digest("hex") };
    } finally {
      if (file !== null) calls.close(file).catch(() => undefined); // A lost connection shows in the next call.
      channels.done(connection, stat.bytes);
    }
  }, signal);
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

/** For all calls of a session. */
export function sftpNames(base: SftpBase, digest: Session["digest"]): Names {
  const { calls, context: { system, stagingRoot }, destination: { transport: { host, user, port }, timeoutMs }, where } = base;
  let replaces: boolean | null = null;
  return {
    where,
    system,
    stagingRoot,
    timeoutMs,
    place: `${host}\n${user}\n${port}`,
    known: new Set(),
    overwrites: true,
    check: (path) => pathOf(base, path),
    async mayReplace(staged) {
      replaces ??= await renameReplaces(base, staged);
      return replaces ?? true;
    },
    async act(phases, signal) {
      const answers = new Map<Act, Answer>();
      for (const acts of phases) {
        signal.throwIfAborted();
        await Promise.all(acts.map(async (act) => answers.set(act, await answerTo(act))));
      }
      return answers;
    },
    list: (folders) =>
      Promise.all(folders.map(async (folder) => {
        const { value } = await calls.list(pathOf(base, folder));
        return (value ?? []).map(({ name, attributes }) => ({ name, isFolder: kindOf(attributes) === "folder" }));
      })),
    digest,
    checkBase: () => checkBase(base),
    checkStaging: () => checkStaging(base),
    async strangers(paths, what) {
      // What is removed is made durable by a small file in our folder.
      const preparing = what === "remove" ? calls.mkdir(pathOf(base, stagingRoot), PRIVATE_FOLDER) : null;
      const [found] = await Promise.all([strangers(base, paths, what), checkBase(base), preparing]);
      if (preparing !== null) await checkStaging(base);
      return found;
    },
    // Folders cannot be flushed: a small flushed file makes journalling file systems write the renames before it.
    flush: async () => {
      if (calls.flushes) await makeAndRemove(base, `${stagingRoot}/named-${system.randomHex(4)}.flush`);
    },
    failure(what: string, refusal: Refusal | string) {
      if (typeof refusal === "string") return refused(what, { code: STATUS.FAILURE, message: refusal });
      const failure = refused(what, refusal);
      if (refusal.code !== STATUS.BAD_MESSAGE) return failure;
      return new Failure("name_refused", `Cannot ${what}: the server refuses the name (${said(refusal)})`, {
        hint: failure.hint,
      });
    },
    tryToWrite: () => tryToWrite(base),
    isLost: () => calls.lost !== null,
  };

  async function answerTo(act: Act): Promise<Answer> {
    const path = pathOf(base, "path" in act ? act.path : act.to);
    if (act.do === "free") return { done: (await calls.lstat(path)).refusal?.code === STATUS.NO_SUCH_FILE };
    if (act.do === "folder") {
      const { value } = await calls.lstat(path);
      return { done: value !== null && kindOf(value) === "folder" };
    }
    if (act.do === "stat") {
      const { value: stat, refusal } = await statAt(base, path, act.follow ? "followed" : "itself");
      return refusal === null ? { done: true, stat } : { done: false, refusal };
    }
    const refusal = await order(act, path);
    return refusal === null ? { done: true } : { done: false, refusal };
  }

  function order(act: Exclude<Act, { readonly do: "free" | "stat" | "folder" }>, path: string): Promise<Refusal | null> {
    switch (act.do) {
      case "mkdir":
        return calls.mkdir(path);
      case "rmdir":
        return calls.rmdir(path);
      case "remove":
        return calls.remove(path);
      case "mode":
        return calls.setMode(path, act.mode);
      case "link":
        return calls.link(pathOf(base, act.from), path);
      case "replace":
        return calls.rename(pathOf(base, act.from), path);
      case "give":
      case "rename":
        return calls.plainRename(pathOf(base, act.from), path);
    }
  }
}

/**
 * Whether the server's plain rename replaces what has the name. The protocol forbids it (draft-ietf-secsh-filexfer-02, 6.5), and OpenSSH
 * refuses; servers written in Go rename as POSIX does. Tried with two small files of ours; null where that cannot be tried. `staged` is a name
 * of ours whose folder is there.
 */
async function renameReplaces(base: SftpBase, staged: string): Promise<boolean | null> {
  const { calls } = base;
  const [free, taken] = [pathOf(base, `${staged}.free`), pathOf(base, `${staged}.taken`)];
  const made = await Promise.all([makeEmptyFile(base, free), makeEmptyFile(base, taken)]);
  if (made.some(({ notMade }) => notMade !== null)) return null;
  const refusal = await calls.plainRename(free, taken);
  await Promise.all([calls.remove(free), calls.remove(taken)]);
  return refusal === null;
}
