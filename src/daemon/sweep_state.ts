/**
 * Removes from the state directory what processes left there that were killed, or that met a full disk.
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

/** Whatever cannot be removed is left to the next start. */
export async function sweepState(
  stateDirectory: string,
  system: Pick<System, "names" | "facts" | "remove" | "now">,
  emit: Emit,
): Promise<void> {
  try {
    for (const name of await system.names(stateDirectory)) {
      const path = join(stateDirectory, name);
      const beside = BESIDE_DAMAGED.exec(name)?.[1];
      if (beside === undefined && !UNFINISHED.test(name)) continue;
      const facts = await system.facts(path);
      if (facts?.kind !== "file") continue;
      const isLeft = beside === undefined ? system.now() - facts.mtimeMs > OLD_MS : beside === "shm" || facts.size === 0;
      if (isLeft) await system.remove(path);
    }
  } catch (error) {
    emit({ type: "notice", level: "debug", message: `Cannot clean up the state directory: ${failureRecord(error).message}` });
  }
}
