/**
 * What must survive a power cut: flushing files and folders to their disk, and replacing a small file so that readers see the old or the
 * new text.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { writeAll } from "./copy.ts";

/** fsync; a no-op for folders on Windows, which has none. File systems that cannot sync folders are ignored. */
export async function sync(path: string): Promise<void> {
  if (Deno.build.os === "windows") {
    if ((await Deno.lstat(path)).isDirectory) return;
    using file = await Deno.open(path, { read: true, write: true });
    return await file.sync();
  }
  using file = await Deno.open(path);
  try {
    await file.sync();
  } catch (error) {
    // Some network and user-space file systems refuse fsync on a folder with EINVAL: nothing more can be done.
    if (!isRefused(error) || !(await Deno.lstat(path)).isDirectory) throw error;
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && "code" in error &&
    (error.code === "EINVAL" || error.code === "ENOTSUP" || error.code === "ENOSYS");
}

/** Writes by temporary file (`.image-transfer-*` beside it), fsync and rename. `mode` does not exist on Windows. */
export async function writeText(path: string, text: string, mode?: number): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.image-transfer-${crypto.randomUUID()}`);
  try {
    {
      using file = await Deno.open(temporary, { write: true, createNew: true, ...(mode === undefined ? {} : { mode }) });
      // Before the text is in it: a secret is never readable for others, whatever the umask.
      if (mode !== undefined && Deno.build.os !== "windows") await Deno.chmod(temporary, mode);
      await writeAll(file, new TextEncoder().encode(text));
      await file.sync();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => undefined);
    throw error;
  }
  await sync(folder);
}
