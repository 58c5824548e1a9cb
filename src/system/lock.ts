/**
 * A lock that dies with its process, however that ends.
 *
 * @module
 */
import { identityOf } from "./path_facts.ts";

/** Holds the exclusive lock of the file (made when missing, never removed) until disposed of; null when someone holds it. */
export async function lock(path: string): Promise<AsyncDisposable | null> {
  while (true) {
    const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
    let held = false;
    try {
      held = await file.tryLock(true);
      if (!held) return null;
      // Someone removed the file between opening and locking: a lock on that one excludes nobody.
      if (!await isStillThere(file, path)) {
        held = false;
        continue;
      }
      return { [Symbol.asyncDispose]: () => Promise.resolve(file.close()) };
    } finally {
      if (!held) file.close();
    }
  }
}

async function isStillThere(file: Deno.FsFile, path: string): Promise<boolean> {
  try {
    return identityOf(await file.stat()) === identityOf(await Deno.stat(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
