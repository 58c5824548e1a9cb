/** What is at a remote: base path, and files with their digests. */
import { join } from "@std/path";
import { CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import type { Digest } from "../../domain/receipt.ts";
import { limitNow } from "../bandwidth.ts";
import type { Mount, Session, Stat } from "../method.ts";
import { unsafeStaging } from "../staging.ts";
import { type Fields, RcloneError } from "./rclone_daemon.ts";
import { isNotFound } from "./rclone_failures.ts";
import { failureOf, keepLimits, type Remote, type StoreHash } from "./rclone_remote.ts";
import type { Hashed } from "./source_hash.ts";

/** Hashes of what this session has sent, by where it was put: what the store's hash is compared with. */
export type Sent = Map<string, Hashed>;

/** A file or folder as rclone lists it. */
interface Entry {
  readonly Name: string;
  readonly Size: number;
  readonly IsDir: boolean;
  readonly Hashes?: Readonly<Record<string, string>>;
  readonly Metadata?: Readonly<Record<string, string>>;
}

/** Of a folder with so many more names than are asked for, it is asked for each. */
const MANY = 2000;
const MANY_TIMES = 20;
/** Where rclone keeps an MD5 of its own beside an object. */
const CLIENTS_WORD = "md5chksum";
// deno-lint-ignore no-control-regex -- they are what is looked for
const CONTROL = /[\x00-\x1f\x7f]/;

/** The files of a remote. */
export function rcloneFiles(
  remote: Remote,
  sent: Sent,
): Pick<Session, "attach" | "survey" | "digest" | "modifiedAt"> {
  const folders = new Map<string, number>();
  return {
    attach: (create, signal, probe) => attach(remote, create, signal, probe),
    survey: (paths, signal) => survey(remote, folders, paths, signal),
    async digest(paths, signal, calm) {
      if (calm === undefined) return await digest(remote, folders, sent, paths, signal);
      await keepLimits(remote, { down: limitNow(remote.destination, remote.context.system) }, signal);
      try {
        return await digest(remote, folders, sent, paths, signal);
      } finally {
        await keepLimits(remote, { down: null }, signal);
      }
    },
    modifiedAt: (path, signal) => modifiedAt(remote, path, signal),
  };
}

/** The entries of a folder; null where it is not there, as it never is in an object store that has the bucket. */
export async function list(
  remote: Remote,
  folder: string,
  signal: AbortSignal,
  options: Fields = {},
): Promise<readonly Entry[] | null> {
  try {
    const opt = { noModTime: true, noMimeType: true, ...options };
    const { list } = await remote.call("operations/list", { fs: remote.fs(), remote: folder, opt }, signal);
    return (list ?? []) as readonly Entry[];
  } catch (error) {
    if (error instanceof RcloneError && isNotFound(error.message)) return null;
    throw failureOf(error, `list files below ${remote.where}`, signal);
  }
}

async function attach(remote: Remote, create: boolean, signal: AbortSignal, probe?: string): Promise<Mount> {
  const { context: { stagingRoot } } = remote;
  let made = false;
  if (!await isThere(remote, signal)) {
    if (!create) throw missing(remote);
    await makeFolder(remote, "", signal);
    made = true;
  }
  if (probe !== undefined) {
    await inStaging(remote, signal);
    await leaveProbe(remote, `${stagingRoot}/${probe}`, signal);
  }
  return { freeBytes: await freeSpace(remote, signal), device: null, ...(made ? { made } : {}) };
}

function missing({ where, isObjectStore }: Remote): Failure {
  return failure(isObjectStore ? CAUSES.no_bucket : CAUSES.base_missing, `Cannot find ${where}`);
}

/** rclone makes every folder that it needs. @throws {Failure} `device_missing` where it would make the base path, too. */
export async function checkBase(remote: Remote, signal: AbortSignal): Promise<void> {
  // A bucket it does not make.
  if (!remote.isObjectStore && !await isThere(remote, signal)) throw missing(remote);
}

/** Listing our own small folder tells of a bucket; elsewhere the folder itself must be there. */
async function isThere(remote: Remote, signal: AbortSignal): Promise<boolean> {
  if (await list(remote, remote.context.stagingRoot, signal) !== null) return true;
  if (remote.isObjectStore) return false;
  const found = await list(remote, "", signal, { dirsOnly: true });
  return found !== null;
}

/** An object store has a folder only where something is in it. */
async function leaveProbe(remote: Remote, folder: string, signal: AbortSignal): Promise<void> {
  if (!remote.isObjectStore) return await makeFolder(remote, folder, signal);
  const { context: { system, workFolder } } = remote;
  const name = system.randomHex(16);
  await system.makeFolder(workFolder, 0o700);
  await system.writeText(join(workFolder, name), "");
  try {
    await remote.call("operations/copyfile", {
      srcFs: { type: "local", _root: workFolder },
      srcRemote: name,
      dstFs: remote.fs("", "quick"),
      dstRemote: `${folder}/probe`,
      _config: { NoCheckDest: true },
    }, signal);
  } catch (error) {
    throw failureOf(error, `write a file below ${remote.where}`, signal);
  } finally {
    await system.remove(join(workFolder, name));
  }
}

async function makeFolder(remote: Remote, folder: string, signal: AbortSignal): Promise<void> {
  try {
    // Not with our options: they keep a bucket from being made.
    const { _name, _root } = remote.fs();
    await remote.call("operations/mkdir", { fs: { _name, _root }, remote: folder }, signal);
  } catch (error) {
    if (folder === "" && error instanceof RcloneError && /file exists|is a file|not a directory/i.test(error.message)) {
      throw failure(CAUSES.base_not_a_folder, `Cannot use ${remote.where}`);
    }
    throw failureOf(error, `create ${folder === "" ? remote.where : `a folder below ${remote.where}`}`, signal);
  }
}

export async function freeSpace({ tellsSpace, call, fs }: Remote, signal: AbortSignal): Promise<number | null> {
  if (!tellsSpace) return null;
  try {
    const { free } = await call("operations/about", { fs: fs() }, signal);
    return typeof free === "number" ? free : null;
  } catch (error) {
    // Some servers say that they can, and then do not.
    if (error instanceof RcloneError) return null;
    throw error;
  }
}

async function survey(
  remote: Remote,
  folders: Map<string, number>,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<(Stat | null)[]> {
  const found = await look(remote, folders, paths, {}, signal);
  return paths.map((path) => {
    const entry = found.get(path);
    return entry === undefined ? null : entry.IsDir ? { kind: "folder", bytes: 0 } : { kind: "file", bytes: entry.Size };
  });
}

/** What is at these paths: by a list of each folder, or of those with very many names, by a question for each path. */
async function look(
  remote: Remote,
  folders: Map<string, number>,
  paths: readonly string[],
  options: Fields,
  signal: AbortSignal,
): Promise<Map<string, Entry>> {
  const found = new Map<string, Entry>();
  // The lists of some object stores spoil them.
  const isUnlisted = (path: string) => remote.isObjectStore && CONTROL.test(path);
  for (const [folder, some] of Map.groupBy(paths, folderOf)) {
    const unlisted = some.filter(isUnlisted);
    for (const entry of unlisted.length === 0 ? [] : await ask(remote, unlisted, options, signal)) {
      found.set(below(folder, entry.Name), entry);
    }
    const inside = some.filter((path) => !isUnlisted(path));
    if (inside.length === 0) continue;
    const count = folders.get(folder) ?? 0;
    const entries = count > MANY && count > inside.length * MANY_TIMES
      ? await ask(remote, inside, options, signal)
      : await list(remote, folder, signal, options) ?? [];
    if (entries.length >= count) folders.set(folder, entries.length);
    for (const entry of entries) found.set(below(folder, entry.Name), entry);
  }
  return found;
}

/** The entries of single files. */
async function ask(remote: Remote, paths: readonly string[], options: Fields, signal: AbortSignal): Promise<Entry[]> {
  // Of one object of S3, rclone tells the client's word where that lies beside it.
  const opt = { noModTime: true, noMimeType: true, filesOnly: true, ...options, metadata: options["showHash"] === true };
  const results = await remote.callAll(
    paths.map((path) => ({ _path: "operations/stat", fs: remote.fs(), remote: path, opt })),
    signal,
  ).catch((error) => {
    throw failureOf(error, `list files below ${remote.where}`, signal);
  });
  return results.flatMap((result) => {
    if (result instanceof RcloneError) throw failureOf(result, `list files below ${remote.where}`, signal);
    return (result["item"] ?? []) as Entry | [];
  });
}

/** What `Session.modifiedAt` does. Stores without such a time tell when the file was put there. */
async function modifiedAt(remote: Remote, path: string, signal: AbortSignal): Promise<number | null> {
  const opt = { noMimeType: true, filesOnly: true };
  const { item } = await remote.call("operations/stat", { fs: remote.fs(), remote: path, opt }, signal).catch((error) => {
    throw failureOf(error, `check a file below ${remote.where}`, signal);
  });
  const at = Date.parse(String((item as { ModTime?: string } | null)?.ModTime));
  return Number.isNaN(at) ? null : at;
}

async function digest(
  remote: Remote,
  folders: Map<string, number>,
  sent: Sent,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<(Digest | null)[]> {
  const hashes = await hashesOf(remote, folders, sent, paths, signal);
  const shown = paths.map((path) => {
    const found = hashes.get(path);
    return found === undefined ? null : shownBy(remote.hash, found, sent.get(path));
  });
  const rest = paths.filter((_, index) => shown[index] === null);
  const stats = rest.length === 0 ? [] : await survey(remote, folders, rest, signal);
  const files = rest.filter((_, index) => stats[index]?.kind === "file");
  const back = await readBack(remote, files, signal);
  const bytes = new Map(rest.map((path, index) => [path, stats[index]?.bytes ?? 0]));
  return paths.map((path, index) => {
    const sha256 = back.get(path);
    return shown[index] ?? (sha256 === undefined ? null : { bytes: bytes.get(path) ?? 0, sha256, ...shownByReading(remote) });
  });
}

/** A session that reads everything back need not say so each time; a store that tells SHA-256 was asked for that. */
function shownByReading({ hash }: Remote): Pick<Digest, "shownBy"> {
  return hash === null || hash === "sha256" ? {} : { shownBy: "read_back" };
}

/** What the store's hash shows; null where it shows nothing, and the bytes must be looked at. */
function shownBy(
  kind: StoreHash | null,
  found: { readonly bytes: number; readonly hash: string },
  sent: Hashed | undefined,
): Digest | null {
  if (kind === "sha256") return { bytes: found.bytes, sha256: found.hash };
  if (kind === null || sent?.hash !== found.hash || sent.bytes !== found.bytes) return null;
  return { bytes: found.bytes, sha256: sent.sha256, shownBy: kind };
}

/** Sizes and the store's hashes, of those paths for which they can show something. */
async function hashesOf(
  remote: Remote,
  folders: Map<string, number>,
  sent: Sent,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, { readonly bytes: number; readonly hash: string }>> {
  const { hash } = remote;
  if (hash === null) return new Map();
  // A list of S3 has the ETags themselves.
  const options = { filesOnly: true, showHash: true, hashTypes: [hash] };
  const found = await look(remote, folders, paths.filter((path) => sent.has(path)), options, signal);
  return new Map([...found].flatMap(([path, { Size, Hashes, Metadata }]) => {
    const value = Hashes?.[hash];
    return value && Metadata?.[CLIENTS_WORD] === undefined ? [[path, { bytes: Size, hash: value.toLowerCase() }]] : [];
  }));
}

/** SHA-256 of files, by rclone on this computer where the store does not tell it; what is not there is left out. */
async function readBack(remote: Remote, paths: readonly string[], signal: AbortSignal): Promise<Map<string, string>> {
  const asked = { _path: "operations/hashsumfile", fs: remote.fs(), hashType: "sha256", download: remote.hash !== "sha256" };
  const what = `read files back from ${remote.where}`;
  const results = await remote.callAll(paths.map((path) => ({ ...asked, remote: path })), signal).catch((error) => {
    throw failureOf(error, what, signal);
  });
  return new Map(results.flatMap((result, index): [string, string][] => {
    if (!(result instanceof RcloneError)) return [[paths[index]!, String(result["hash"])]];
    if (isNotFound(result.message)) return [];
    throw failureOf(result, what, signal);
  }));
}

/**
 * What is in our folder; null where it is not there. Only the list of the base path shows that a link has its place, so this is not
 * asked before each put.
 *
 * @throws {Failure} `staging_unsafe` where a link has its place.
 */
export async function inStaging(remote: Remote, signal: AbortSignal): Promise<readonly Entry[] | null> {
  const { context: { stagingRoot }, where } = remote;
  const entries = await list(remote, stagingRoot, signal);
  if (entries === null || !remote.hasSymlinks) return entries;
  const asked = { fs: remote.itself(), remote: stagingRoot, opt: { noModTime: true, noMimeType: true } };
  const { item } = await remote.call("operations/stat", asked, signal).catch((error) => {
    throw failureOf(error, `look at "${stagingRoot}" below ${where}`, signal);
  });
  if (item === null) throw unsafeStaging(where, stagingRoot, "link");
  return entries;
}

/** The folder of a path, empty for the base path. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function below(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}
