/** A small file system in memory that can be full, grow, and become read-only. Needs root on Linux. */

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

/** A disk with ext4, which the kernel makes read-only when `fail` has it find an error, as a dying disk does. Needs root and loop devices. */
export async function mountFailingDisk(
  path: string,
): Promise<AsyncDisposable & { readonly path: string; fail(): Promise<void> }> {
  const image = `${path}.img`;
  await Deno.mkdir(path);
  await run("truncate", "-s", "24M", image);
  await run("mkfs.ext4", "-q", "-F", image);
  await run("mount", "-o", "loop,errors=remount-ro", image, path);
  const { stdout } = await new Deno.Command("findmnt", { args: ["-no", "SOURCE", path], stdin: "null" }).output();
  const device = new TextDecoder().decode(stdout).trim().split("/").at(-1);
  return {
    path,
    fail: () => Deno.writeTextFile(`/sys/fs/ext4/${device}/trigger_fs_error`, "1"),
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
