/**
 * Makes the receipts: compares what stands staged at the destination with what was read at the source, at the
 * level that is configured. Only what was really compared is claimed.
 *
 * @module
 */
import { Failure, failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { verify } from "../../domain/receipt.ts";
import { recheckSources } from "./check_source.ts";
import { guarded, type GuardOptions } from "../guarded.ts";
import { giveUp, type Item, type Way } from "../way.ts";

/** Gives every item its receipt or its failure. One round to the destination, whatever the number of items. */
export async function prove(items: readonly Item[], way: Way, signal: AbortSignal): Promise<void> {
  const { session, destination } = way;
  const paths = items.map((item) => item.staged);
  const found = destination.verify === "checksum"
    ? await guarded(hashing(items, way), signal, (end) => session.digest(paths, end))
    : destination.verify === "size"
    ? await guarded(asking(way), signal, (end) => session.survey(paths, end))
    : [];
  await recheckSources(items, way, signal);
  const level = destination.verify === "checksum" ? session.proof : destination.verify;
  items.forEach((item, index) => {
    if (item.outcome !== null) return;
    const { source } = item.delivery;
    const there = found[index] ?? null;
    try {
      const seen = there && { bytes: there.bytes, sha256: "sha256" in there ? there.sha256 : null };
      item.receipt = verify({ bytes: source.size, sha256: item.sha256 }, seen, level, way.system.now());
    } catch (error) {
      const record = failureRecord(error);
      giveUp(item, new Failure(record.code, unproven(item, way, record.message), { hint: record.hint }));
    }
  });
}

/** How long hashing at the destination may take: the silence allowed, and the time that 5 MB/s would need. */
export function hashing(items: readonly Item[], way: Way): GuardOptions {
  const bytes = items.reduce((sum, item) => sum + item.delivery.source.size, 0);
  const timeoutMs = way.destination.timeoutMs + bytes / 5_000;
  return { what: `verify ${files(items.length)} at ${way.destination.name}`, timeoutMs, clock: way.system };
}

/** The guard of a short question to the destination. */
export function asking(way: Pick<Way, "destination" | "system">): GuardOptions {
  return { what: `check the files at ${way.destination.name}`, timeoutMs: way.destination.timeoutMs, clock: way.system };
}

/** For messages: `one file`, `12 files`. */
export function files(count: number): string {
  return count === 1 ? "one file" : `${count} files`;
}

function unproven(item: Item, way: Way, reason: string): string {
  return `Cannot verify "${printable(item.delivery.source.path)}" at ${way.destination.name}: ${reason}`;
}
