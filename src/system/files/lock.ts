/**
 * A lock that dies with its process, however that ends.
 *
 * @module
 */
import { clock } from "../host/clock.ts";
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

/**
 * Waits for the exclusive lock of a folder, which programs in perl and `flock` know too. Where there are no such locks (Windows, some
 * network drives) it is held by whoever asks.
 */
export async function lockFolder(path: string, signal: AbortSignal): Promise<AsyncDisposable> {
  if (Deno.build.os === "windows") return { [Symbol.asyncDispose]: () => Promise.resolve() };
  const file = await Deno.open(path);
  const held = { [Symbol.asyncDispose]: () => Promise.resolve(file.close()) };
  try {
    while (!await file.tryLock(true)) {
      await clock.sleep(AGAIN_MS, signal);
      signal.throwIfAborted();
    }
  } catch (error) {
    if (!signal.aborted) return held;
    file.close();
    throw error;
  }
  return held;
}

const AGAIN_MS = 5;

async function isStillThere(file: Deno.FsFile, path: string): Promise<boolean> {
  try {
    return identityOf(await file.stat()) === identityOf(await Deno.stat(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
