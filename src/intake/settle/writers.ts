/**
 * Who may still be writing: asks the system which files are open for writing, and knows where its answer is
 * worth nothing, because other machines write there too: NFS, SMB, FUSE and their like.
 */
import type { FileFacts } from "../../domain/source_file.ts";
import type { System } from "../../system/system.ts";
import { anySignal } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import { faultOf } from "../../system/fault.ts";

/** `gone` is sure: no process of any account has it open, and no other machine can. `unseen` is no answer. */
export type WriterState = "open" | "gone" | "unseen";

/** Of a file (absolute path), and whether every writer of it is on this machine. */
export type WriterOf = (path: string, local: boolean) => WriterState;

/** What is remembered is which devices are remote. */
export type Writers = ReturnType<typeof writers>;

export type WriterSystem = Pick<
  System,
  "openForWriting" | "seesEveryWriter" | "run" | "platform" | "sleep" | "monotonic" | "readText" | "realPath"
>;

/** One for each intake; asks nothing before it is asked. */
export function writers(system: WriterSystem) {
  // File systems mounted below the watched folder are told by their device number.
  const devices = new Map<string, { readonly answer: Promise<Remoteness>; readonly at: number }>();
  const exported = nfsExports(system);
  // Many files of one folder are asked about at once.
  let moment = { at: -Infinity, folders: new Map<string, { readonly device: string; readonly answer: Promise<boolean> }>() };

  async function isLocal(device: string, folder: string, now: number): Promise<boolean> {
    let known = devices.get(device);
    if (known === undefined || (now - known.at >= AGAIN_MS && await known.answer === "unknown")) {
      devices.set(device, known = { answer: remotenessOf(folder, system), at: now });
    }
    return await known.answer === "local" && !await exported.has(folder);
  }

  return {
    /** Whether every writer of this file is on this machine. `folder` is the absolute path of its folder. */
    isLocal({ identity }: FileFacts, folder: string): Promise<boolean> {
      const device = identity.slice(0, Math.max(0, identity.indexOf(":")));
      const now = system.monotonic();
      if (now - moment.at >= MOMENT_MS) moment = { at: now, folders: new Map() };
      let known = moment.folders.get(folder);
      if (known?.device !== device) moment.folders.set(folder, known = { device, answer: isLocal(device, folder, now) });
      return known.answer;
    },
    /** What is known of the writers of these files (absolute paths); one look for all. */
    async of(paths: readonly string[], signal: AbortSignal): Promise<WriterOf> {
      if (paths.length === 0) return () => "unseen";
      const [open, everyone] = await Promise.all([system.openForWriting(paths, signal), system.seesEveryWriter()]);
      return (path, local) => open?.has(path) ? "open" : open !== null && everyone && local ? "gone" : "unseen";
    },
  };
}

/** What was found out of a folder is taken for true for so long. */
const MOMENT_MS = 1_000;
/** An answer that was not had is asked for again after so long. */
const AGAIN_MS = 5_000;

/** Whether other machines write there; `unknown` where it could not be told this time. */
type Remoteness = "remote" | "local" | "unknown";

type Asked = Pick<System, "run" | "platform" | "sleep" | "realPath">;

/** Remote are NFS, SMB, FUSE and their like, and a file system that does not answer; never throws. */
export async function remotenessOf(folder: string, system: Asked): Promise<Remoteness> {
  if (system.platform === "windows" && isShare(folder)) return "remote";
  const kind = await fileSystemOf(folder, system);
  // A dead file server lets every call hang: then it is one.
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
  const kind = await fileSystemOf(folder, system);
  return kind !== null && TELLING.has(kind.trim());
}

/** Null where the file system does not answer in time; empty where it is not told: where the folder is gone, for example. */
async function fileSystemOf(folder: string, system: Asked): Promise<string | null> {
  using end = anySignal();
  const told = async () => {
    if (system.platform === "windows") {
      // A drive letter may stand for a share: the real path is that of the share then.
      const real = await system.realPath(folder);
      return real === null ? "" : isShare(real) ? "smb" : "local";
    }
    const isNamed = system.platform === "linux";
    const args = ["-H", folder, "-maxdepth", "0", ...isNamed ? ["-printf", "%F"] : ["-fstype", "local"]];
    const { code, stdout } = await system.run({ program: "find", args }, end.signal);
    if (code !== 0 || isNamed) return code === 0 ? stdout : "";
    return stdout.trim() === "" ? "nfs" : "local";
  };
  return await within(told().catch(() => ""), PATIENCE_MS, system, null);
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
