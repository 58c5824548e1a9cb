/** Files and folders, over Deno's own calls. None of them blocks the event loop: a dead network disk must not stop the daemon. */
import { statfs } from "node:fs/promises";
import { dirname, join } from "@std/path";
import { anySignal, onAbort, untilAborted } from "../../async/abort.ts";
import { chunks } from "../../domain/chunks.ts";
import { pathToRead, type ToRead } from "../../domain/source_file.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { bulkFiles } from "./bulk.ts";
import { type Bulkheads, createBulkheads } from "./bulkheads.ts";
import { createBatching, SHORT_BYTES } from "./batching.ts";
import type { FileCalls } from "./file_worker.ts";
import { copy, hash, readSmall, readSource, writeAll } from "./hash.ts";
import { hashWithChunks } from "./hash_large.ts";
import { lockFolder } from "./lock.ts";
import { openToRead, pathFacts } from "./open_source.ts";
import type { Files, PathFacts, WalkBatch, WalkOptions } from "../system.ts";
import { type Disk, NOT_UTF8, walkTree } from "./walk_tree.ts";
import { workerCalls } from "../workers/worker_calls.ts";
import { BEFORE_DENO_2_9 } from "../host/deno_version.ts";
import { processes, splitAtNul } from "../processes/processes.ts";
import { which } from "../processes/launch.ts";

const batching = createBatching();
/** A Worker of their own: a file that is sent does not wait behind the looks at many new ones. */
const contents = createBatching({ startFor: 16 });
const { setBulkheads, run: at } = createBulkheads();

/** One for the process: all callers share its Worker and its threads. */
export const files: Files = {
  setBulkheads,
  facts: (path) => batching.facts(path, () => at(path, () => orNull(Deno.lstat(path).then(pathFacts)))),
  followedFacts: (path) => batching.followedFacts(path, () => at(path, () => orNull(Deno.stat(path).then(pathFacts)))),
  realPath: (path) => at(path, () => orNull(Deno.realPath(path))),
  names: (folder) => at(folder, async () => (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name)),
  list,
  walk: createWalk(at),
  read: (from, offset, length) => {
    const alone = () => at(pathToRead(from), () => read(from, offset, length));
    return length > SHORT_BYTES ? alone() : batching.read(from, offset, length, alone);
  },
  hash: async (from, signal, onBytes) => {
    signal.throwIfAborted();
    const alone = () => at(pathToRead(from), () => hash(from, signal, onBytes));
    if (onBytes !== undefined) return await alone();
    const digest = await batching.hash(from, alone);
    signal.throwIfAborted();
    return digest;
  },
  readSmall: (from, into, signal) => contents.content(from, into, () => readSmall(from, signal, placeFor(from))),
  readSource: (from, use, signal) => readSource(from, use, signal, placeFor(from)),
  copy: (from, to, options, signal) => at(to, () => copy(from, to, options, signal)),
  checkDatabase,
  hashWithChunks: (from, chunkBytes, signal) => at(pathToRead(from), () => hashWithChunks(from, chunkBytes, signal)),
  bulkFiles,
  writeInto: (path, offset, content, signal) => at(path, () => writeInto(path, offset, content, signal)),
  sync: (path) => at(path, () => sync(path)),
  createFile: async (path) => {
    const file = await Deno.open(path, { write: true, createNew: true });
    return {
      write: (bytes) => writeAll(file, bytes),
      [Symbol.asyncDispose]: () => Promise.resolve(file.close()),
    };
  },
  rename: (from, to) => at(to, () => Deno.rename(from, to)),
  link: (from, to) => at(to, () => Deno.link(from, to)),
  lockFolder,
  symlink: (target, path) => at(path, () => Deno.symlink(target, path)),
  remove: (path) => at(path, () => orNothing(Deno.remove(path))),
  removeTree: (path) => at(path, () => orNothing(Deno.remove(path, { recursive: true }))),
  makeFolder: (path, mode) => at(path, () => Deno.mkdir(path, { recursive: true, ...(mode === undefined ? {} : { mode }) })),
  makeInside: (path, mode) => at(path, () => makeInside(path, mode)),
  setTimes: (path, mtimeMs) => at(path, () => Deno.utime(path, new Date(), new Date(mtimeMs))),
  setMode: async (path, mode) => {
    if (Deno.build.os !== "windows") await at(path, () => Deno.chmod(path, mode));
  },
  readText: (path) => at(path, () => Deno.readTextFile(path)),
  writeText: (path, text, mode) => at(path, () => writeText(path, text, mode)),
  space: (path) => at(path, () => space(path)),
};

function placeFor(from: ToRead): <R>(call: () => Promise<R>) => Promise<R> {
  return (call) => at(pathToRead(from), call);
}

/** Facts are read this many at a time: one by one takes ten times as long, all at once floods the thread pool. */
const LOOKS_AT_ONCE = 256;

/** What SQLite finds takes seconds for each gigabyte. */
async function checkDatabase(path: string, signal: AbortSignal): Promise<readonly string[]> {
  using worker = workerCalls<FileCalls>({ name: "file_worker", here: import.meta.url, what: `The check of "${path}"` });
  return await untilAborted(worker.call("checkDatabase", path), signal);
}

async function list(folder: string): ReturnType<Files["list"]> {
  const names = await files.names(folder);
  const entries: { name: string; facts: PathFacts }[] = [];
  const unreadable: { name: string; reason: string }[] = [];
  for (const some of chunks(names, LOOKS_AT_ONCE)) {
    const looks = await Promise.allSettled(some.map((name) => files.facts(join(folder, name))));
    some.forEach((name, index) => {
      const look = looks[index]!;
      if (look.status === "rejected") unreadable.push({ name, reason: reasonOf(look.reason) });
      else if (look.value !== null) entries.push({ name, facts: look.value });
      // U+FFFD stands for bytes that are not UTF-8: such a name leads nowhere. Without one, the entry has gone meanwhile.
      else if (name.includes("\uFFFD")) unreadable.push({ name, reason: NOT_UTF8 });
    });
  }
  return { entries, unreadable };
}

async function space(path: string): ReturnType<Files["space"]> {
  const [fileSystem, { dev }] = await Promise.all([statfs(path), Deno.stat(path)]);
  return { freeBytes: fileSystem.bavail * fileSystem.bsize, device: String(dev) };
}

async function makeInside(path: string, mode?: number): Promise<boolean> {
  try {
    await Deno.mkdir(path, mode === undefined ? {} : { mode });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
}

async function read(from: ToRead, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  using file = await openToRead(from);
  if (offset > 0) file.seek(offset);
  const buffer = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const got = await file.read(buffer.subarray(filled));
    if (got === null) break;
    filled += got;
  }
  return buffer.subarray(0, filled);
}

/** See `Files.writeInto`. */
async function writeInto(
  path: string,
  offset: number,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(offset, Deno.SeekMode.Start);
  for await (const piece of content) {
    signal.throwIfAborted();
    await writeAll(file, piece);
  }
}

/** fsync; a no-op for folders on Windows, which has none. File systems that cannot sync folders are ignored. */
async function sync(path: string): Promise<void> {
  if (Deno.build.os === "windows") {
    if ((await Deno.lstat(path)).isDirectory) return;
    using file = await Deno.open(path, { read: true, write: true });
    return await file.sync();
  }
  using file = await Deno.open(path);
  try {
    await file.sync();
  } catch (error) {
    // Some network and user-space file systems refuse fsync on a folder with EINVAL: nothing more can be done.
    const isRefused = error instanceof Error && "code" in error && ["EINVAL", "ENOTSUP", "ENOSYS"].includes(String(error.code));
    if (!isRefused || !(await Deno.lstat(path)).isDirectory) throw error;
  }
}

/** Writes by temporary file (`.image-transfer-*` beside it), fsync and rename. `mode` does not exist on Windows. */
async function writeText(path: string, text: string, mode?: number): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.image-transfer-${crypto.randomUUID()}`);
  try {
    {
      using file = await Deno.open(temporary, { write: true, createNew: true, ...(mode === undefined ? {} : { mode }) });
      // Before the text is in it: a secret is never readable for others, whatever the umask.
      if (mode !== undefined && Deno.build.os !== "windows") await Deno.chmod(temporary, mode);
      await writeAll(file, new TextEncoder().encode(text));
      await file.sync();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => undefined);
    throw error;
  }
  await sync(folder);
}

async function orNull<T>(looking: Promise<T>): Promise<T | null> {
  try {
    return await looking;
  } catch (error) {
    if (isNothingThere(error)) return null;
    throw error;
  }
}

async function orNothing(removing: Promise<void>): Promise<void> {
  try {
    await removing;
  } catch (error) {
    if (!isNothingThere(error)) throw error;
  }
}

/** Nothing at that path, or a file in place of one of its folders. */
function isNothingThere(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

/** A tree with more names is read in a Worker. */
const FEW = 200;
/** How long the names that cannot be used may be those found by a former walk. */
const BAD_NAMES_AGAIN_MS = 3_600_000;
/** Batches on their way at a time: the Worker works on while one is digested, and memory stays bounded. */
const AHEAD = 3;
/** True where the runtime's listings leave out names that are not UTF-8; elsewhere, the walk reports them itself. */
const BAD_NAMES_LEFT_OUT = Deno.build.os !== "windows" && BEFORE_DENO_2_9;

/**
 * Every regular file under a folder, in batches: a small tree is read here, a larger one in a Worker that lives as long as the walk (it costs some
 * memory, and a tenth of a second to start). `at` gives each folder its share of the runtime's threads.
 */
function createWalk(at: Bulkheads["run"]): Files["walk"] {
  /** Roots that had many names: whoever reads a folder of a million here blocks everybody for long. */
  const large = new Set<string>();
  const lastBadNames = new Map<string, { readonly names: WalkBatch["unreadable"]; readonly at: number }>();

  /** A walk that leaves folders out must not have `find` read all of them each time: events tell of such names, too. */
  async function badNamesOf(root: string, options: WalkOptions, signal: AbortSignal): Promise<WalkBatch["unreadable"]> {
    if (!BAD_NAMES_LEFT_OUT || options.foldersNamed !== undefined) return [];
    const known = lastBadNames.get(root);
    const isRecent = known !== undefined && performance.now() - known.at < BAD_NAMES_AGAIN_MS;
    if (isRecent && (options.known?.folders?.size ?? 0) > 0) return known.names;
    const names = await findBadNames(root, options, signal);
    lastBadNames.set(root, { names, at: performance.now() });
    return names;
  }

  return async function* walk(root, options, signal) {
    signal.throwIfAborted();
    using end = anySignal(signal);
    const badNames = badNamesOf(root, options, end.signal);
    // Awaited below: until then, its rejection is not unseen.
    badNames.catch(() => undefined);
    try {
      const small = large.has(root) ? null : await untilAborted(smallTree(root, options, at), signal);
      if (small === null) large.add(root);
      for await (const batch of small ?? walkThere(root, options, signal)) {
        yield batch;
        signal.throwIfAborted();
      }
      const unreadable = await badNames;
      if (unreadable.length > 0) yield { files: [], unreadable };
    } finally {
      end.abort();
      await Promise.allSettled([badNames]);
    }
  };
}

/** Null where there are more than a few names. */
async function smallTree(root: string, options: WalkOptions, at: Bulkheads["run"]): Promise<WalkBatch[] | null> {
  let names = 0;
  const disk: Disk = {
    entries: (folder) =>
      at(folder, async () => {
        const entries = names > FEW ? [] : await Array.fromAsync(Deno.readDir(folder));
        names += entries.length;
        return names > FEW ? [] : entries;
      }),
    look: (path) => at(path, () => Deno.lstat(path)),
    now: () => Date.now(),
  };
  const batches = await Array.fromAsync(walkTree(root, options, disk));
  return names > FEW ? null : batches;
}

async function* walkThere(root: string, options: WalkOptions, signal: AbortSignal): AsyncGenerator<WalkBatch> {
  using tree = workerCalls<FileCalls>({ name: "file_worker", here: import.meta.url, what: `The walk of "${root}"` });
  using _listening = onAbort(signal, () => tree.end(signal.reason));
  const ahead: Promise<WalkBatch | null>[] = [];
  const askForMore = () => {
    const batch = tree.call("nextOfWalk");
    // Awaited later: until then, its rejection is not unseen.
    batch.catch(() => undefined);
    ahead.push(batch);
  };
  await tree.call("beginWalk", root, options);
  while (ahead.length < AHEAD) askForMore();
  for (let batch = await ahead.shift(); batch; batch = await ahead.shift()) {
    askForMore();
    yield batch;
  }
}

/** What lies under `root` with a name that is not UTF-8, as the walk reports it. */
async function findBadNames(root: string, options: WalkOptions, signal: AbortSignal): Promise<WalkBatch["unreadable"]> {
  if (await which("find") === null) return [];
  // With the slash, a root that is a symlink is entered.
  const folder = root.endsWith("/") ? root : `${root}/`;
  const args = [
    ...[folder, "-mindepth", "1"],
    ...(options.recursive ? [] : ["-maxdepth", "1"]),
    ...(options.skipHidden ? ["-name", ".*", "-prune", "-o"] : []),
    // In the C locale every byte is a character: names with any other than printable ASCII.
    ...["(", "-type", "f", "-o", "-type", "d", ")", "-name", "*[! -~]*", "-print0"],
  ];
  await using child = await processes.spawn({ program: "find", args, env: { LC_ALL: "C" } }, signal);
  await child.closeStdin();
  const found: { path: string; reason: string }[] = [];
  for await (const name of splitAtNul(child.stdout)) {
    try {
      strict.decode(name);
    } catch {
      found.push({ path: lossy.decode(name).slice(folder.length), reason: NOT_UTF8 });
    }
  }
  signal.throwIfAborted();
  return found;
}

const strict = new TextDecoder("utf-8", { fatal: true });
const lossy = new TextDecoder();
