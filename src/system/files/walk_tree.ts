/**
 * The walk itself, through a tree on whatever disk. The Worker of the walk bundles it: import nothing heavy here.
 *
 * @module
 */
import type { FileFacts } from "../../domain/source_file.ts";
import { DEVICE_NAME, isDeviceName, NOT_UTF8 } from "./unusable_names.ts";
import { identityOf, timeOf } from "./path_facts.ts";
import type { WalkBatch, WalkOptions } from "../system.ts";
import { folderDigest } from "./walk_digest.ts";
import { type WalkBatches, walkBatches } from "./walk_batches.ts";

/** Synchronous in a Worker, where that is ten times as fast. */
export interface Disk {
  entries(folder: string): readonly Deno.DirEntry[] | Promise<readonly Deno.DirEntry[]>;
  look(path: string): Deno.FileInfo | Promise<Deno.FileInfo>;
  /** Milliseconds since 1970 UTC. */
  now(): number;
}

/** One walk. */
interface Walk {
  readonly options: WalkOptions;
  readonly disk: Disk;
  /** The root, with a separator at its end. */
  readonly base: string;
  readonly batches: WalkBatches;
  /** Folders still to be read, relative to the root, with `/` at the end; the root is empty. */
  readonly folders: string[];
}

const SEPARATOR = Deno.build.os === "windows" ? "\\" : "/";

/** Batch after batch. @throws where the root itself cannot be read. */
export async function* walkTree(root: string, options: WalkOptions, disk: Disk): AsyncGenerator<WalkBatch, undefined> {
  const base = root.endsWith("/") || root.endsWith(SEPARATOR) ? root : root + SEPARATOR;
  const walk: Walk = { options, disk, base, batches: walkBatches(options.known), folders: [""] };
  const { batches, folders } = walk;
  const unchanged = options.known?.folders ? unchangedFolders(walk, options.known.seed, options.known.folders) : null;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const stamp = await unchanged?.look(folder) ?? null;
    if (stamp?.isKnown) {
      batches.skipFolder(stamp.digest);
    } else {
      const names = await entriesOf(walk, folder);
      if (names === null) continue;
      if (stamp !== null) batches.endStretch();
      const before = { folders: folders.length, unreadable: batches.unreadable() };
      for (const entry of names) if (await takeEntry(walk, folder, entry)) yield batches.take();
      const isLeaf = folders.length === before.folders && batches.unreadable() === before.unreadable;
      if (stamp !== null) batches.endFolder(isLeaf && stamp.hasRested ? stamp.digest : null);
    }
    if (batches.isFull()) yield batches.take();
  }
  if (batches.end()) yield batches.take();
}

/** Null, and noted, where the folder cannot be read. */
async function entriesOf({ disk, base, batches }: Walk, folder: string): Promise<readonly Deno.DirEntry[] | null> {
  try {
    return await disk.entries(base + folder);
  } catch (error) {
    if (folder === "") throw error;
    const reason = whyUnreadable(folder.slice(0, -1), error);
    if (reason !== null) batches.addUnreadable(folder.slice(0, -1), reason);
    return null;
  }
}

/** True where the batch is full. */
async function takeEntry(
  { options, disk, base, batches, folders }: Walk,
  folder: string,
  { name, isDirectory, isFile }: Deno.DirEntry,
): Promise<boolean> {
  const path = folder + name;
  if (isDirectory && name === options.foldersNamed) batches.add({ path, ...NO_FACTS });
  if (options.skipHidden && name.startsWith(".")) return false;
  if (SEPARATOR === "\\" && isDeviceName(name)) {
    batches.addUnreadable(path, DEVICE_NAME);
    return false;
  }
  if (isDirectory && options.recursive) folders.push(path + "/");
  if (isDirectory || !isFile || options.foldersNamed !== undefined) return false;
  try {
    const info = await disk.look(base + path);
    if (info.isFile) batches.add(factsOf(path, info));
  } catch (error) {
    const reason = whyUnreadable(name, error);
    if (reason !== null) batches.addUnreadable(path, reason);
  }
  return batches.isFull();
}

/** Tells which folders need not be read again. */
interface UnchangedFolders {
  /** To be asked before the folder is read. Null where its times tell nothing. */
  look(folder: string): Promise<{ readonly digest: string; readonly isKnown: boolean; readonly hasRested: boolean } | null>;
}

/**
 * On one file system only: another may be mounted below the root, of a kind whose folders do not tell. A folder in which something
 * happened lately is read whole each time: its images are those that are still written to, and ctimes are told in whole seconds.
 */
function unchangedFolders({ base, disk }: Walk, seed: number, known: ReadonlySet<string>): UnchangedFolders {
  let device: number | null = null;
  let asked = 0;
  return {
    async look(folder) {
      if (asked >= MOST_FOLDERS) return null;
      asked += 1;
      const now = disk.now();
      const info = await Promise.resolve(disk.look(base + folder)).catch(() => null);
      if (info === null || !info.isDirectory) return null;
      device ??= info.dev;
      if (info.dev !== device) return null;
      const facts = factsOf(folder, info);
      const digest = folderDigest(seed, facts);
      const hasRested = facts.ctimeMs > 0 && now - facts.ctimeMs > RACY_MS && now - facts.mtimeMs > LATELY_MS;
      return { digest, isKnown: known.has(digest), hasRested };
    },
  };
}

function factsOf(path: string, info: Deno.FileInfo): FileFacts {
  return { path, size: info.size, mtimeMs: timeOf(info.mtime), ctimeMs: timeOf(info.ctime), identity: identityOf(info) };
}

/** Null if it was removed since it was listed. U+FFFD stands for bytes that are not UTF-8: such a name cannot be opened. */
function whyUnreadable(name: string, error: unknown): string | null {
  if (error instanceof Deno.errors.NotFound) return name.includes("\uFFFD") ? NOT_UTF8 : null;
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\.? \(os error \d+\).*$/s, "");
}

const NO_FACTS = { size: 0, mtimeMs: 0, ctimeMs: 0, identity: "" };
/** Each that is remembered costs some memory; those beyond are read each time. */
const MOST_FOLDERS = 50_000;
/** What comes within the tick of a clock in which the folder was read does not show in its times. */
const RACY_MS = 3_000;
const LATELY_MS = 24 * 3_600_000;
