/**
 * Replaces a small file so that readers see the old or the new text, also after a power cut.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { writeAll } from "./copy.ts";
import { sync } from "./sync.ts";

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
