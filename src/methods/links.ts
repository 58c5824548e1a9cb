/**
 * A folder of symlinks with safe names to the sources of a batch. So rsync and scp see neither a hostile name nor a
 * name they would have to change on the way; they follow the links.
 *
 * @module
 */
import { join } from "@std/path";
import { Failure } from "../domain/failure.ts";
import { faultOf } from "../system/fault.ts";
import { mapLimit } from "../async/map_limit.ts";
import type { MethodContext, Upload } from "./method.ts";

/** A folder of our own for links; gone when disposed of. */
export interface Links extends AsyncDisposable {
  readonly folder: string;
  /** Makes a link for each upload, named like its staged name, in `<folder>/<below>` where `below` is given. */
  fill(uploads: readonly Upload[], below?: string): Promise<void>;
}

/** Of all of them. */
export function bytesOf(uploads: readonly Pick<Upload, "source">[]): number {
  return uploads.reduce((sum, { source }) => sum + source.size, 0);
}

/** The folder, relative to the base path, that holds the staged names of a batch. */
export function stagingOf(uploads: readonly Pick<Upload, "staged">[]): string {
  const { staged } = uploads[0]!;
  return staged.slice(0, staged.lastIndexOf("/"));
}

/** The name in that folder, and of the link. */
export function linkName({ staged }: Pick<Upload, "staged">): string {
  return staged.slice(staged.lastIndexOf("/") + 1);
}

/** Makes the folder. @throws {Failure} `local_disk_full`, or what else keeps us from writing in our own folder. */
export async function makeLinks({ system, workFolder }: MethodContext): Promise<Links> {
  const folder = join(workFolder, crypto.randomUUID().slice(0, 13));
  const refuse = (cause: unknown) => refusal(cause, workFolder);
  await system.makeFolder(folder, 0o700).catch(refuse);
  return {
    folder,
    async fill(uploads, below) {
      const into = below === undefined ? folder : join(folder, below);
      if (below !== undefined) await system.makeFolder(into, 0o700).catch(refuse);
      await mapLimit(uploads, 16, (upload) => link(upload.source.absolutePath, join(into, linkName(upload)), system)).catch(
        refuse,
      );
    },
    [Symbol.asyncDispose]: () => system.removeTree(folder),
  };
}

/** Makes a folder with these links. @throws {Failure} as {@linkcode makeLinks} */
export async function linkUploads(uploads: readonly Upload[], context: MethodContext): Promise<Links> {
  const links = await makeLinks(context);
  try {
    await links.fill(uploads);
    return links;
  } catch (error) {
    await links[Symbol.asyncDispose]();
    throw error;
  }
}

/** Windows lets only administrators make symlinks: there it is a second name, or a copy where the source is on another disk. */
async function link(source: string, name: string, system: MethodContext["system"]): Promise<void> {
  if (system.platform !== "windows") return await system.symlink(source, name);
  try {
    await system.link(source, name);
  } catch (error) {
    if (!["cross_device", "unsupported", "permission"].includes(faultOf(error))) throw error;
    await system.copy(source, name, {}, new AbortController().signal);
  }
}

function refusal(cause: unknown, folder: string): never {
  const full = faultOf(cause) === "no_space";
  throw new Failure(full ? "local_disk_full" : "configuration", `Cannot prepare a batch in "${folder}" on this computer`, {
    hint: full ? "Free space on the disk of state_directory." : "Check state_directory: its disk must allow symlinks.",
    next: "hold",
    cause,
  });
}
