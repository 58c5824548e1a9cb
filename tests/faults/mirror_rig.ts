/** A daemon with a mirror for tests: one job with a local destination, and what lies where. */
import { dataToNas } from "../support/daemon_process.ts";
import { until } from "../support/until.ts";
import { fitsFile } from "../support/fits_maker.ts";

/** Folders `data` and `nas`; nothing runs yet. */
export async function mirrorRig(changes: Record<string, unknown> = {}, env: Record<string, string> = {}) {
  const quick = { retry_delay: 0.1, rescan_interval: "2s", delete_destination_files: true };
  const { folder, program } = await dataToNas({ ...quick, ...changes }, env);
  return {
    folder,
    program,
    /** Writes images of these names; the same seed makes the same image. */
    async write(names: readonly string[], seed = 1) {
      for (const [index, name] of names.entries()) await folder.write(`data/${name}`, fitsFile(3000, seed + index));
    },
    remove: (...names: string[]) => Promise.all(names.map((name) => Deno.remove(folder.at("data", name), { recursive: true }))),
    /** What is at the destination, without our own folders. */
    shown: () => filesBelow(folder.at("nas")).filter((path) => !path.startsWith(".image-transfer")),
    /** What is in the trash, under the names that it had. */
    trashed: () =>
      filesBelow(folder.at("nas")).filter((path) => path.startsWith(".image-transfer-trash/"))
        .map((path) => path.split("/").slice(2).join("/")).sort(),
    /** Waits until it is so. */
    until: (isSo: () => boolean | Promise<boolean>, what: string, seconds = 40) => until(isSo, what, seconds, program.log),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Paths of all files below a folder, sorted; none where it is not there. */
export function filesBelow(folder: string, below = ""): string[] {
  try {
    return [...Deno.readDirSync(`${folder}/${below}`)].flatMap(({ name, isDirectory }) =>
      isDirectory ? filesBelow(folder, `${below}${name}/`) : [below + name]
    ).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
