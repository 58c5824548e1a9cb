/**
 * Turns between installations that give names on one SFTP server, which has no locks: whoever makes a certain folder has the turn.
 *
 * @module
 */
import { failureRecord } from "../../domain/failure.ts";
import { sftpCommand } from "./sftp_command.ts";
import type { SftpPlace } from "./sftp_place.ts";

/** Lies beside the staging folders; named so, it is never watched or taken for a file. */
const TURN = ".image-transfer-turn";
/** A turn takes a few round trips. One that does not end was left behind by a process that was killed. */
const LONGEST_MS = 30_000;
const AGAIN_MS = 50;

/** Makes `work` wait until no other installation has its turn. Where no folder can be made, nobody has one. */
export function sftpTurn({ channels, context: { system, tell }, path, isFolder }: SftpPlace) {
  const folder = path(TURN);

  async function take(signal: AbortSignal): Promise<boolean> {
    for (let since = system.monotonic();;) {
      const [made] = await channels.run([sftpCommand("mkdir", folder)], signal);
      if (made?.errors === "") return true;
      // Whatever keeps it from being made, it is not another one's turn.
      if (!await isFolder(folder, signal)) {
        const [again] = await channels.run([sftpCommand("mkdir", folder)], signal);
        if (again?.errors === "") return true;
        if (!await isFolder(folder, signal)) return false;
      }
      if (system.monotonic() - since > LONGEST_MS) {
        await channels.run([sftpCommand("rmdir", folder)], signal);
        since = system.monotonic();
      }
      await system.sleep(AGAIN_MS, signal);
      signal.throwIfAborted();
    }
  }

  return async <R>(signal: AbortSignal, work: () => Promise<R>): Promise<R> => {
    const mine = await take(signal);
    try {
      return await work();
    } finally {
      // Also where the work was stopped: others wait.
      const ended = mine ? channels.run([sftpCommand("rmdir", folder)], new AbortController().signal) : Promise.resolve();
      await ended.catch((error) => tell("debug", `The folder "${TURN}" was left behind: ${failureRecord(error).message}`));
    }
  };
}
