/**
 * Whether other machines write into a folder: because it is on a file system of theirs, or because this machine exports it by NFS.
 * There their open files are not seen; on a file system of theirs, nothing that they do gives an event.
 */
import { anySignal } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import { faultOf } from "../../system/fault.ts";
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

/**
 * Whether the times of the folders on this file system change when a name in them comes or goes, whoever does it. Not those of network
 * drives, nor of an overlay, where others may write below it; false where nobody has made sure.
 */
export async function foldersTell(folder: string, system: Asked): Promise<boolean> {
  if (system.platform !== "linux") return false;
  using end = anySignal();
  const kind = await within(fileSystemOf(folder, system, end.signal).catch(() => ""), PATIENCE_MS, system, null);
  return kind !== null && TELLING.has(kind.trim());
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

/** Folders that this machine exports by NFS (Linux), as it was some seconds ago at most; asks nothing before it is asked. */
export function nfsExports(system: Pick<System, "readText" | "run" | "platform" | "monotonic">) {
  let table: { readonly answer: Promise<readonly string[] | null>; readonly at: number } | null = null;
  const realPaths = new Map<string, Promise<string>>();

  async function read(): Promise<readonly string[] | null> {
    try {
      return writableExports(await system.readText(ETAB));
    } catch (error) {
      return faultOf(error) === "not_found" ? [] : null;
    }
  }

  async function realPath(folder: string): Promise<string> {
    const { stdout } = await system.run({ program: "readlink", args: ["-f", "--", folder] }, new AbortController().signal);
    return stdout.replace(/\n$/, "") || folder;
  }

  return {
    /** Whether others may write in this folder (absolute); true where that cannot be told. */
    async has(folder: string): Promise<boolean> {
      if (system.platform !== "linux") return false;
      const now = system.monotonic();
      if (table === null || now - table.at >= ETAB_AGAIN_MS) table = { answer: read(), at: now };
      const exported = await table.answer;
      if (exported === null) return true;
      if (exported.length === 0) return false;
      let real = realPaths.get(folder);
      if (real === undefined) realPaths.set(folder, real = realPath(folder).catch(() => folder));
      const place = `${await real}/`;
      return exported.some((path) => place.startsWith(path.endsWith("/") ? path : `${path}/`));
    },
  };
}

/** The folders that some client may write to; a line is `path`, tab, `client(options)`, odd bytes of the path as `\040`. */
function writableExports(etab: string): string[] {
  return [...etab.matchAll(/^(\S+)\s.*[(,]rw[,)]/gm)].map(([, path = ""]) =>
    new TextDecoder().decode(
      Uint8Array.from(
        path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))),
        (character) => character.charCodeAt(0),
      ),
    )
  );
}

const ETAB = "/var/lib/nfs/etab";
const ETAB_AGAIN_MS = 5_000;
const PATIENCE_MS = 5_000;
const TELLING: ReadonlySet<string> = new Set(["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "zfs"]);
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
