/**
 * Makes the receipts: compares what stands staged at the destination with what was read at the source, at the
 * level that is configured. Only what was really compared is claimed.
 *
 * @module
 */
import { Failure, failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { verify } from "../../domain/receipt.ts";
import { recheckSources } from "./check.ts";
import { type WatchdogOptions, withWatchdog } from "../watchdog.ts";
import { type Batch, giveUp, type Item } from "../batch.ts";

/** Gives every item its receipt or its failure. One round to the destination, whatever the number of items. */
export async function verifyStaged(items: readonly Item[], batch: Batch, signal: AbortSignal): Promise<void> {
  const { session, destination } = batch;
  const paths = items.map((item) => item.staged);
  const found = destination.verify === "checksum"
    ? await withWatchdog(hashing(items, batch), signal, (end) => session.digest(paths, end))
    : destination.verify === "size"
    ? await withWatchdog(asking(batch), signal, (end) => session.survey(paths, end))
    : [];
  await recheckSources(items, batch, signal);
  const level = destination.verify === "checksum" ? session.proof : destination.verify;
  items.forEach((item, index) => {
    if (item.outcome !== null) return;
    const { source } = item.delivery;
    const there = found[index] ?? null;
    try {
      const seen = there && { bytes: there.bytes, sha256: "sha256" in there ? there.sha256 : null };
      item.receipt = verify({ bytes: source.size, sha256: item.sha256 }, seen, level, batch.system.now());
    } catch (error) {
      const record = failureRecord(error);
      giveUp(item, new Failure(record.code, unproven(item, batch, record.message), { hint: record.hint }));
    }
  });
}

/** How long hashing at the destination may take: the silence allowed, and the time that 5 MB/s would need. */
export function hashing(items: readonly Item[], batch: Batch): WatchdogOptions {
  const bytes = items.reduce((sum, item) => sum + item.delivery.source.size, 0);
  const timeoutMs = batch.destination.timeoutMs + bytes / 5_000;
  return { what: `verify ${files(items.length)} at ${batch.destination.name}`, timeoutMs, clock: batch.system };
}

/** The guard of a short question to the destination. */
export function asking(batch: Pick<Batch, "destination" | "system">): WatchdogOptions {
  return { what: `check the files at ${batch.destination.name}`, timeoutMs: batch.destination.timeoutMs, clock: batch.system };
}

/** For messages: `one file`, `12 files`. */
export function files(count: number): string {
  return count === 1 ? "one file" : `${count} files`;
}

function unproven(item: Item, batch: Batch, reason: string): string {
  return `Cannot verify "${printable(item.delivery.source.path)}" at ${batch.destination.name}: ${reason}`;
}
