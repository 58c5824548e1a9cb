/**
 * Finds programs on the PATH.
 *
 * @module
 */
import { isAbsolute, join } from "@std/path";
import { clock } from "../host/clock.ts";

const WINDOWS = Deno.build.os === "windows";

/**
 * The absolute path of a program that may be executed, or null. On Windows only `.exe` and `.com`: never a script. What was found is
 * not looked for again for a minute.
 */
export async function which(program: string): Promise<string | null> {
  const known = found.get(keyOf(program));
  if (known !== undefined && clock.monotonic() - known.at < REMEMBERED_MS) return known.path;
  const path = await look(program);
  if (path !== null) found.set(keyOf(program), { path, at: clock.monotonic() });
  return path;
}

/** It could not be started where it was found. */
export function forget(program: string): void {
  found.delete(keyOf(program));
}

const found = new Map<string, { readonly path: string; readonly at: number }>();
const keyOf = (program: string) => `${Deno.env.get("PATH") ?? ""}\0${program}`;
const REMEMBERED_MS = 60_000;

async function look(program: string): Promise<string | null> {
  const names = WINDOWS && !/\.(exe|com)$/i.test(program) ? [`${program}.exe`, `${program}.com`] : [program];
  const folders = isAbsolute(program) ? [""] : (Deno.env.get("PATH") ?? "").split(WINDOWS ? ";" : ":");
  if (!isAbsolute(program) && /[/\\]/.test(program)) return null;
  for (const folder of folders) {
    // An empty or relative entry of the PATH means the current folder, which may hold anything.
    if (!isAbsolute(program) && !isAbsolute(folder)) continue;
    for (const name of names) {
      const path = folder === "" ? name : join(folder, name);
      if (await isProgram(path)) return path;
    }
  }
  return null;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    const { isFile, mode } = await Deno.stat(path);
    return isFile && (WINDOWS || mode === null || (mode & 0o111) !== 0);
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}
