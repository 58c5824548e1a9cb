/**
 * Whether a server's plain rename replaces what has the name. The protocol forbids it (draft-ietf-secsh-filexfer-02, 6.5), and
 * OpenSSH refuses; servers written in Go rename as POSIX does. Tried with two small files of ours, once a session.
 *
 * @module
 */
import { sftpCommand } from "./sftp_command.ts";
import { emptyFile, type SftpPlace } from "./sftp_place.ts";

/** Makes the question; `staged` is a name of ours whose folder is there. What could not be tried counts as replacing. */
export function sftpReplaces({ channels, context, path }: SftpPlace) {
  let known: boolean | null = null;

  return async (staged: string, signal: AbortSignal): Promise<boolean> => {
    if (known !== null) return known;
    const local = await emptyFile(context);
    const [free, taken] = [path(`${staged}.free`), path(`${staged}.taken`)];
    const [one, other, renamed] = await channels.run([
      sftpCommand("put", local, free),
      sftpCommand("put", local, taken),
      sftpCommand("rename -l", free, taken),
      sftpCommand("rm", free),
      sftpCommand("rm", taken),
    ], signal);
    if (one?.errors !== "" || other?.errors !== "") return true;
    return known = renamed?.errors === "";
  };
}
