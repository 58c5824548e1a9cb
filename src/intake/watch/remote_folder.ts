/**
 * Whether a folder lies on a file system where other machines write: there events do not come, and open files
 * of others are not seen.
 *
 * @module
 */
import { anySignal } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import type { System } from "../../system/system.ts";

/** Whether other machines write there; `unknown` where it could not be told this time. */
export type Remoteness = "remote" | "local" | "unknown";

type Asked = Pick<System, "run" | "platform" | "sleep" | "realPath">;

/** Remote are NFS, SMB, FUSE and their like, and a file system that does not answer; never throws. */
export async function remotenessOf(folder: string, system: Asked): Promise<Remoteness> {
  if (system.platform === "windows" && isShare(folder)) return "remote";
  // A dead file server lets every call hang: then it is one.
  using end = anySignal();
  const kind = await within(fileSystemOf(folder, system, end.signal).catch(() => ""), PATIENCE_MS, system, null);
  if (kind === null) return "remote";
  return kind === "" ? "unknown" : isRemoteKind(kind) ? "remote" : "local";
}

/** Whether it is remote for all that is known. */
export async function isRemoteFolder(folder: string, system: Asked): Promise<boolean> {
  return await remotenessOf(folder, system) === "remote";
}

/** Whether this name of a file system type, as mount tables give it, is one that other machines write to. */
export function isRemoteKind(kind: string): boolean {
  const name = kind.trim().toLowerCase();
  return REMOTE.has(name) || name.startsWith("fuse.") || name.startsWith("nfs");
}

/** Empty where it is not told: where the folder is gone, for example. */
async function fileSystemOf(folder: string, system: Asked, signal: AbortSignal): Promise<string> {
  if (system.platform === "windows") {
    // A drive letter may stand for a share: the real path is that of the share then.
    const real = await system.realPath(folder);
    return real === null ? "" : isShare(real) ? "smb" : "local";
  }
  if (system.platform === "linux") {
    const { code, stdout } = await system.run(
      { program: "find", args: ["-H", folder, "-maxdepth", "0", "-printf", "%F"] },
      signal,
    );
    return code === 0 ? stdout : "";
  }
  const { code, stdout } = await system.run(
    { program: "find", args: ["-H", folder, "-maxdepth", "0", "-fstype", "local"] },
    signal,
  );
  return code !== 0 ? "" : stdout.trim() === "" ? "nfs" : "local";
}

/** Whether a path of Windows begins with a server's name. */
function isShare(path: string): boolean {
  return /^[\\/]{2}(?![?.][\\/])|^\\\\\?\\UNC\\/i.test(path);
}

const PATIENCE_MS = 5_000;
const REMOTE: ReadonlySet<string> = new Set([
  "cifs",
  "smb",
  "smb2",
  "smb3",
  "smbfs",
  "afpfs",
  "afs",
  "9p",
  "virtiofs",
  "vboxsf",
  "prl_fs",
  "vmhgfs",
  "drvfs",
  "fuse",
  "macfuse",
  "osxfuse",
  "ceph",
  "glusterfs",
  "lustre",
  "beegfs",
  "gpfs",
  "ocfs2",
  "gfs2",
  "ncpfs",
  "davfs",
  "webdav",
]);
