/**
 * What the error texts of operating systems (in the C locale) and of SFTP servers mean: one table for every tool that
 * passes them on — perl, mv, rsync, scp, sftp.
 */
import { type Cause, CAUSES } from "../../domain/causes.ts";

/** What an error text of the destination's file system means; null when it says nothing that is known. */
export function meaningOf(text: string): Cause | null {
  return TABLE.find(([pattern]) => pattern.test(text))?.[1] ?? null;
}

const TABLE: readonly (readonly [RegExp, Cause])[] = [
  [/no space left on device|not enough space|disk full/i, CAUSES.disk_full],
  [/quota exceeded|exceeded quota|disc quota/i, CAUSES.quota_full],
  [/read-only file ?system/i, CAUSES.read_only],
  [/file ?name too long/i, CAUSES.name_too_long],
  [/invalid or incomplete multibyte|illegal byte sequence|invalid argument/i, CAUSES.name_refused],
  [/not a directory|is a directory|directory not empty|file exists|cannot overwrite directory/i, CAUSES.path_blocked],
  [/permission denied|operation not permitted/i, CAUSES.permission_denied],
  [/cross-device link/i, CAUSES.other_file_system],
  [/stale (nfs )?file handle|transport endpoint is not connected|input\/output error|host is down/i, CAUSES.disk_not_responding],
];
