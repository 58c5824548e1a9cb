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
import { giveUp, type Piece, type Way } from "../way.ts";

/** Gives every piece its receipt or its failure. One round to the destination, whatever the number of pieces. */
export async function prove(pieces: readonly Piece[], way: Way, signal: AbortSignal): Promise<void> {
  const { session, destination } = way;
  const paths = pieces.map((piece) => piece.staged);
  const found = destination.verify === "checksum"
    ? await guarded(hashing(pieces, way), signal, (end) => session.digest(paths, end))
    : destination.verify === "size"
    ? await guarded(asking(way), signal, (end) => session.survey(paths, end))
    : [];
  await recheckSources(pieces, way, signal);
  const level = destination.verify === "checksum" ? session.proof : destination.verify;
  pieces.forEach((piece, index) => {
    if (piece.outcome !== null) return;
    const { source } = piece.delivery;
    const there = found[index] ?? null;
    try {
      const seen = there && { bytes: there.bytes, sha256: "sha256" in there ? there.sha256 : null };
      piece.receipt = verify({ bytes: source.size, sha256: piece.sha256 }, seen, level, way.system.now());
    } catch (error) {
      const record = failureRecord(error);
      giveUp(piece, new Failure(record.code, unproven(piece, way, record.message), { hint: record.hint }));
    }
  });
}

/** How long hashing at the destination may take: the silence allowed, and the time that 5 MB/s would need. */
export function hashing(pieces: readonly Piece[], way: Way): GuardOptions {
  const bytes = pieces.reduce((sum, piece) => sum + piece.delivery.source.size, 0);
  const timeoutMs = way.destination.timeoutMs + bytes / 5_000;
  return { what: `verify ${files(pieces.length)} at ${way.destination.name}`, timeoutMs, clock: way.system };
}

/** The guard of a short question to the destination. */
export function asking(way: Pick<Way, "destination" | "system">): GuardOptions {
  return { what: `check the files at ${way.destination.name}`, timeoutMs: way.destination.timeoutMs, clock: way.system };
}

/** For messages: `one file`, `12 files`. */
export function files(count: number): string {
  return count === 1 ? "one file" : `${count} files`;
}

function unproven(piece: Piece, way: Way, reason: string): string {
  return `Cannot verify "${printable(piece.delivery.source.path)}" at ${way.destination.name}: ${reason}`;
}
