/**
 * A write() that stalls in its middle: it copies from a map of a file on FUSE that gives its second half late. The times of the file
 * that it writes are set when the call begins, and no event comes before it ends.
 */

/** Where the contents of stalled writes come from. */
export interface StallingDisk extends AsyncDisposable {
  /**
   * Writes a file as one program does that thinks again: `first`, then after `pauseMs`, in place and with one call, what `backing` holds by
   * this name. Resolves when the file is closed.
   */
  writeTwice(path: string, first: string, name: string, pauseMs: number): Promise<void>;
}

/** Mounts the files of `backing` at a folder that is made for it; the second half of each takes `seconds`. Needs `fuse`. */
export async function mountStallingDisk(backing: string, path: string, seconds: number): Promise<StallingDisk> {
  await Deno.mkdir(path, { recursive: true });
  const disk = python(DISK, backing, path, String(seconds)).spawn();
  const mounted = async () => (await Deno.readTextFile("/proc/self/mounts")).includes(` ${path} fuse`);
  for (let tries = 0; !await mounted(); tries++) {
    if (tries > 500) throw new Error("the stalling disk does not come up");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    async writeTwice(target, first, name, pauseMs) {
      const { success } = await python(WRITER, first, target, String(pauseMs / 1000), `${path}/${name}`).spawn().status;
      if (!success) throw new Error("a stalled write failed");
    },
    async [Symbol.asyncDispose]() {
      await new Deno.Command("umount", { args: ["-l", path], stderr: "null" }).output();
      await disk.status;
    },
  };
}

function python(program: string, ...args: string[]): Deno.Command {
  return new Deno.Command("/usr/bin/python3", {
    args: ["-c", program, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  });
}

const WRITER = String.raw`
import mmap, sys, time
_, first, to, pause, second = sys.argv
first, second = open(first, "rb").read(), open(second, "rb")
second = mmap.mmap(second.fileno(), 0, access=mmap.ACCESS_READ)
second[:len(second) // 4]  # in memory: so much is written at once
with open(to, "wb", buffering=0) as file: file.write(first)
time.sleep(float(pause))
with open(to, "r+b", buffering=0) as file: file.write(second)
`;

const DISK = String.raw`
import os, stat, sys, time
from fusepy import FUSE, Operations

class Stalling(Operations):
    def __init__(self, root, seconds):
        self.root, self.seconds = root, seconds

    def getattr(self, path, fh=None):
        st = os.lstat(self.root + path)
        return {"st_mode": st.st_mode, "st_size": st.st_size, "st_nlink": 1}

    def read(self, path, size, offset, fh):
        with open(self.root + path, "rb") as file:
            middle = os.fstat(file.fileno()).st_size / 2
            if offset <= middle < offset + size: time.sleep(self.seconds)
            return os.pread(file.fileno(), size, offset)

FUSE(Stalling(sys.argv[1], float(sys.argv[3])), sys.argv[2], foreground=True)
`;
