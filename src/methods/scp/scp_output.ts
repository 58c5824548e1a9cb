/**
 * Reads what scp says on its standard error; its exit code is 1 for nearly everything.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import type { Finished } from "../../system/system.ts";
import { diskTrouble } from "../local/disk_trouble.ts";
import { linkName } from "../links.ts";
import type { Upload } from "../method.ts";
import { toldOfSource } from "../rsync/rsync_output.ts";
import type { FileFailures } from "../shell/shell_session.ts";
import type { ShellFiles } from "../shell/shell_files.ts";
import { sshFailure } from "../ssh/ssh_failures.ts";

/** What was said of single sources: `scp: stat local "./3": No such file or directory`, `/usr/bin/scp: ./3: not a regular file`… */
export function scpFileFailures(stderr: string, uploads: readonly Upload[]): FileFailures {
  const byName = new Map(uploads.map((upload) => [linkName(upload), upload]));
  const failures = new Map<string, Failure>();
  for (const line of stderr.split(/\r?\n/)) {
    const name = /^(?:\S*scp(?:\.exe)?: )?(?:(?:stat|open|read|local) )*(?:local )?"?(?:\.\/)?([A-Za-z0-9._-]+)"?: /.exec(line)
      ?.[1];
    const upload = name === undefined ? undefined : byName.get(name);
    if (upload && name && !/remote|dest/.test(line)) failures.set(name, toldOfSource(upload.source.path, line));
  }
  return failures;
}

/** What an scp that blamed no source means. */
export async function scpFailure(
  finished: Finished,
  uploads: readonly Upload[],
  files: ShellFiles,
  destination: SshDestination,
  signal: AbortSignal,
): Promise<Failure> {
  const failure = sshFailure("scp", finished, destination);
  const vague = failure.code === "interrupted" && /: Failure|write remote|dest open/.test(finished.stderr);
  return vague ? await diskTrouble(failure, uploads, files, signal) : failure;
}
