/**
 * Removes from the state directory what processes left there that were killed, or that met a full disk, and keeps other accounts out of
 * the files that stay.
 *
 * @module
 */
import { join } from "@std/path";
import { failureRecord } from "../domain/failure.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { System } from "../system/system.ts";

/** Unfinished files of ours; those of a command that runs just now are young. */
const UNFINISHED = /^\.image-transfer-|^host-key-\d+$|\.part$/;
const OLD_MS = 3_600_000;
/** What SQLite leaves beside a damaged ledger that was read; a log with something in it belongs to the ledger. */
const BESIDE_DAMAGED = /^ledger-damaged-.*\.sqlite-(shm|wal)$/;
/** Files of ours that hold secrets or keep others out, besides the ledger, which sees to itself. A copy of them may have any mode. */
const PRIVATE = /^(lock|web\.json|control\.json|pocketbase-(jobs|commands)\.json|ledger-damaged-.*)$/;

/** Whatever cannot be removed is left to the next start. */
export async function sweepState(
  stateDirectory: string,
  system: Pick<System, "names" | "facts" | "remove" | "setMode" | "now">,
  emit: Emit,
): Promise<void> {
  try {
    for (const name of await system.names(stateDirectory)) {
      const path = join(stateDirectory, name);
      const beside = BESIDE_DAMAGED.exec(name)?.[1];
      const isPrivate = PRIVATE.test(name);
      if (!isPrivate && !UNFINISHED.test(name)) continue;
      const facts = await system.facts(path);
      if (facts?.kind !== "file") continue;
      if (isPrivate && (facts.mode & 0o077) !== 0) await system.setMode(path, 0o600);
      if (isPrivate && beside === undefined) continue;
      const isLeft = beside === undefined ? system.now() - facts.mtimeMs > OLD_MS : beside === "shm" || facts.size === 0;
      if (isLeft) await system.remove(path);
    }
  } catch (error) {
    emit({ type: "notice", level: "debug", message: `Cannot clean up the state directory: ${failureRecord(error).message}` });
  }
}
