/**
 * Free space as it is shown: destinations on the same disk measure it at different times but must show the same number.
 *
 * @module
 */
import { loginOf } from "../config/settings.ts";
import type { OutboxLedger } from "../ledger/outbox_ledger.ts";
import { diskIn } from "./mount.ts";
import type { Outbox } from "./outbox.ts";

type Measured = Pick<Outbox, "destination" | "about">;

/** The least that any destination on the same disk has measured, in bytes; null if none has. */
export function freeSpace(boxes: readonly Measured[], ledger: Pick<OutboxLedger, "deviceOf">): (box: Measured) => number | null {
  const least = new Map<string, number>();
  for (const box of boxes) {
    const { freeBytes } = box.about();
    const disk = diskOf(box, ledger);
    if (freeBytes !== null) least.set(disk, Math.min(least.get(disk) ?? Infinity, freeBytes));
  }
  return (box) => box.about().freeBytes === null ? null : least.get(diskOf(box, ledger)) ?? null;
}

/** One key per disk; a destination whose disk is not known has its own. */
function diskOf({ destination: { job, name, transport } }: Measured, ledger: Pick<OutboxLedger, "deviceOf">): string {
  const device = ledger.deviceOf(job, name);
  const login = loginOf(transport);
  return JSON.stringify(device ? [login?.host.toLowerCase() ?? null, login?.port ?? null, diskIn(device)] : [job, name]);
}
