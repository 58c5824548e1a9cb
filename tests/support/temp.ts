/** A temporary folder of one test: `await using dir = await tempFolder();`. It goes with the test, whatever is in it. */
import { dirname, join } from "@std/path";

/** A folder that is removed when it is disposed of. */
export interface TempFolder extends AsyncDisposable {
  /** Absolute, symlinks resolved (as on macOS, where `/tmp` is one). */
  readonly path: string;
  /** The absolute path of something in it. */
  at(...parts: string[]): string;
  /** Writes a file, making its folders; gives its absolute path. */
  write(name: string, content: string | Uint8Array): Promise<string>;
  /** The text of a file in it. */
  read(name: string): Promise<string>;
}

/** Makes an empty folder below the system's place for temporary files, or below `parent`. */
export async function tempFolder(parent?: string): Promise<TempFolder> {
  const options = parent === undefined ? { prefix: "it-test-" } : { prefix: "it-test-", dir: parent };
  const path = await Deno.realPath(await Deno.makeTempDir(options));
  const at = (...parts: string[]) => join(path, ...parts);
  return {
    path,
    at,
    async write(name, content) {
      const file = at(name);
      await Deno.mkdir(dirname(file), { recursive: true });
      await Deno.writeFile(file, typeof content === "string" ? new TextEncoder().encode(content) : content);
      return file;
    },
    read: (name) => Deno.readTextFile(at(name)),
    async [Symbol.asyncDispose]() {
      await removeStubbornly(path);
    },
  };
}

/** Removes a tree even where a test took rights away from folders in it, or a dying child still writes. */
async function removeStubbornly(path: string): Promise<void> {
  for (let attempt = 0;; attempt++) {
    try {
      return await Deno.remove(path, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (attempt === 20) throw error;
      if (error instanceof Deno.errors.PermissionDenied && Deno.build.os !== "windows") await giveRightsBack(path);
      else await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function giveRightsBack(folder: string): Promise<void> {
  await Deno.chmod(folder, 0o700);
  for await (const entry of Deno.readDir(folder)) if (entry.isDirectory) await giveRightsBack(join(folder, entry.name));
}
