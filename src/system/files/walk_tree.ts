/**
 * The walk itself, through a tree on whatever disk: what it finds comes in batches of stretches, some 1,000 files or a folder. Each stretch has
 * a digest, and comes without its files where that is known from a former walk. A Worker bundles it: import nothing heavy here.
 */
import type { FileFacts } from "../../domain/source_file.ts";
import type { FormerWalks, Stretch, WalkBatch, WalkOptions } from "../system.ts";
import { identityOf, timeOf } from "./open_source.ts";

/** Synchronous in a Worker, where that is ten times as fast. */
export interface Disk {
  entries(folder: string): readonly Deno.DirEntry[] | Promise<readonly Deno.DirEntry[]>;
  look(path: string): Deno.FileInfo | Promise<Deno.FileInfo>;
  now(): number;
}

/** Why a name is left out, as in `"night/???.fits" was left out: its name is not valid UTF-8`: Deno cannot open it under any name. */
export const NOT_UTF8 = "its name is not valid UTF-8";
const DEVICE_NAME = "Windows reserves this name for a device: rename the file on the computer that created it";

const SEPARATOR = Deno.build.os === "windows" ? "\\" : "/";
const NO_FACTS = { size: 0, mtimeMs: 0, ctimeMs: 0, identity: "" };
/** Each folder that is remembered costs some memory; those beyond are read each time. */
const MOST_FOLDERS = 50_000;
/** What comes within the tick of a clock in which the folder was read does not show in its times. */
const RACY_MS = 3_000;
const LATELY_MS = 24 * 3_600_000;
const BATCH = 2_000;
const STRETCHES = 500;
const FILES_ON_AVERAGE = 1_000;

/** Batch after batch. @throws where the root itself cannot be read. */
export async function* walkTree(root: string, options: WalkOptions, disk: Disk): AsyncGenerator<WalkBatch, undefined> {
  const base = root.endsWith("/") || root.endsWith(SEPARATOR) ? root : root + SEPARATOR;
  const batches = walkBatches(options.known);
  /** Still to be read, relative to the root, with `/` at the end; the root is empty. */
  const folders = [""];
  const { seed = 0, folders: knownFolders = null } = options.known ?? {};
  const stampOf = knownFolders === null ? null : folderStamps(base, disk, seed, knownFolders);

  /** Null, and noted, where the folder cannot be read. */
  async function entriesOf(folder: string): Promise<readonly Deno.DirEntry[] | null> {
    try {
      return await disk.entries(base + folder);
    } catch (error) {
      if (folder === "") throw error;
      batches.addUnreadable(folder.slice(0, -1), whyUnreadable(folder.slice(0, -1), error));
      return null;
    }
  }

  async function takeEntry(folder: string, { name, isDirectory, isFile }: Deno.DirEntry): Promise<void> {
    const path = folder + name;
    if (isDirectory && name === options.foldersNamed) batches.add({ path, ...NO_FACTS });
    if (options.skipHidden && name.startsWith(".")) return;
    if (SEPARATOR === "\\" && isDeviceName(name)) return batches.addUnreadable(path, DEVICE_NAME);
    if (isDirectory && options.recursive) folders.push(path + "/");
    if (isDirectory || !isFile || options.foldersNamed !== undefined) return;
    try {
      const info = await disk.look(base + path);
      if (info.isFile) batches.add(factsOf(path, info));
    } catch (error) {
      batches.addUnreadable(path, whyUnreadable(name, error));
    }
  }

  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const stamp = await stampOf?.(folder) ?? null;
    if (stamp?.isKnown) {
      batches.skipFolder(stamp.digest);
    } else {
      const entries = await entriesOf(folder);
      if (entries === null) continue;
      if (stamp !== null) batches.endStretch();
      const before = { folders: folders.length, unreadable: batches.unreadable() };
      for (const entry of entries) {
        await takeEntry(folder, entry);
        if (batches.isFull()) yield batches.take();
      }
      const isLeaf = folders.length === before.folders && batches.unreadable() === before.unreadable;
      if (stamp !== null) batches.endFolder(isLeaf && stamp.hasRested ? stamp.digest : null);
    }
    if (batches.isFull()) yield batches.take();
  }
  if (batches.end()) yield batches.take();
}

/**
 * Tells, before a folder is read, whether it need not be; null where its times tell nothing. On one file system only: another may be mounted
 * below the root, of a kind whose folders do not tell. A folder in which something happened lately is read whole each time: its images are those
 * that are still written to, and ctimes are told in whole seconds.
 */
function folderStamps(base: string, disk: Disk, seed: number, known: ReadonlySet<string>) {
  let device: number | null = null;
  let asked = 0;
  return async (folder: string) => {
    if (asked >= MOST_FOLDERS) return null;
    asked += 1;
    const now = disk.now();
    const info = await Promise.resolve(disk.look(base + folder)).catch(() => null);
    if (info === null || !info.isDirectory) return null;
    device ??= info.dev;
    if (info.dev !== device) return null;
    const facts = factsOf(folder, info);
    const stamp = walkDigest(seed);
    stamp.add(facts);
    const digest = `folder/${stamp.take()}`;
    const hasRested = facts.ctimeMs > 0 && now - facts.ctimeMs > RACY_MS && now - facts.mtimeMs > LATELY_MS;
    return { digest, isKnown: known.has(digest), hasRested };
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

/** The batch that is being filled. Without `known` nothing has a digest. */
function walkBatches(known: FormerWalks | undefined) {
  const digest = known === undefined ? null : walkDigest(known.seed);
  let files: FileFacts[] = [];
  let unreadable: { path: string; reason: string }[] = [];
  let stretches: Stretch[] = [];
  let unreadableInAll = 0;
  /** Where the stretch begins in `files`, and whether it is of the same folder as the one before. */
  let start = 0;
  let goneOn = false;

  const end = (goesOn: boolean, folder?: string) => {
    if (digest === null || known === undefined) return;
    const own = digest.take();
    if (known.digests.has(own)) files.length = start;
    stretches.push({ digest: own, files: files.length - start, goesOn, ...(folder === undefined ? {} : { folder }) });
    start = files.length;
    goneOn = goesOn;
  };
  /** The next files belong to another folder. */
  const endStretch = () => files.length > start || goneOn ? end(false) : undefined;

  return {
    add(file: FileFacts): void {
      files.push(file);
      if (digest !== null && (digest.add(file) || files.length - start >= BATCH)) end(true);
    },
    addUnreadable(path: string, reason: string | null): void {
      if (reason === null) return;
      unreadableInAll += 1;
      unreadable.push({ path, reason });
    },
    unreadable: () => unreadableInAll,
    endStretch,
    /** All files of a folder of its own stretches were added; its digest, if it need not be read the next time. */
    endFolder: (folder: string | null) => end(false, folder ?? undefined),
    /** The folder with this digest is known: it was not read. */
    skipFolder(folder: string): void {
      endStretch();
      stretches.push({ digest: folder, files: 0, goesOn: false });
    },
    // A stretch is never divided.
    isFull: () =>
      unreadable.length >= BATCH || stretches.length >= STRETCHES ||
      (files.length >= BATCH && (digest === null || files.length === start)),
    /** Ends the last stretch; whether there is a batch to be taken. */
    end(): boolean {
      endStretch();
      return files.length + unreadable.length + stretches.length > 0;
    },
    take(): WalkBatch {
      // What is open belongs to the next batch.
      const open = digest === null ? [] : files.splice(start);
      const batch = { files, unreadable, ...(digest === null ? {} : { stretches }) };
      [files, unreadable, stretches, start] = [open, [], [], 0];
      return batch;
    },
  };
}

/**
 * The digest of one stretch after the other: 64 bits over all that is known of its files. With another seed the digests are others, so nobody who
 * chooses names can foresee them.
 */
export function walkDigest(seed: number) {
  let count = 0;
  let a = seed | 0;
  let b = ~seed | 0;
  const mix = (value: number) => {
    a = Math.imul(a ^ value, 0x01000193);
    b = Math.imul(b ^ value, 0x85ebca6b) ^ (b >>> 15);
  };
  const mixNumber = (value: number) => {
    mix(value | 0);
    mix((value / 2 ** 32) | 0);
  };
  const mixText = (text: string) => {
    for (let at = 0; at < text.length; at++) mix(text.charCodeAt(at));
    mix(text.length);
  };
  return {
    /**
     * One file more. True if the stretch should end here: the names of the files alone decide, so a file more or less in the
     * tree changes one stretch, not all those after it.
     */
    add({ path, size, mtimeMs, ctimeMs, identity }: FileFacts): boolean {
      count += 1;
      mixText(path);
      mixNumber(size);
      mixNumber(Math.trunc(mtimeMs));
      mixNumber(Math.trunc(ctimeMs));
      mixText(identity);
      let hash = 0;
      for (let at = Math.max(0, path.length - 12); at < path.length; at++) {
        hash = Math.imul(hash ^ path.charCodeAt(at), 0x9e3779b1) ^ (hash >>> 13);
      }
      return (hash >>> 8) % FILES_ON_AVERAGE === 0;
    },
    take(): string {
      const digest = `${count}/${a >>> 0}/${b >>> 0}`;
      [count, a, b] = [0, seed | 0, ~seed | 0];
      return digest;
    },
  };
}

/**
 * True for `CON`, `aux.fits`, `name.` and the like, as one part of a path. Windows takes them for a device, or shortens them, in every
 * folder, so it cannot open a file of that name that was made on a share or by another system.
 */
export function isDeviceName(name: string): boolean {
  return DEVICE.test(name) || /[. ]$/.test(name);
}

const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])( *\..*)?$/i;
