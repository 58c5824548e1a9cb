/**
 * The walk itself, through a tree on whatever disk. The Worker of the walk bundles it: import nothing heavy here.
 *
 * @module
 */
import type { FileFacts } from "../../domain/source_file.ts";
import { DEVICE_NAME, isDeviceName, NOT_UTF8 } from "./unusable_names.ts";
import { identityOf, timeOf } from "./path_facts.ts";
import type { WalkBatch, WalkOptions } from "../system.ts";
import { walkDigest } from "./walk_digest.ts";

/** Synchronous in a Worker, where that is ten times as fast. */
export interface Disk {
  entries(folder: string): readonly Deno.DirEntry[] | Promise<readonly Deno.DirEntry[]>;
  look(path: string): Deno.FileInfo | Promise<Deno.FileInfo>;
}

/** Batch after batch. @throws where the root itself cannot be read. */
export async function* walkTree(root: string, options: WalkOptions, disk: Disk): AsyncGenerator<WalkBatch, undefined> {
  const separator = Deno.build.os === "windows" ? "\\" : "/";
  const base = root.endsWith("/") || root.endsWith(separator) ? root : root + separator;
  const folders = [""];
  let files: FileFacts[] = [];
  let unreadable: { path: string; reason: string }[] = [];
  const { known } = options;
  const digest = known === undefined ? null : walkDigest(known.seed);
  const take = (): WalkBatch => {
    const batch = { files, unreadable };
    [files, unreadable] = [[], []];
    if (known === undefined || digest === null) return batch;
    const own = digest.take();
    return { ...batch, digest: own, ...(known.digests.has(own) ? { files: [] } : {}) };
  };

  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    let entries: readonly Deno.DirEntry[];
    try {
      entries = await disk.entries(base + folder);
    } catch (error) {
      if (folder === "") throw error;
      const reason = whyUnreadable(folder.slice(0, -1), error);
      if (reason !== null) unreadable.push({ path: folder.slice(0, -1), reason });
      continue;
    }
    for (const { name, isDirectory, isFile } of entries) {
      if (isDirectory && name === options.foldersNamed) files.push({ path: folder + name, ...NO_FACTS });
      if (options.skipHidden && name.startsWith(".")) continue;
      const path = folder + name;
      if (separator === "\\" && isDeviceName(name)) {
        unreadable.push({ path, reason: DEVICE_NAME });
        continue;
      }
      if (isDirectory) {
        if (options.recursive) folders.push(path + "/");
        continue;
      }
      if (!isFile || options.foldersNamed !== undefined) continue;
      let isEnd = false;
      try {
        const info = await disk.look(base + path);
        if (!info.isFile) continue;
        const facts = factsOf(path, info);
        files.push(facts);
        isEnd = digest?.add(facts) ?? false;
      } catch (error) {
        const reason = whyUnreadable(name, error);
        if (reason !== null) unreadable.push({ path, reason });
      }
      if (isEnd || files.length + unreadable.length >= BATCH) yield take();
    }
  }
  if (files.length + unreadable.length > 0) yield take();
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

const BATCH = 2_000;
const NO_FACTS = { size: 0, mtimeMs: 0, ctimeMs: 0, identity: "" };
