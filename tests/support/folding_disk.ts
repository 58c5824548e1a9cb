/**
 * A file system that takes names for one that differ in the case of letters or in the composition of accents only, as those of macOS
 * and Windows do. FUSE, in Python, as few kernels can be had with such a one; needs root.
 */

/** Mounts it at a folder that is made for it; what it holds lies in `backing`. */
export async function mountFoldingDisk(backing: string, path: string): Promise<AsyncDisposable> {
  for (const folder of [backing, path]) await Deno.mkdir(folder, { recursive: true });
  const args = ["-c", PROGRAM, backing, path];
  const child = new Deno.Command("/usr/bin/python3", { args, stdin: "null", stdout: "null", stderr: "inherit" }).spawn();
  const mounted = async () => (await Deno.readTextFile("/proc/self/mounts")).includes(` ${path} fuse`);
  for (let tries = 0; !await mounted(); tries++) {
    if (tries > 500) throw new Error("the folding disk does not come up");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    async [Symbol.asyncDispose]() {
      await new Deno.Command("umount", { args: ["-l", path], stderr: "null" }).output();
      await child.status;
    },
  };
}

const PROGRAM = String.raw`
import errno, os, sys, unicodedata
from fusepy import FUSE, FuseOSError, Operations

def fold(name):
    return unicodedata.normalize("NFC", name).casefold()

class Folding(Operations):
    def __init__(self, root):
        self.root = root

    def real(self, path):
        at = self.root
        for part in [part for part in path.split("/") if part]:
            try:
                found = next((name for name in os.listdir(at) if fold(name) == fold(part)), part)
            except (FileNotFoundError, NotADirectoryError):
                found = part
            at = os.path.join(at, found)
        return at

    def new(self, path):
        folder, name = os.path.split(path)
        if os.path.lexists(self.real(path)):
            raise FuseOSError(errno.EEXIST)
        return os.path.join(self.real(folder), name)

    def __call__(self, op, path, *args):
        try:
            return getattr(self, op)(path, *args)
        except OSError as error:
            raise FuseOSError(error.errno)

    def getattr(self, path, fh=None):
        st = os.lstat(self.real(path))
        keys = ("st_atime", "st_ctime", "st_gid", "st_ino", "st_mode", "st_mtime", "st_nlink", "st_size", "st_uid")
        return {key: getattr(st, key) for key in keys}

    def access(self, path, mode):
        return 0

    def readdir(self, path, fh):
        return [".", ".."] + os.listdir(self.real(path))

    def readlink(self, path):
        return os.readlink(self.real(path))

    def mkdir(self, path, mode):
        os.mkdir(self.new(path), mode)

    def rmdir(self, path):
        os.rmdir(self.real(path))

    def unlink(self, path):
        os.unlink(self.real(path))

    def symlink(self, path, target):
        os.symlink(target, self.new(path))

    def link(self, path, source):
        os.link(self.real(source), self.new(path))

    def rename(self, old, new):
        source, there = self.real(old), self.real(new)
        os.rename(source, there)
        os.rename(there, os.path.join(os.path.dirname(there), os.path.basename(new)))

    def chmod(self, path, mode):
        os.chmod(self.real(path), mode)

    def chown(self, path, uid, gid):
        os.chown(self.real(path), uid, gid)

    def utimens(self, path, times=None):
        os.utime(self.real(path), times)

    def statfs(self, path):
        st = os.statvfs(self.real(path))
        keys = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_flag", "f_frsize", "f_namemax")
        return {key: getattr(st, key) for key in keys}

    def create(self, path, mode, fi=None):
        return os.open(self.new(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def open(self, path, flags):
        return os.open(self.real(path), flags & ~(os.O_CREAT | os.O_EXCL))

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(self.real(path), length)

    def fsync(self, path, datasync, fh):
        os.fsync(fh)

    def fsyncdir(self, path, datasync, fh):
        return 0

    def release(self, path, fh):
        os.close(fh)

FUSE(Folding(sys.argv[1]), sys.argv[2], foreground=True, nothreads=True, use_ino=True, hard_remove=True,
     attr_timeout=0, entry_timeout=0, default_permissions=True)
`;
