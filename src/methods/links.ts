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
  /** Makes a link for each upload of the lot, named like its staged name, in `<folder>/<below>` where `below` is given. */
  fill(lot: Lot, below?: string): Promise<void>;
}

/** Uploads that go to the same folder; `index` is a upload's place in the batch, `name` that of its link. */
export interface Lot {
  /** The remote folder, relative to the base path. */
  readonly staging: string;
  readonly uploads: readonly { readonly upload: Upload; readonly index: number; readonly name: string }[];
}

/** The uploads by their staging folder, nearly always one. */
export function lotsOf(uploads: readonly Upload[]): Lot[] {
  const lots = new Map<string, { upload: Upload; index: number; name: string }[]>();
  uploads.forEach((upload, index) => {
    const slash = upload.staged.lastIndexOf("/");
    const staging = upload.staged.slice(0, slash);
    const lot = lots.get(staging) ?? [];
    lot.push({ upload, index, name: upload.staged.slice(slash + 1) });
    lots.set(staging, lot);
  });
  return [...lots].map(([staging, uploads]) => ({ staging, uploads }));
}

/** Makes the folder. @throws {Failure} `local_disk_full`, or what else keeps us from writing in our own folder. */
export async function makeLinks({ system, workFolder }: MethodContext): Promise<Links> {
  const folder = join(workFolder, crypto.randomUUID().slice(0, 13));
  const refuse = (cause: unknown) => refusal(cause, workFolder);
  await system.makeFolder(folder, 0o700).catch(refuse);
  return {
    folder,
    async fill({ uploads }, below) {
      const into = below === undefined ? folder : join(folder, below);
      if (below !== undefined) await system.makeFolder(into, 0o700).catch(refuse);
      await mapLimit(uploads, 16, ({ upload, name }) => link(upload.source.absolutePath, join(into, name), system)).catch(refuse);
    },
    [Symbol.asyncDispose]: () => system.removeTree(folder),
  };
}

/** Makes a folder with the links of a lot. @throws {Failure} as {@linkcode makeLinks} */
export async function linkLot(lot: Lot, context: MethodContext): Promise<Links> {
  const links = await makeLinks(context);
  try {
    await links.fill(lot);
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
