/**
 * Flushes a file or a folder to its disk.
 *
 * @module
 */

/** fsync; a no-op for folders on Windows, which has none. File systems that cannot sync folders are taken as done. */
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
    // Some network and user-space file systems refuse fsync on a folder with EINVAL: there is nothing more to do there.
    if (!isRefused(error) || !(await Deno.lstat(path)).isDirectory) throw error;
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && "code" in error &&
    (error.code === "EINVAL" || error.code === "ENOTSUP" || error.code === "ENOSYS");
}
