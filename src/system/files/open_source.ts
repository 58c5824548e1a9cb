/**
 * The one place that opens what is read. A path can be exchanged for another one between any two looks, so what was opened is compared
 * with what it should be before a byte of it is read.
 *
 * It is bundled with Workers: import nothing heavy here.
 */
import { closeSync, constants, fstat, fstatSync, open, openSync, read, readSync, type Stats } from "node:fs";
import { type Expected, sameFingerprint, type ToRead } from "../../domain/source_file.ts";
import type { PathFacts } from "../system.ts";

/** For a message to a Worker: a source may carry more than that. */
export function expectedOnly(what: ToRead): ToRead {
  if (typeof what === "string") return what;
  const { absolutePath, identity, size, mtimeMs } = what;
  return { absolutePath, identity, ...(size === undefined ? {} : { size }), ...(mtimeMs === undefined ? {} : { mtimeMs }) };
}

type OpenFacts = Pick<PathFacts, "kind" | "size" | "mtimeMs" | "mode" | "identity">;

/** A file that is open for reading; closed when it is disposed of. */
export interface OpenFile extends Disposable {
  facts(): Promise<OpenFacts>;
  factsSync(): OpenFacts;
  /** The next bytes; null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  readSync(into: Uint8Array): number | null;
  seek(offset: number): void;
}

/** @throws an error with the code `ECHANGED` for what is not what was expected. */
export async function openToRead(what: ToRead): Promise<OpenFile> {
  if (typeof what === "string") return plainFile(await Deno.open(what));
  const fd = await opened(what.absolutePath);
  try {
    return expectedFile(fd, factsOf(await statsOf(fd)), what);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

export function openToReadSync(what: ToRead): OpenFile {
  if (typeof what === "string") return plainFile(Deno.openSync(what));
  const fd = openSync(what.absolutePath, FLAGS);
  try {
    return expectedFile(fd, factsOf(fstatSync(fd)), what);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A FIFO that has taken the place of a file would block a thread until somebody writes into it. Windows has no such flag. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** Of ours, or named by the user: whatever is there. */
function plainFile(file: Deno.FsFile): OpenFile {
  return {
    facts: async () => openFacts(await file.stat()),
    factsSync: () => openFacts(file.statSync()),
    read: (into) => file.read(into),
    readSync: (into) => file.readSync(into),
    seek: (offset) => void file.seekSync(offset, Deno.SeekMode.Start),
    [Symbol.dispose]: () => file.close(),
  };
}

function expectedFile(fd: number, facts: OpenFacts, expected: Expected): OpenFile {
  if (!isExpected(facts, expected)) {
    const error = new Error(`"${expected.absolutePath}" is not the file that was found there before`);
    throw Object.assign(error, { code: "ECHANGED" });
  }
  let at = 0;
  const moved = (bytes: number) => {
    at += bytes;
    return bytes === 0 ? null : bytes;
  };
  return {
    facts: () => Promise.resolve(facts),
    factsSync: () => facts,
    read: async (into) => moved(await readFrom(fd, into, at)),
    readSync: (into) => moved(readSync(fd, into, 0, into.length, at)),
    seek: (offset) => void (at = offset),
    [Symbol.dispose]: () => closeSync(fd),
  };
}

function openFacts(info: Deno.FileInfo): OpenFacts {
  return { ...pathFacts(info), mode: (info.mode ?? 0) & 0o7777 };
}

/** Some file systems give an open file no identity. */
function isExpected(facts: OpenFacts, { identity, size = facts.size, mtimeMs = facts.mtimeMs }: Expected): boolean {
  const known = facts.identity === "" || identity === "" ? facts.identity : identity;
  return facts.kind === "file" && sameFingerprint(facts, { identity: known, size, mtimeMs });
}

function factsOf(stats: Stats): OpenFacts {
  return {
    kind: stats.isFile() ? "file" : stats.isDirectory() ? "folder" : "other",
    size: stats.size,
    mtimeMs: timeOf(stats.mtime),
    mode: stats.mode & 0o7777,
    identity: identityOf({ dev: Number(stats.dev), ino: Number(stats.ino) }),
  };
}

function opened(path: string): Promise<number> {
  return new Promise((resolve, reject) => open(path, FLAGS, (error, fd) => error ? reject(error) : resolve(fd)));
}

function statsOf(fd: number): Promise<Stats> {
  return new Promise((resolve, reject) => fstat(fd, (error, stats) => error ? reject(error) : resolve(stats)));
}

function readFrom(fd: number, into: Uint8Array, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, into, 0, into.length, at, (error, bytes) => error ? reject(error) : resolve(bytes));
  });
}

type Info = Pick<
  Deno.FileInfo,
  | "isFile"
  | "isDirectory"
  | "isSymlink"
  | "size"
  | "mtime"
  | "ctime"
  | "birthtime"
  | "mode"
  | "nlink"
  | "dev"
  | "ino"
  | "uid"
  | "gid"
>;

/** Times whole milliseconds; `mode` only the permission bits, 0 on Windows. */
export function pathFacts(info: Info): PathFacts {
  return {
    kind: info.isSymlink ? "symlink" : info.isFile ? "file" : info.isDirectory ? "folder" : "other",
    size: info.size,
    mtimeMs: timeOf(info.mtime),
    ctimeMs: timeOf(info.ctime),
    bornMs: timeOf(info.birthtime),
    // Windows has no such permissions: what Deno reports there is made up.
    mode: Deno.build.os === "windows" ? 0 : (info.mode ?? 0) & 0o7777,
    links: info.nlink ?? 1,
    identity: identityOf(info),
    uid: info.uid,
    gid: info.gid,
    device: info.dev === null ? "" : String(info.dev),
  };
}

/** Milliseconds since 1970; 0 where the system gives none, or one that no Date can hold (tmpfs and btrfs keep 64 bits of seconds). */
export function timeOf(time: Date | null): number {
  const ms = time?.getTime() ?? 0;
  return Number.isFinite(ms) ? ms : 0;
}

/** `device:inode`; empty where the system gives none (some file systems of Windows). */
export function identityOf(info: Pick<Deno.FileInfo, "dev" | "ino">): string {
  return info.ino === null || info.ino === 0 ? "" : `${info.dev}:${info.ino}`;
}
