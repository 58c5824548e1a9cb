/** What is at a remote: base path, and files with their digests. */
import { folderOf, pathIn } from "../../domain/names/file_name.ts";
import { join } from "@std/path";
import { CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import type { Digest } from "../../domain/receipt.ts";
import { limitNow } from "../bandwidth.ts";
import type { Mount, Session, Stat } from "../method.ts";
import { unsafeStaging } from "../staging.ts";
import { type Fields, RcloneError } from "./rclone_daemon.ts";
import { isNotFound } from "./rclone_failures.ts";
import { failureOf, keepLimits, type Remote } from "./rclone_remote.ts";
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
  const { hash, where } = remote;
  const listing = `list files below ${where}`;
  /** How many names folders had, at most. */
  const counts = new Map<string, number>();

  /** What is at these paths: by a list of each folder, or of those with very many names, by a question for each path. */
  async function look(paths: readonly string[], options: Fields, signal: AbortSignal): Promise<Map<string, Entry>> {
    const found = new Map<string, Entry>();
    // The lists of some object stores spoil them.
    const isUnlisted = (path: string) => remote.isObjectStore && CONTROL.test(path);
    for (const [folder, some] of Map.groupBy(paths, folderOf)) {
      const inside = some.filter((path) => !isUnlisted(path));
      const count = counts.get(folder) ?? 0;
      const isAsked = count > MANY && count > inside.length * MANY_TIMES;
      const asked = isAsked ? some : some.filter(isUnlisted);
      const listed = isAsked || inside.length === 0 ? [] : await list(remote, folder, signal, options) ?? [];
      if (listed.length >= count) counts.set(folder, listed.length);
      for (const entry of [...await ask(asked, options, signal), ...listed]) found.set(pathIn(folder, entry.Name), entry);
    }
    return found;
  }

  /** The entries of single files. */
  async function ask(paths: readonly string[], options: Fields, signal: AbortSignal): Promise<Entry[]> {
    // Of one object of S3, rclone tells the client's word where that lies beside it.
    const opt = { noModTime: true, noMimeType: true, filesOnly: true, ...options, metadata: options["showHash"] === true };
    const calls = paths.map((path) => ({ _path: "operations/stat", fs: remote.fs(), remote: path, opt }));
    return (await remote.callAll(calls, listing, signal)).flatMap((result) => {
      if (result instanceof RcloneError) throw failureOf(result, listing, signal);
      return (result["item"] ?? []) as Entry | [];
    });
  }

  async function survey(paths: readonly string[], signal: AbortSignal): Promise<(Stat | null)[]> {
    const found = await look(paths, {}, signal);
    return paths.map((path) => {
      const entry = found.get(path);
      return entry === undefined ? null : entry.IsDir ? { kind: "folder", bytes: 0 } : { kind: "file", bytes: entry.Size };
    });
  }

  async function digest(paths: readonly string[], signal: AbortSignal): Promise<(Digest | null)[]> {
    const shown = await shownByStore(paths, signal);
    const rest = paths.filter((path) => !shown.has(path));
    const stats = rest.length === 0 ? [] : await survey(rest, signal);
    const files = rest.filter((_, index) => stats[index]?.kind === "file");
    const back = await readBack(files, signal);
    const bytes = new Map(rest.map((path, index) => [path, stats[index]?.bytes ?? 0]));
    // A session that reads everything back need not say so each time; a store that tells SHA-256 was asked for that.
    const shownBy = hash === null || hash === "sha256" ? {} : { shownBy: "read_back" as const };
    return paths.map((path) => {
      const sha256 = back.get(path);
      return shown.get(path) ?? (sha256 === undefined ? null : { bytes: bytes.get(path) ?? 0, sha256, ...shownBy });
    });
  }

  /** What the store's hash shows of what was sent; the bytes of others must be looked at. */
  async function shownByStore(paths: readonly string[], signal: AbortSignal): Promise<Map<string, Digest>> {
    if (hash === null) return new Map();
    // A list of S3 has the ETags themselves.
    const options = { filesOnly: true, showHash: true, hashTypes: [hash] };
    const found = await look(paths.filter((path) => sent.has(path)), options, signal);
    return new Map([...found].flatMap(([path, { Size: bytes, Hashes, Metadata }]): [string, Digest][] => {
      const value = Hashes?.[hash]?.toLowerCase();
      if (!value || Metadata?.[CLIENTS_WORD] !== undefined) return [];
      if (hash === "sha256") return [[path, { bytes, sha256: value }]];
      const ours = sent.get(path);
      return ours?.hash === value && ours.bytes === bytes ? [[path, { bytes, sha256: ours.sha256, shownBy: hash }]] : [];
    }));
  }

  /** SHA-256 of files, by rclone on this computer where the store does not tell it; what is not there is left out. */
  async function readBack(paths: readonly string[], signal: AbortSignal): Promise<Map<string, string>> {
    const asked = { _path: "operations/hashsumfile", fs: remote.fs(), hashType: "sha256", download: hash !== "sha256" };
    const what = `read files back from ${where}`;
    const results = await remote.callAll(paths.map((path) => ({ ...asked, remote: path })), what, signal);
    return new Map(results.flatMap((result, index): [string, string][] => {
      if (!(result instanceof RcloneError)) return [[paths[index]!, String(result["hash"])]];
      if (isNotFound(result.message)) return [];
      throw failureOf(result, what, signal);
    }));
  }

  return {
    attach: (create, signal, probe) => attach(remote, create, signal, probe),
    survey,
    async digest(paths, signal, calm) {
      if (calm === undefined) return await digest(paths, signal);
      await keepLimits(remote, { down: limitNow(remote.destination, remote.context.system) }, signal);
      try {
        return await digest(paths, signal);
      } finally {
        await keepLimits(remote, { down: null }, signal);
      }
    },
    /** Stores without such a time tell when the file was put there. */
    async modifiedAt(path, signal) {
      const opt = { noMimeType: true, filesOnly: true };
      const { item } = await remote.call("operations/stat", { fs: remote.fs(), remote: path, opt }, signal).catch((error) => {
        throw failureOf(error, `check a file below ${where}`, signal);
      });
      const at = Date.parse(String((item as { ModTime?: string } | null)?.ModTime));
      return Number.isNaN(at) ? null : at;
    },
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
    const folder = `${stagingRoot}/${probe}`;
    // An object store has a folder only where something is in it.
    if (!remote.isObjectStore) await makeFolder(remote, folder, signal);
    else {
      await putEmpty(remote, `${folder}/probe`, {}, signal).catch((error) => {
        throw failureOf(error, `write a file below ${remote.where}`, signal);
      });
    }
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

/** Puts an empty file there. @throws {RcloneError} */
export async function putEmpty(remote: Remote, path: string, config: Fields, signal: AbortSignal): Promise<void> {
  const { context: { system, workFolder } } = remote;
  const name = system.randomHex(16);
  await system.makeFolder(workFolder, 0o700);
  await system.writeText(join(workFolder, name), "");
  try {
    await remote.call("operations/copyfile", {
      srcFs: { type: "local", _root: workFolder },
      srcRemote: name,
      dstFs: remote.fs("", "quick"),
      dstRemote: path,
      _config: { NoCheckDest: true, ...config },
    }, signal);
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
