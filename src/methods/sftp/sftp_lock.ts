/**
 * The turn of installations that give names on one SFTP server, which has no locks.
 *
 * @module
 */
import { takeTurn, TURN, type TurnFolder } from "../turn.ts";
import { unsafeStaging } from "../staging.ts";
import { pathOf, type SftpBase } from "./sftp_base.ts";
import { kindOf } from "./sftp_protocol.ts";

const RETRY_MS = 50;

/** Does the work while no other installation has the turn. */
export async function withSftpLock<R>(base: SftpBase, signal: AbortSignal, work: () => Promise<R>): Promise<R> {
  await using _turn = await takeTurn(turnFolder(base), signal);
  return await work();
}

function turnFolder(base: SftpBase): TurnFolder {
  const { calls, context: { system }, destination: { timeoutMs } } = base;
  const folder = pathOf(base, TURN);
  const removeInside = async (names: readonly string[]) => {
    for (const name of names) await calls.rmdir(`${folder}/${name}`);
  };
  return {
    clock: system,
    timeoutMs,
    retryMs: RETRY_MS,
    async make() {
      // Twice: it may have been removed between the two questions.
      for (let attempt = 1; attempt <= 2; attempt++) {
        if (await calls.mkdir(folder) === null) return "made";
        const { value } = await calls.lstat(folder);
        if (value === null) continue;
        if (kindOf(value) !== "folder") throw unsafeStaging(base.where, TURN, "link");
        return "taken";
      }
      return "impossible";
    },
    names: async () => ((await calls.list(folder)).value ?? []).map(({ name }) => name),
    async beat(name, former) {
      await calls.mkdir(`${folder}/${name}`);
      await removeInside(former);
    },
    async remove(names) {
      await removeInside(names);
      await calls.rmdir(folder);
    },
  };
}
