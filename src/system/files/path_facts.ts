/**
 * From Deno's FileInfo to {@linkcode PathFacts}. No imports at run time: the Worker of the walk bundles it too.
 *
 * @module
 */
import type { PathFacts } from "../system.ts";

/** The part of `Deno.FileInfo` that is used. */
type Info = Pick<
  Deno.FileInfo,
  | "isFile"
  | "isDirectory"
  | "isSymlink"
  | "size"
  | "mtime"
  | "ctime"
  | "birthtime"
  | "mode"
  | "nlink"
  | "dev"
  | "ino"
  | "uid"
  | "gid"
>;

/** Times whole milliseconds; `mode` only the permission bits, 0 on Windows. */
export function pathFacts(info: Info): PathFacts {
  return {
    kind: info.isSymlink ? "symlink" : info.isFile ? "file" : info.isDirectory ? "folder" : "other",
    size: info.size,
    mtimeMs: timeOf(info.mtime),
    ctimeMs: timeOf(info.ctime),
    bornMs: timeOf(info.birthtime),
    // Windows has no such permissions: what Deno reports there is made up.
    mode: Deno.build.os === "windows" ? 0 : (info.mode ?? 0) & 0o7777,
    links: info.nlink ?? 1,
    identity: identityOf(info),
    uid: info.uid,
    gid: info.gid,
    device: info.dev === null ? "" : String(info.dev),
  };
}

/** Milliseconds since 1970; 0 where the system gives none, or one that no Date can hold (tmpfs and btrfs keep 64 bits of seconds). */
export function timeOf(time: Date | null): number {
  const ms = time?.getTime() ?? 0;
  return Number.isFinite(ms) ? ms : 0;
}

/** `device:inode`; empty where the system gives none (some file systems of Windows). */
export function identityOf(info: Pick<Deno.FileInfo, "dev" | "ino">): string {
  return info.ino === null || info.ino === 0 ? "" : `${info.dev}:${info.ino}`;
}
