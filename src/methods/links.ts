/**
 * A folder of symlinks with safe names to the sources of a batch. So rsync and scp see neither a hostile name nor a
 * name they would have to change on the way; they follow the links.
 */
import { folderOf, lastPart } from "../domain/names/file_name.ts";
import { CAUSES, failure } from "../domain/causes.ts";
import { dirname, join } from "@std/path";
import { faultOf } from "../system/fault.ts";
import { mapLimit } from "../async/map_limit.ts";
import type { System } from "../system/system.ts";
import { wayTo } from "../system/way_to.ts";
import type { MethodContext, Upload } from "./method.ts";

/** A folder of our own for links; gone when disposed of. */
export interface Links extends AsyncDisposable {
  readonly folder: string;
  /**
   * Makes a link for each upload, named like its staged name, in `<folder>/<below>` where `below` is given. A program opens what it is given by its
   * path, at any time: so where other accounts may exchange what leads to a source, it is given a copy of what we have opened.
   */
  fill(uploads: readonly Upload[], signal: AbortSignal, below?: string): Promise<void>;
}

/** Of all of them. */
export function bytesOf(uploads: readonly Pick<Upload, "source">[]): number {
  return uploads.reduce((sum, { source }) => sum + source.size, 0);
}

/** The folder, relative to the base path, that holds the staged names of a batch. */
export function stagingOf(uploads: readonly Pick<Upload, "staged">[]): string {
  return folderOf(uploads[0]!.staged);
}

/** The name in that folder, and of the link. */
export function linkName({ staged }: Pick<Upload, "staged">): string {
  return lastPart(staged);
}

/** Makes the folder. @throws {Failure} `local_disk_full`, or what else keeps us from writing in our own folder. */
export async function makeLinks({ system, workFolder, diskFolder = workFolder }: MethodContext): Promise<Links> {
  const name = system.randomHex(6);
  const [folder, copies] = [join(workFolder, name), join(diskFolder, `${name}.copies`)];
  const refuse = (cause: unknown) => refusal(cause, workFolder);
  await system.makeFolder(folder, 0o700).catch(refuse);
  return {
    folder,
    async fill(uploads, signal, below) {
      const into = below === undefined ? folder : join(folder, below);
      if (below !== undefined) await system.makeFolder(into, 0o700).catch(refuse);
      const exposed = await exposedUploads(uploads, system);
      const inMemory = bytesOf([...exposed]) <= IN_MEMORY_BYTES;
      if (!inMemory) await system.makeFolder(copies, 0o700).catch(refuse);
      await mapLimit(uploads, 16, async (upload) => {
        const name = linkName(upload);
        if (!exposed.has(upload)) return await link(upload.source.absolutePath, join(into, name), system);
        const isCopied = await copy(upload, join(inMemory ? into : copies, name), system, signal);
        if (isCopied && !inMemory) await system.symlink(join(copies, name), join(into, name));
      }).catch((error) => {
        signal.throwIfAborted();
        refuse(error);
      });
    },
    async [Symbol.asyncDispose]() {
      await system.removeTree(folder);
      await system.removeTree(copies);
    },
  };
}

/** Makes a folder with these links. @throws {Failure} as {@linkcode makeLinks} */
export async function linkUploads(uploads: readonly Upload[], context: MethodContext, signal: AbortSignal): Promise<Links> {
  const links = await makeLinks(context);
  try {
    await links.fill(uploads, signal);
    return links;
  } catch (error) {
    await links[Symbol.asyncDispose]();
    throw error;
  }
}

/** Those that other accounts may exchange for another file, at any moment, by a folder on the way to them. */
export async function exposedUploads(uploads: readonly Upload[], system: System): Promise<ReadonlySet<Upload>> {
  const folders = new Map<string, { readonly root: string; readonly uploads: Upload[] }>();
  for (const upload of uploads) {
    const { absolutePath, path } = upload.source;
    const folder = dirname(absolutePath);
    const here = folders.get(folder) ?? { root: absolutePath.slice(0, -path.length - 1), uploads: [] };
    here.uploads.push(upload);
    folders.set(folder, here);
  }
  const exposed = await mapLimit([...folders], 16, async ([folder, { root, uploads }]) => {
    const { exchangeable, is } = await wayTo(folder, root, system);
    return exchangeable.length > 0 || is === "elsewhere" ? uploads : [];
  });
  return new Set(exposed.flat());
}

/** Of a source as it was admitted; false, and nothing there, where it is not, or cannot be read: who looks for it finds out why. */
async function copy({ source, mode }: Upload, to: string, system: System, signal: AbortSignal): Promise<boolean> {
  try {
    await system.copy(source, to, { flush: false, most: source.size + 1 }, signal);
    await system.setMode(to, (mode ?? (await system.facts(source.absolutePath))?.mode ?? 0o600) & 0o777);
    await system.setTimes(to, source.mtimeMs);
    return true;
  } catch (error) {
    await system.remove(to);
    if (signal.aborted || ["no_space", "read_only"].includes(faultOf(error))) throw error;
    return false;
  }
}

/** Windows lets only administrators make symlinks: there it is a second name, or a copy where the source is on another disk. */
async function link(source: string, name: string, system: System): Promise<void> {
  if (system.platform !== "windows") return await system.symlink(source, name);
  try {
    await system.link(source, name);
  } catch (error) {
    if (!["cross_device", "unsupported", "permission"].includes(faultOf(error))) throw error;
    await system.copy(source, name, {}, new AbortController().signal);
  }
}

/** Most of a batch that is copied into memory. */
const IN_MEMORY_BYTES = 64 * 1024 * 1024;

function refusal(cause: unknown, folder: string): never {
  const full = faultOf(cause) === "no_space";
  const why = full ? CAUSES.batch_disk_full : CAUSES.batch_refused;
  throw failure(why, `Cannot prepare a batch in "${folder}" on this computer`, { cause });
}
