/**
 * Locks that are released when their process ends, however it ends: of a file, of a folder, and of the state directory, which only one
 * daemon or `run --once` may use at a time.
 *
 * @module
 */
import { join } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { clock } from "../host/clock.ts";
import type { System } from "../system.ts";
import { identityOf } from "./path_facts.ts";

/** Holds the exclusive lock of the file (made when missing, never removed) until disposed of; null when someone holds it. */
export async function lock(path: string): Promise<AsyncDisposable | null> {
  while (true) {
    const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
    let held = false;
    try {
      held = await file.tryLock(true);
      if (!held) return null;
      // Someone removed the file between opening and locking: a lock on the removed file excludes nobody.
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
 * network drives), everybody gets it.
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

/** Makes the directory if needed. Null if another process holds it. @throws {Failure} `configuration` if it cannot be used. */
export async function lockState(folder: string, system: Pick<System, "makeFolder" | "lock">): Promise<AsyncDisposable | null> {
  try {
    await system.makeFolder(folder, 0o700);
    return await system.lock(join(folder, "lock"));
  } catch (cause) {
    throw unusableState(folder, cause);
  }
}

/** The failure of a state directory that cannot be written to. */
export function unusableState(folder: string, cause: unknown): Failure {
  return new Failure("configuration", `Cannot use the state directory "${folder}": ${reasonOf(cause)}`, {
    hint: "Make it writable for this account, or choose another one with state_directory.",
    cause,
  });
}
