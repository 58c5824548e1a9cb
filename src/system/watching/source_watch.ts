/**
 * Tells whether the watched folder is away: missing, or another folder shows through because its disk is not mounted.
 * Then no file of it is known to be gone.
 *
 * @module
 */
import { dirname } from "@std/path";
import type { Files } from "../system.ts";

/** The watch of one folder; what it finds at the first call is taken for right. */
export function sourceWatch(folder: string, system: Pick<Files, "followedFacts">): () => Promise<boolean> {
  let known: { readonly device: string; readonly mount: string } | null = null;
  return async () => {
    const facts = await system.followedFacts(folder);
    if (facts === null) return true;
    if (known?.device === facts.device) return false;
    // A disk that was plugged in again may have another number: where it is mounted tells.
    const mount = await mountPoint(folder, facts.device, system);
    // Mounted nearer to the folder than before is a disk that was not there yet at the first call.
    if (known !== null && mount.length < known.mount.length) return true;
    known = { device: facts.device, mount };
    return false;
  };
}

/** The highest folder on the way up that is on the same device. */
async function mountPoint(folder: string, device: string, system: Pick<Files, "followedFacts">): Promise<string> {
  for (let path = folder;;) {
    const parent = dirname(path);
    if (parent === path || (await system.followedFacts(parent))?.device !== device) return path;
    path = parent;
  }
}
