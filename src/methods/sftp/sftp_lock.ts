/**
 * A lock between installations that give names on one SFTP server, which has no locks: whoever makes a certain folder has it.
 *
 * @module
 */
import { anySignal } from "../../async/abort.ts";
import { failureRecord } from "../../domain/failure.ts";
import { isFolder, pathOf, type SftpBase } from "./sftp_base.ts";

/** Lies beside the staging folders; named so, it is never watched or taken for a file. */
const LOCK = ".image-transfer-turn";
/** One without a heartbeat for so long was left behind by a process that was killed, or by a connection that broke. */
const STALE_MS = 30_000;
/** Whoever has the lock shows so often that it is alive: comparing large files takes minutes. */
const HEARTBEAT_MS = 2_000;
const RETRY_MS = 50;

/** Does the work while no other installation has the lock. Where no folder can be made, nobody has one. */
export async function withSftpLock<R>(base: SftpBase, signal: AbortSignal, work: () => Promise<R>): Promise<R> {
  const folder = pathOf(base, LOCK);
  if (!await acquire(base, folder, signal)) return await work();
  const heart = heartbeat(base, folder);
  try {
    return await work();
  } finally {
    // Also where the work was stopped: others wait.
    await removeFolders(base, [...await heart.stop(), folder])
      .catch((error) => base.context.log("debug", `The folder "${LOCK}" was left behind: ${failureRecord(error).message}`));
  }
}

/** True once the folder is ours; false where it cannot be made. */
async function acquire(base: SftpBase, folder: string, signal: AbortSignal): Promise<boolean> {
  const { system } = base.context;
  // Who waits is itself given up after its time-out, and must have found out before.
  const staleMs = Math.min(STALE_MS, base.destination.timeoutMs / 2);
  let beats: readonly string[] = [];
  let [changedAt, lookedAt] = [system.monotonic(), system.monotonic()];
  for (;;) {
    const made = await make(base, folder);
    if (made !== "taken") return made === "made";
    if (system.monotonic() - lookedAt >= Math.min(HEARTBEAT_MS, staleMs / 4)) {
      const now = await beatsIn(base, folder);
      lookedAt = system.monotonic();
      const stale = now.join() === beats.join() && lookedAt - changedAt > staleMs;
      if (stale) await removeFolders(base, [...now, folder]);
      if (stale || now.join() !== beats.join()) changedAt = lookedAt;
      beats = now;
    }
    await system.sleep(RETRY_MS, signal);
    signal.throwIfAborted();
  }
}

async function make(base: SftpBase, folder: string): Promise<"made" | "taken" | "impossible"> {
  // Twice: it may have been removed between the two questions.
  for (let attempt = 1; attempt <= 2; attempt++) {
    if (await base.calls.mkdir(folder) === null) return "made";
    if (await isFolder(base, folder)) return "taken";
  }
  // Whatever keeps it from being made, it is not another one's lock.
  return "impossible";
}

async function beatsIn({ calls }: SftpBase, folder: string): Promise<string[]> {
  const names = (await calls.list(folder)).value ?? [];
  return names.filter(({ name }) => /^\d+$/.test(name)).map(({ name }) => `${folder}/${name}`);
}

async function removeFolders({ calls }: SftpBase, folders: readonly string[]): Promise<void> {
  for (const folder of folders) await calls.rmdir(folder);
}

/** Shows that the owner of the lock is alive, by folders that come and go in its own. `stop` gives the last of them. */
function heartbeat(base: SftpBase, folder: string): { stop(): Promise<readonly string[]> } {
  const { calls, context: { system } } = base;
  const end = anySignal();
  let last: readonly string[] = [];
  const beat = async () => {
    for (let count = 1;; count++) {
      await system.sleep(HEARTBEAT_MS, end.signal);
      if (end.signal.aborted) return;
      const next = `${folder}/${Math.trunc(system.now()) + count}`;
      await calls.mkdir(next);
      await removeFolders(base, last);
      last = [next];
    }
  };
  const beating = beat().catch(() => undefined); // A connection that is lost shows in the work itself.
  return {
    stop: async () => {
      end.abort();
      await beating;
      return last;
    },
  };
}
