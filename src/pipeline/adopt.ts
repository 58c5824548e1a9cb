/**
 * Finds out what stands at the targets already. What is proven equal to its source is taken for delivered without
 * being sent: after a crash, a lost answer, or a lost ledger.
 *
 * @module
 */
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/printable.ts";
import { verify } from "../domain/receipt.ts";
import type { Standing } from "../methods/method.ts";
import { hashSources } from "./check_source.ts";
import { decideExisting, worthHashing } from "./decide_existing.ts";
import { guarded } from "./guarded.ts";
import { asking, hashing } from "./prove.ts";
import { giveUp, open, type Piece, type Way } from "./way.ts";

/** One round for all targets, a second one only where a file of the same size is there. */
export async function adoptExisting(pieces: readonly Piece[], way: Way, signal: AbortSignal): Promise<void> {
  const asked = open(pieces);
  if (asked.length === 0) return;
  const standings = await guarded(asking(way), signal, (end) => way.session.survey(asked.map(targetOf), end));
  const there = asked.map((piece, index) => ({ piece, standing: standings[index] ?? null })).filter(({ standing }) => standing);
  if (there.length > 0) await decide(there, way, signal);
}

interface Occupied {
  readonly piece: Piece;
  readonly standing: Standing | null;
}

async function decide(there: readonly Occupied[], way: Way, signal: AbortSignal): Promise<void> {
  const alike = there.filter(({ piece, standing }) => worthHashing(standing, piece.delivery.source.size)).map(({ piece }) =>
    piece
  );
  await hashSources(alike, way, signal);
  const hashed = alike.filter((piece) => piece.sha256 !== null);
  const digests = hashed.length === 0
    ? []
    : await guarded(hashing(hashed, way), signal, (end) => way.session.digest(hashed.map(targetOf), end));
  const foundOf = new Map(hashed.map((piece, index) => [piece, digests[index] ?? null]));

  for (const { piece, standing } of there) {
    if (piece.outcome !== null) continue;
    const sent = { bytes: piece.delivery.source.size, sha256: piece.sha256 };
    const target = printable(targetOf(piece));
    const decision = decideExisting({ target, standing, found: foundOf.get(piece) ?? null, sent }, way.destination.onConflict);
    if (decision.decision === "adopt") {
      piece.outcome = { receipt: verify(sent, decision.found, way.session.proof, way.system.now()) };
    } else if (decision.decision === "refuse") {
      const { code, message, hint } = decision.failure;
      const what = `Cannot send "${printable(piece.delivery.source.path)}" to ${way.destination.name}`;
      giveUp(piece, new Failure(code, `${what}: ${message}`, { hint }));
    }
  }
}

function targetOf(piece: Piece): string {
  return piece.delivery.target;
}
