/**
 * Takes up what an earlier process had in hand when it ended: what is published is proven and recorded, what is staged
 * whole is proven and published, large parts are kept to go on from, and everything else of ours is swept.
 *
 * @module
 */
import type { Delivery } from "../domain/delivery.ts";
import { Failure, isOutage } from "../domain/failure.ts";
import { adoptExisting } from "./steps/adopt.ts";
import { checkSources, hashSources } from "./steps/check_source.ts";
import { guarded } from "./guarded.ts";
import { asking, prove } from "./steps/prove.ts";
import { publish } from "./steps/publish.ts";
import { record } from "./steps/record.ts";
import { giveUp, open, type Piece, pieceOf, type Way } from "./way.ts";

const CHUNK = 500;

/**
 * Settles these deliveries and sweeps what is not needed any more.
 *
 * @throws {Failure} the destination's failure, if it has one: then it has to be done again.
 */
export async function recover(deliveries: readonly Delivery[], way: Way, signal: AbortSignal): Promise<void> {
  const left = new Set(await guarded(asking(way), signal, (end) => way.session.leftovers(end)));
  // What is not in hand may belong to a publication that still works on over there: it must have nothing left to name.
  const inHand = new Set(deliveries.map(attemptOf));
  await sweepStrangers(new Set([...left].filter((attempt) => !inHand.has(attempt))), way, signal);
  for (let start = 0; start < deliveries.length; start += CHUNK) {
    await settle(deliveries.slice(start, start + CHUNK), left, way, signal);
  }
  await sweepStrangers(new Set([...left].filter((attempt) => inHand.has(attempt))), way, signal);
}

async function settle(deliveries: readonly Delivery[], left: ReadonlySet<string>, way: Way, signal: AbortSignal): Promise<void> {
  const pieces = deliveries.map((delivery) => pieceOf(delivery, attemptOf(delivery), way));
  await adoptExisting(pieces, way, signal);
  await checkSources(pieces, way);
  // Only a hash proves what nobody saw arriving: a file of the right length may have holes.
  const provable = way.destination.verify === "checksum" ? open(pieces) : [];
  const staged = await wholeStaged(provable.filter((piece) => left.has(attemptOf(piece.delivery))), way, signal);
  await hashSources(staged, way, signal);
  await prove(open(staged), way, signal);
  for (const piece of staged) forgetMismatch(piece);
  await publish(open(staged), way, signal);
  // Where one of them came to its end, the former process may have asked for publication: then nothing of the attempt may stay.
  const doubtful = new Set(pieces.filter(({ outcome }) => outcome !== null).map(({ delivery }) => attemptOf(delivery)));
  for (const piece of open(pieces)) {
    const attempt = attemptOf(piece.delivery);
    if (left.has(attempt) && !doubtful.has(attempt)) way.attempts.leave(piece.delivery, piece.staged);
    giveUp(piece, new Failure("stopped", "The attempt was interrupted when image-transfer stopped"));
  }
  const outage = pieces.map((piece) => piece.outcome && "failure" in piece.outcome ? piece.outcome.failure : null)
    .find((failure) => failure !== null && failure.code !== "stopped" && isOutage(failure));
  await record(pieces, way, signal);
  if (outage) throw new Failure(outage.code, outage.message, { hint: outage.hint, next: outage.next });
}

/** Those pieces whose staged file is as long as it should be. */
async function wholeStaged(pieces: readonly Piece[], way: Way, signal: AbortSignal): Promise<Piece[]> {
  if (pieces.length === 0) return [];
  const stats = await guarded(asking(way), signal, (end) => way.session.survey(pieces.map((piece) => piece.staged), end));
  return pieces.filter((piece, index) => stats[index]?.bytes === piece.delivery.source.size);
}

/** A staged file that turns out wrong is no failed attempt: it was never finished. It is sent again. */
function forgetMismatch(piece: Piece): void {
  if (piece.outcome && "failure" in piece.outcome && piece.outcome.failure.code === "mismatch") piece.outcome = null;
}

async function sweepStrangers(left: ReadonlySet<string>, way: Way, signal: AbortSignal): Promise<void> {
  const kept = way.attempts.kept();
  const go = [...left].filter((attempt) => !kept.has(attempt));
  if (go.length === 0) return;
  await guarded(
    { ...asking(way), what: `clean up at ${way.destination.name}` },
    signal,
    (end) => way.session.sweep(go, end),
  );
  way.tell({ type: "swept", name: way.destination.name, count: go.length });
}

function attemptOf({ state }: Delivery): string {
  return state.state === "sending" ? state.attempt : "none";
}
