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
import { folderOf, isReservedName, nameKey } from "../../domain/names/file_name.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { isFresh, type SourceFile } from "../../domain/source_file.ts";
import type { BulkFiles } from "../../system/system.ts";
import type { PutOutcome, Session, Upload } from "../method.ts";
import { AT_ONCE, type Fields, RcloneError } from "./rclone_daemon.ts";
import { putEmpty, type Sent } from "./rclone_files.ts";
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
  { remote, files, sent, named, bulk, onlyNew }: Naming,
  uploads: readonly Upload[],
  onBytes: OnBytes,
  signal: AbortSignal,
): Promise<(PutOutcome | null)[]> {
  const { hash, where, context: { system, workFolder } } = remote;
  const outcomes: (PutOutcome | null)[] = uploads.map(() => null);
  // While a fresh file is copied it can be rewritten, and none of its facts shows it.
  const now = system.now();
  const suitable = uploads.map(({ target, source }) =>
    target !== undefined && source.size < MOST_BYTES && isPlain(target) && !isFresh(source, now) ? target : null
  );
  const wanted = suitable.filter((target) => target !== null);
  if (!remote.putsWhole || wanted.length === 0) return outcomes;
  using claimed = await inTurn(remote, async () => {
    const stats = await files.survey(wanted, signal);
    const free = new Set(wanted.filter((_, index) => stats[index] === null));
    return claim(remote, suitable.map((target) => target !== null && free.has(target) ? target : null));
  });
  const chosen = claimed.indexes.map((index) => uploads[index]!);
  if (chosen.length === 0) return outcomes;
  const tell: OnBytes = (index, bytes) => onBytes(claimed.indexes[index]!, bytes);
  const hashes = await watched(remote, chosen, targetOf, tell, signal, sendAll);
  const proofs = await prove();
  for (const [place, index] of claimed.indexes.entries()) {
    const [upload, proof, hashed] = [chosen[place]!, proofs[place]!, hashes[place]!];
    if (proof === null || hashed === null) continue;
    if (proof instanceof Failure) outcomes[index] = { put: false, failure: failureRecord(proof) };
    else {
      named.set(upload.staged, { target: upload.target!, digest: proof });
      outcomes[index] = { put: true, sent: { bytes: hashed.bytes, sha256: hashed.sha256 } };
    }
  }
  return outcomes;

  /** What was sent of each, if it arrived; null where it was not. @throws {Failure} of the store as a whole. */
  async function sendAll(group: string, signal: AbortSignal): Promise<(Hashed | null)[]> {
    const folder = join(workFolder, system.randomHex(16));
    const asking = onlyNew(signal);
    asking.catch(() => undefined); // Awaited below.
    try {
      const groups = await mapLimit(groupsOf(chosen), GROUPS_AT_ONCE, async ({ first, some }) => {
        const within = join(folder, String(first));
        const folders = new Set(some.map((upload) => join(within, folderOf(targetOf(upload)))));
        for (const folder of folders) await system.makeFolder(folder, 0o700);
        const hashes = await copyAll(some, within, signal);
        const isNewOnly = await asking;
        // The names of the first group have just been looked at; others may have been taken since, by another computer.
        const stats = first > 0 && !isNewOnly ? await files.survey(some.map(targetOf), signal) : [];
        for (const [index, stat] of stats.entries()) {
          if (stat === null || hashes[index] === null) continue;
          hashes[index] = null;
          await system.remove(join(within, targetOf(some[index]!)));
        }
        await send(within, isNewOnly, group, signal);
        await system.removeTree(within);
        hashes.forEach((hashed, place) => hashed && tell(first + place, hashed.bytes));
        return hashes;
      }, signal);
      return groups.flat();
    } finally {
      await system.removeTree(folder);
    }
  }

  /** Copies of the sources; null where there is none: it cannot be made, or its source is not the version that was admitted. */
  async function copyAll(some: readonly Upload[], folder: string, signal: AbortSignal): Promise<(Hashed | null)[]> {
    const also = hash === null || hash === "sha256" ? undefined : hash;
    const copies = some.map((upload) => ({
      from: upload.source,
      to: join(folder, targetOf(upload)),
      mtimeMs: upload.source.mtimeMs,
      withMode: false,
      // Of one that grows, enough to be noticed.
      most: upload.source.size + 1,
      also,
    }));
    const copied = await bulk.copy(copies, () => {}, signal);
    return await mapLimit(copies, READ_AT_ONCE, async ({ from, to }, index): Promise<Hashed | null> => {
      const found = copied[index];
      const hashed = found
        ? { bytes: found.bytes, sha256: found.sha256, hash: found.also ?? null }
        : await copyOne(from, to, signal);
      const facts = await system.facts(from.absolutePath).catch(() => null);
      const isAdmitted = facts?.kind === "file" && facts.size === from.size && facts.mtimeMs === from.mtimeMs &&
        facts.ctimeMs === from.ctimeMs && facts.identity === from.identity;
      if (hashed?.bytes === from.size && isAdmitted) return hashed;
      await system.remove(to);
      return null;
    }, signal);
  }

  async function copyOne(source: SourceFile, to: string, signal: AbortSignal): Promise<Hashed | null> {
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

  /** One call for all. An error that may be of some files only shows in what is there afterwards. */
  async function send(folder: string, isNewOnly: boolean, group: string, signal: AbortSignal): Promise<void> {
    try {
      await remote.call("sync/copy", {
        srcFs: { type: "local", _root: folder },
        dstFs: remote.fs("", "quick"),
        // What is there is known, and we compare ourselves: rclone would remove what it does not like, whoever's it is.
        _config: {
          ...{ NoCheckDest: true, NoTraverse: true, IgnoreChecksum: true, IgnoreSize: true, Transfers: AT_ONCE },
          ...(isNewOnly ? ONLY_NEW : {}),
        },
        _group: group,
      }, signal);
    } catch (error) {
      const failure = failureOf(error, `send files to ${where}`, signal);
      if (concernsAll(failure) || !(error instanceof RcloneError)) throw failure;
    }
  }

  /** What shows that the store holds what was sent; a Failure where it does not, null where nothing is there. */
  async function prove(): Promise<(Digest | Failure | null)[]> {
    const put = chosen.filter((_, index) => hashes[index] !== null);
    if (put.length === 0) return chosen.map(() => null);
    for (const [index, upload] of chosen.entries()) if (hashes[index]) sent.set(targetOf(upload), hashes[index]);
    try {
      const digests = await files.digest(put.map(targetOf), signal);
      return await mapLimit(chosen, READ_AT_ONCE, async (upload, index) => {
        const digest = digests[put.indexOf(upload)] ?? null;
        return digest === null || digest.sha256 === hashes[index]?.sha256 ? digest : await damaged(upload);
      });
    } finally {
      for (const upload of put) sent.delete(targetOf(upload));
    }
  }

  /** Removes what arrived damaged: nobody can have taken that for a copy. Null where somebody else has put it there: it stays, and ours is staged. */
  async function damaged({ source, target }: Upload): Promise<Failure | null> {
    const at = { fs: remote.fs(), remote: target };
    try {
      const { item } = await remote.call("operations/stat", { ...at, opt: { filesOnly: true } }, signal) as {
        item: Fields | null;
      };
      const isOurs = item?.["Size"] === source.size && Math.abs(Date.parse(String(item["ModTime"])) - source.mtimeMs) < 2;
      if (!isOurs) return null;
      await remote.call("operations/deletefile", at, signal);
    } catch (error) {
      throw failureOf(error, `remove "${printable(target!)}" below ${where}`, signal);
    }
    const what = `Cannot send "${printable(source.path)}" to ${where}: what arrived has another checksum`;
    return new Failure("mismatch", what, {
      hint: "It is sent again. If this happens often, test memory and disks at both ends.",
    });
  }
}

function targetOf({ target = "" }: Upload): string {
  return target;
}

/** Names that rclone and every file system here take as they are; it knows other notations of many characters. */
function isPlain(target: string): boolean {
  return target.split("/").every((part) => PLAIN.test(part) && !isReservedName(part));
}

const PLAIN = /^[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_ .,+@=()-]*[\p{L}\p{M}\p{N}_)-])?$/u;

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
  const { system, stagingRoot } = remote.context;
  let known: Promise<boolean> | null = null;
  return (signal) =>
    known ??= tryTwice(signal).catch((error) => {
      known = null;
      throw error;
    });

  async function tryTwice(signal: AbortSignal): Promise<boolean> {
    const folder = `${stagingRoot}/only-new-${system.randomHex(16)}`;
    const put = () => putEmpty(remote, `${folder}/once`, { IgnoreTimes: true, ...ONLY_NEW }, signal);
    try {
      await put();
      return await put().then(() => false, (error) => error instanceof RcloneError && TAKEN.test(error.message));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof RcloneError || error instanceof Failure) return false;
      throw error;
    } finally {
      // What stays is swept with the rest, by the next start at the latest.
      await remote.call("operations/purge", { fs: remote.fs(), remote: folder }, signal).catch(() => undefined);
    }
  }
}
