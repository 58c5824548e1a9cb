/**
 * Turns between installations that give names on one SFTP server, which has no locks: whoever makes a certain folder has the turn.
 *
 * @module
 */
import { failureRecord } from "../../domain/failure.ts";
import type { System } from "../../system/system.ts";
import { sftpCommand } from "./sftp_command.ts";
import type { SftpPlace } from "./sftp_place.ts";

/** Lies beside the staging folders; named so, it is never watched or taken for a file. */
const TURN = ".image-transfer-turn";
/** One in which nothing happens for so long was left behind by a process that was killed, or by a connection that broke. */
const LONGEST_MS = 30_000;
/** Whoever has the turn shows so often that it lives: comparing large files takes minutes. */
const BEAT_MS = 2_000;
const AGAIN_MS = 50;

/** Makes `work` wait until no other installation has its turn. Where no folder can be made, nobody has one. */
export function sftpLock({ channels, context: { system, log }, path, isFolder, timeoutMs }: SftpLockPlace) {
  const folder = path(TURN);
  // Who waits is itself given up after its time-out, and must have found out before.
  const longestMs = Math.min(LONGEST_MS, timeoutMs / 2);

  async function take(signal: AbortSignal): Promise<boolean> {
    let beat = "";
    let [since, looked] = [system.monotonic(), system.monotonic()];
    for (;;) {
      const [made] = await channels.run([sftpCommand("mkdir", folder)], signal);
      if (made?.errors === "") return true;
      // Whatever keeps it from being made, it is not another one's turn.
      if (!await isFolder(folder, signal)) {
        const [again] = await channels.run([sftpCommand("mkdir", folder)], signal);
        if (again?.errors === "") return true;
        if (!await isFolder(folder, signal)) return false;
      }
      if (system.monotonic() - looked >= Math.min(BEAT_MS, longestMs / 4)) {
        const beats = await beatsIn(signal);
        looked = system.monotonic();
        if (beats.join() !== beat) since = looked;
        else if (looked - since > longestMs) {
          await channels.run([...beats, folder].map((name) => sftpCommand("rmdir", name)), signal);
          since = looked;
        }
        beat = beats.join();
      }
      await system.sleep(AGAIN_MS, signal);
      signal.throwIfAborted();
    }
  }

  async function beatsIn(signal: AbortSignal): Promise<string[]> {
    const [reply] = await channels.run([sftpCommand("ls -1a", folder)], signal);
    return [...(reply?.output ?? "").matchAll(/(?:^|\/)(\d+)\s*$/gm)].map(([, name]) => `${folder}/${name}`);
  }

  /** Shows that the turn is not over, by folders that come and go in its own. The result ends that, and gives the last of them. */
  function keepBeating(): () => Promise<string[]> {
    const end = new AbortController();
    let last: string[] = [];
    const beating = (async () => {
      for (let count = 1;; count++) {
        await system.sleep(BEAT_MS, end.signal);
        if (end.signal.aborted) return;
        const next = `${folder}/${Math.trunc(system.now()) + count}`;
        const commands = [sftpCommand("mkdir", next), ...last.map((former) => sftpCommand("rmdir", former))];
        last = [next];
        await channels.run(commands, NEVER);
      }
    })();
    beating.catch(() => undefined); // A connection that is lost shows in the work itself.
    return async () => {
      end.abort();
      await beating.catch(() => undefined);
      return last;
    };
  }

  return async <R>(signal: AbortSignal, work: () => Promise<R>): Promise<R> => {
    if (!await take(signal)) return await work();
    const stopBeating = keepBeating();
    try {
      return await work();
    } finally {
      // Also where the work was stopped: others wait.
      const left = [...await stopBeating(), folder].map((name) => sftpCommand("rmdir", name));
      await channels.run(left, NEVER)
        .catch((error) => log("debug", `The folder "${TURN}" was left behind: ${failureRecord(error).message}`));
    }
  };
}

type SftpLockPlace = Pick<SftpPlace, "channels" | "path" | "isFolder" | "timeoutMs"> & {
  readonly context: Pick<SftpPlace["context"], "log"> & { readonly system: Pick<System, "now" | "monotonic" | "sleep"> };
};

const NEVER = new AbortController().signal;
