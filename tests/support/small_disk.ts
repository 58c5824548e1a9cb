/**
 * A small file system in memory that can be full, grow, and become read-only. Needs root on Linux.
 *
 * @module
 */

export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  resize(megabytes: number): Promise<void>;
  readOnly(on: boolean): Promise<void>;
  /** So many files and folders fit on it, its root being the first. */
  inodes(count: number): Promise<void>;
}

/** Mounts a tmpfs of so many MiB at a folder that is made for it. */
export async function mountSmallDisk(path: string, megabytes: number): Promise<SmallDisk> {
  await Deno.mkdir(path, { recursive: true });
  await run("mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path);
  return {
    path,
    resize: (size) => run("mount", "-o", `remount,size=${size}m`, path),
    readOnly: (on) => run("mount", "-o", on ? "remount,ro" : "remount,rw", path),
    inodes: (count) => run("mount", "-o", `remount,nr_inodes=${count}`, path),
    // Lazily: a process that is about to end may still have a file of it open.
    [Symbol.asyncDispose]: () => run("umount", "-l", path),
  };
}

/** Writes a file that takes the last byte of its disk. */
export async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  for (let size = 65536; size >= 512; size /= 2) {
    try {
      for (;;) await file.write(new Uint8Array(size));
    } catch (error) {
      if (!/No space left/.test(String(error))) throw error;
    }
  }
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
