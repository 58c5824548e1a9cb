/**
 * Puts small files straight at their final names: one request for each in place of four (put, ask, copy, remove). Only in stores that
 * show a name when it is whole, and tell a hash of their own of it; only at names that are free.
 *
 * What is sent is a copy of ours in memory, made while the source was hashed, and compared with the version that was admitted before
 * rclone sees it. So the name cannot show a file that is being rewritten, and the store refuses bytes that are not those (rclone tells it
 * their MD5). What it says that it holds is compared afterwards.
 */
import { join } from "@std/path";
import { mapLimit } from "../../async/map_limit.ts";
import { keyedMutex, perOwner } from "../../async/mutex.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { isReservedName, nameKey } from "../../domain/names/file_name.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { isFresh, type SourceFile } from "../../domain/source_file.ts";
import type { BulkFiles, System } from "../../system/system.ts";
import type { PutOutcome, Session, Upload } from "../method.ts";
import { AT_ONCE, type Fields, RcloneError } from "./rclone_daemon.ts";
import { folderOf, type Sent } from "./rclone_files.ts";
import { concernsAll, type OnBytes, watched } from "./rclone_progress.ts";
import { failureOf, type Remote } from "./rclone_remote.ts";
import { type Hashed, hashSource } from "./source_hash.ts";

/** What has its final name already, by the staging name that it never had. */
export type Named = Map<string, { readonly target: string; readonly digest: Digest }>;

/** Larger files take the time of their bytes, not of their requests; and their copies would fill the memory. */
const MOST_BYTES = 8 << 20;
/** While one group is sent, the next is read. */
const GROUP_BYTES = 8 << 20;
const GROUP_FILES = 64;
/** The first group is small: until it is read, nothing is sent. */
const FIRST_FILES = 16;
const GROUPS_AT_ONCE = 2;
const READ_AT_ONCE = 16;

/** What it needs of the session. */
export interface Naming {
  readonly remote: Remote;
  readonly files: Pick<Session, "survey" | "digest">;
  readonly sent: Sent;
  readonly named: Named;
  readonly bulk: BulkFiles;
  /** Whether the store can be told to replace nothing. */
  readonly onlyNew: (signal: AbortSignal) => Promise<boolean>;
}

/** Gives null for each file that has to be staged. What got its name is remembered in `named`. */
export async function putAtNames(
  naming: Naming,
  uploads: readonly Upload[],
  onBytes: OnBytes,
  signal: AbortSignal,
): Promise<(PutOutcome | null)[]> {
  const { remote, named } = naming;
  const outcomes: (PutOutcome | null)[] = uploads.map(() => null);
  // While a fresh file is copied it can be rewritten, and none of its facts shows it.
  const now = remote.context.system.now();
  const suitable = uploads.map((upload) => isSuitable(upload) && !isFresh(upload.source, now));
  if (!remote.putsWhole || !suitable.includes(true)) return outcomes;
  using claimed = await claimFree(naming, uploads.map(({ target }, index) => suitable[index] ? target! : null), signal);
  const chosen = claimed.indexes.map((index) => uploads[index]!);
  if (chosen.length === 0) return outcomes;
  const tell: OnBytes = (index, bytes) => onBytes(claimed.indexes[index]!, bytes);
  const hashes = await watched(
    remote,
    chosen,
    targetOf,
    tell,
    signal,
    (group, over) => sendAll(naming, chosen, group, tell, over),
  );
  const proofs = await prove(naming, chosen, hashes, signal);
  claimed.indexes.forEach((index, place) => {
    const [upload, proof, hashed] = [chosen[place]!, proofs[place]!, hashes[place]!];
    if (proof === null || hashed === null) return;
    if (proof instanceof Failure) outcomes[index] = { put: false, failure: failureRecord(proof) };
    else {
      named.set(upload.staged, { target: upload.target!, digest: proof });
      outcomes[index] = { put: true, sent: { bytes: hashed.bytes, sha256: hashed.sha256 } };
    }
  });
  return outcomes;
}

function targetOf({ target = "" }: Upload): string {
  return target;
}

function isSuitable({ target, source }: Upload): boolean {
  return target !== undefined && source.size < MOST_BYTES && isPlain(target);
}

/** Claims those names at which nothing is, and which nobody else is putting. */
function claimFree(
  { remote, files }: Naming,
  targets: readonly (string | null)[],
  signal: AbortSignal,
): Promise<ReturnType<typeof claim>> {
  return inTurn(remote, async () => {
    const asked = targets.filter((target) => target !== null);
    const stats = asked.length === 0 ? [] : await files.survey(asked, signal);
    const free = new Set(asked.filter((_, index) => stats[index] === null));
    return claim(remote, targets.map((target) => target !== null && free.has(target) ? target : null));
  });
}

/** Names that rclone and every file system here take as they are; it knows other notations of many characters. */
function isPlain(target: string): boolean {
  return target.split("/").every((part) => PLAIN.test(part) && !isReservedName(part));
}

const PLAIN = /^[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_ .,+@=()-]*[\p{L}\p{M}\p{N}_)-])?$/u;

/** What was sent of each, if it arrived; null where it was not. @throws {Failure} of the store as a whole. */
async function sendAll(
  naming: Naming,
  uploads: readonly Upload[],
  group: string,
  tell: OnBytes,
  signal: AbortSignal,
): Promise<(Hashed | null)[]> {
  const { remote } = naming;
  const { system, workFolder } = remote.context;
  const folder = join(workFolder, system.randomHex(16));
  const asking = naming.onlyNew(signal);
  asking.catch(() => undefined); // Awaited below.
  try {
    const groups = await mapLimit(groupsOf(uploads), GROUPS_AT_ONCE, async ({ first, some }) => {
      const within = join(folder, String(first));
      const folders = new Set(some.map(({ target }) => join(within, folderOf(target!))));
      for (const folder of folders) await system.makeFolder(folder, 0o700);
      const hashes = await copyAll(naming, some, within, signal);
      const onlyNew = await asking;
      // The names of the first group have just been looked at; others may have been taken since, by another computer.
      if (first > 0 && !onlyNew) await leaveTaken(naming, some, hashes, within, signal);
      await send(remote, within, onlyNew, group, signal);
      await system.removeTree(within);
      hashes.forEach((hashed, place) => hashed && tell(first + place, hashed.bytes));
      return hashes;
    }, signal);
    return groups.flat();
  } finally {
    await system.removeTree(folder);
  }
}

/** Sends nothing to names that have something now. */
async function leaveTaken(
  { remote: { context: { system } }, files }: Naming,
  uploads: readonly Upload[],
  hashes: (Hashed | null)[],
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const stats = await files.survey(uploads.map(targetOf), signal);
  for (const [index, upload] of uploads.entries()) {
    if (stats[index] === null || hashes[index] === null) continue;
    hashes[index] = null;
    await system.remove(join(folder, targetOf(upload)));
  }
}

function groupsOf(uploads: readonly Upload[]): { first: number; some: Upload[] }[] {
  const groups: { first: number; some: Upload[]; bytes: number }[] = [];
  for (const [index, upload] of uploads.entries()) {
    const last = groups.at(-1);
    const most = groups.length === 1 ? FIRST_FILES : GROUP_FILES;
    if (last && last.some.length < most && last.bytes + upload.source.size <= GROUP_BYTES) {
      last.some.push(upload);
      last.bytes += upload.source.size;
    } else groups.push({ first: index, some: [upload], bytes: upload.source.size });
  }
  return groups;
}

/** Copies of the sources; null where there is none: it cannot be made, or its source is not the version that was admitted. */
async function copyAll({ remote, bulk }: Naming, uploads: readonly Upload[], folder: string, signal: AbortSignal) {
  const { context: { system }, hash } = remote;
  const also = hash === null || hash === "sha256" ? undefined : hash;
  const copies = uploads.map(({ source, target }) => ({
    from: source,
    to: join(folder, target!),
    mtimeMs: source.mtimeMs,
    withMode: false,
    // Of one that grows, enough to be noticed.
    most: source.size + 1,
    also,
  }));
  const copied = await bulk.copy(copies, () => {}, signal);
  return await mapLimit(uploads, READ_AT_ONCE, async ({ source }, index): Promise<Hashed | null> => {
    const { to } = copies[index]!;
    const found = copied[index];
    const hashed = found ? { bytes: found.bytes, sha256: found.sha256, hash: found.also ?? null } : await copyOne(source, to);
    if (hashed?.bytes === source.size && await isAdmitted(source, system)) return hashed;
    await system.remove(to);
    return null;
  }, signal);

  async function copyOne(source: SourceFile, to: string): Promise<Hashed | null> {
    try {
      await using file = await system.createFile(to);
      const hashed = await hashSource(source, hash, system, signal, (piece) => file.write(piece));
      await system.setTimes(to, source.mtimeMs);
      return hashed instanceof Failure ? null : hashed;
    } catch {
      // The memory may be full: then it is sent from where it lies.
      signal.throwIfAborted();
      return null;
    }
  }
}

async function isAdmitted(source: SourceFile, system: Pick<System, "facts">): Promise<boolean> {
  const now = await system.facts(source.absolutePath).catch(() => null);
  return now?.kind === "file" && now.size === source.size && now.mtimeMs === source.mtimeMs && now.ctimeMs === source.ctimeMs &&
    now.identity === source.identity;
}

/** One call for all. An error that may be of some files only shows in what is there afterwards. */
async function send(remote: Remote, folder: string, onlyNew: boolean, group: string, signal: AbortSignal): Promise<void> {
  try {
    await remote.call("sync/copy", {
      srcFs: { type: "local", _root: folder },
      dstFs: remote.fs("", "quick"),
      // What is there is known, and we compare ourselves: rclone would remove what it does not like, whoever's it is.
      _config: {
        ...{ NoCheckDest: true, NoTraverse: true, IgnoreChecksum: true, IgnoreSize: true, Transfers: AT_ONCE },
        ...(onlyNew ? ONLY_NEW : {}),
      },
      _group: group,
    }, signal);
  } catch (error) {
    const failure = failureOf(error, `send files to ${remote.where}`, signal);
    if (concernsAll(failure) || !(error instanceof RcloneError)) throw failure;
  }
}

/** What shows that the store holds what was sent; a Failure where it does not, null where nothing is there. */
async function prove(
  naming: Naming,
  uploads: readonly Upload[],
  hashes: readonly (Hashed | null)[],
  signal: AbortSignal,
): Promise<(Digest | Failure | null)[]> {
  const { files, sent } = naming;
  const hashOf = new Map(uploads.flatMap((upload, index) => hashes[index] ? [[upload, hashes[index]]] : []));
  const put = [...hashOf.keys()];
  if (put.length === 0) return uploads.map(() => null);
  for (const [{ target }, hashed] of hashOf) sent.set(target!, hashed);
  try {
    const digests = await files.digest(put.map(({ target }) => target!), signal);
    const found = new Map(put.map((upload, index) => [upload, digests[index] ?? null]));
    return await mapLimit(uploads, READ_AT_ONCE, async (upload) => {
      const digest = found.get(upload) ?? null;
      if (digest === null || digest.sha256 === hashOf.get(upload)?.sha256) return digest;
      return await damaged(naming.remote, upload, signal);
    });
  } finally {
    for (const { target } of put) sent.delete(target!);
  }
}

/** Removes what arrived damaged: nobody can have taken that for a copy. Null where somebody else has put it there: it stays, and ours is staged. */
async function damaged(remote: Remote, { source, target }: Upload, signal: AbortSignal): Promise<Failure | null> {
  const at = { fs: remote.fs(), remote: target };
  const what = `remove "${printable(target!)}" below ${remote.where}`;
  try {
    const { item } = await remote.call("operations/stat", { ...at, opt: { filesOnly: true } }, signal) as { item: Fields | null };
    const isOurs = item?.["Size"] === source.size && Math.abs(Date.parse(String(item["ModTime"])) - source.mtimeMs) < 2;
    if (!isOurs) return null;
    await remote.call("operations/deletefile", at, signal);
  } catch (error) {
    throw failureOf(error, what, signal);
  }
  return new Failure(
    "mismatch",
    `Cannot send "${printable(source.path)}" to ${remote.where}: what arrived has another checksum`,
    {
      hint: "It is sent again. If this happens often, test memory and disks at both ends.",
    },
  );
}

// Who gives which final name, over all sessions of a program: two that gave the same one at once would both keep the same former file, or one
// would replace what the other has just delivered.

/** Names that are being put at this moment, with what resolves when that has ended. */
const claimed = perOwner(() => new Map<string, Promise<void>>());
const lock = perOwner(keyedMutex);

type Held = Pick<Remote, "where" | "context">;

/** One after the other for each base path. */
export function inTurn<R>({ where, context: { system } }: Held, work: () => Promise<R>): Promise<R> {
  return lock(system)(where, work);
}

/** The indexes of those names that are claimed now; disposing of it gives them back. Only {@linkcode inTurn}. */
function claim(
  remote: Held,
  targets: readonly (string | null)[],
): Disposable & { readonly indexes: readonly number[] } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const claims = claimed(remote.context.system);
  const mine: string[] = [];
  const indexes = targets.flatMap((target, index) => {
    const key = target === null ? null : keyOf(remote, target);
    if (key === null || claims.has(key)) return [];
    claims.set(key, promise);
    mine.push(key);
    return [index];
  });
  return {
    indexes,
    [Symbol.dispose]() {
      for (const key of mine) claims.delete(key);
      resolve();
    },
  };
}

/** Resolves when nobody puts these names any more. {@linkcode inTurn}, nobody else begins to. */
export async function untilUnclaimed(remote: Held, targets: readonly string[]): Promise<void> {
  const claims = claimed(remote.context.system);
  await Promise.all(targets.map((target) => claims.get(keyOf(remote, target))));
}

function keyOf({ where }: Held, target: string): string {
  return `${where}\n${nameKey(target)}`;
}

// A store is told to put a file only where nothing has its name. Not every S3 store can be told; some ignore it. So it is tried once in a
// session, in our staging folder: a store that puts the same name twice cannot.

/** For `_config` of a call that puts (RFC 9110, section 13.1.2). */
const ONLY_NEW = { UploadHeaders: [{ Key: "If-None-Match", Value: "*" }] };
/** How S3 says that something has the name. */
const TAKEN = /\b412\b|PreconditionFailed/;

/** Tries it with the first call. */
export function canPutOnlyNew(remote: Remote): (signal: AbortSignal) => Promise<boolean> {
  if (!remote.putsWhole || remote.type !== "s3") return () => Promise.resolve(false);
  let known: Promise<boolean> | null = null;
  return (signal) =>
    known ??= tryTwice(remote, signal).catch((error) => {
      known = null;
      throw error;
    });
}

async function tryTwice(remote: Remote, signal: AbortSignal): Promise<boolean> {
  const { context: { system, workFolder, stagingRoot } } = remote;
  const name = system.randomHex(16);
  const folder = `${stagingRoot}/only-new-${name}`;
  const put = () =>
    remote.call("operations/copyfile", {
      srcFs: { type: "local", _root: workFolder },
      srcRemote: name,
      dstFs: remote.fs("", "quick"),
      dstRemote: `${folder}/once`,
      _config: { NoCheckDest: true, IgnoreTimes: true, ...ONLY_NEW },
    }, signal);
  await system.makeFolder(workFolder, 0o700);
  await system.writeText(join(workFolder, name), "");
  try {
    await put();
    return await put().then(() => false, (error) => error instanceof RcloneError && TAKEN.test(error.message));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RcloneError || error instanceof Failure) return false;
    throw error;
  } finally {
    await system.remove(join(workFolder, name));
    // What stays is swept with the rest, by the next start at the latest.
    await remote.call("operations/purge", { fs: remote.fs(), remote: folder }, signal).catch(() => undefined);
  }
}
