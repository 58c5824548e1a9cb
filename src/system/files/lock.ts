/**
 * Locks that are released when their process ends, however it ends: of a file, of a folder, and of the state directory, which only one
 * daemon or `run --once` may use at a time.
 */
import { join } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { clock } from "../host/clock.ts";
import { faultOf } from "../fault.ts";
import type { Fault, Lock, System } from "../system.ts";
import { identityOf } from "./open_source.ts";

/**
 * Holds the exclusive lock of the file (made when missing, never removed) until disposed of; null when someone holds it. A link is refused:
 * its target would be made.
 */
export async function lock(path: string): Promise<Lock | null> {
  while (true) {
    const facts = await Deno.lstat(path).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    });
    if (facts?.isFile === false) throw new Error("it is not a regular file");
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
      return {
        isInPlace: () => isStillThere(file, path).catch(() => true),
        [Symbol.asyncDispose]: () => Promise.resolve(file.close()),
      };
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
export async function lockState(
  folder: string,
  system: Pick<System, "makeFolder" | "lock" | "facts">,
): Promise<Lock | null> {
  const path = join(folder, "lock");
  try {
    await system.makeFolder(folder, 0o700);
    return await system.lock(path);
  } catch (cause) {
    // A full or read-only disk is not the file's fault.
    const isThere = ABOUT_THE_FILE.has(faultOf(cause)) && await system.facts(path).catch(() => null) !== null;
    throw isThere ? unusableLock(path, cause) : unusableState(folder, cause);
  }
}

const ABOUT_THE_FILE: ReadonlySet<Fault> = new Set(["permission", "is_a_folder", "other"]);

/** The failure of a lock file that is there and cannot be locked. */
export function unusableLock(path: string, cause: unknown): Failure {
  return new Failure("configuration", `Cannot lock "${path}": ${reasonOf(cause)}`, {
    hint: "Remove that file if no daemon is running, or give this account permission to write it. The next start makes it again.",
    cause,
  });
}

/** The failure of a state directory that cannot be written to. */
export function unusableState(folder: string, cause: unknown): Failure {
  return new Failure("configuration", `Cannot use the state directory "${folder}": ${reasonOf(cause)}`, {
    hint: HINTS[faultOf(cause)] ?? "Make it writable for this account, or choose another one with state_directory.",
    cause,
  });
}

const HINTS: Partial<Readonly<Record<Fault, string>>> = {
  no_space: "Free some space on its disk.",
  read_only: "Mount its disk for writing, or choose another one with state_directory.",
  io: "Check its disk: the system log has the errors.",
};
