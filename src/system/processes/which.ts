/**
 * Finds programs on the PATH.
 *
 * @module
 */
import { isAbsolute, join } from "@std/path";

const WINDOWS = Deno.build.os === "windows";

/** The absolute path of a program that may be executed, or null. On Windows only `.exe` and `.com`: never a script. */
export async function which(program: string): Promise<string | null> {
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
