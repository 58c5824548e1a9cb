/**
 * Carries one batch through the corridor: check → adopt → put → prove → publish → record. Rounds to the
 * destination are per batch, never per file; what happens to one file never decides the fate of another.
 *
 * @module
 */
import type { Delivery } from "../domain/delivery.ts";
import { Failure, type FailureRecord, failureRecord, isOutage } from "../domain/failure.ts";
import { adoptExisting, adoptGone } from "./steps/adopt.ts";
import { checkSources } from "./steps/check_source.ts";
import { crashPoint } from "./crash_point.ts";
import { takeNames } from "./steps/folded_names.ts";
import { guarded } from "./guarded.ts";
import { asking, prove } from "./steps/prove.ts";
import { publish } from "./steps/publish.ts";
import { put } from "./steps/put.ts";
import { record } from "./steps/record.ts";
import { giveUp, open, type Piece, pieceOf, stagedName, type Way } from "./way.ts";

/** How often a batch is cut in two to find the file that spoils it; then the rest shares its failure. */
const MOST_PASSES = 40;

/**
 * Delivers what can be delivered and records what became of each.
 *
 * @returns the failure of the destination, if it had one: nothing more should be sent until it is back.
 */
export async function carry(
  deliveries: readonly Delivery[],
  attempt: string,
  way: Way,
  signal: AbortSignal,
): Promise<FailureRecord | null> {
  const pieces = deliveries.map((delivery) => pieceOf(delivery, attempt, way));
  using _names = takeNames(pieces, way);
  await pass(pieces, attempt, { left: MOST_PASSES }, way, signal);
  const trouble = troubleOf(pieces);
  for (const piece of pieces) keepOrForget(piece, way);
  await record(pieces, way, signal);
  way.attempts.end(attempt);
  return trouble;
}

/** One pass of the corridor. A batch that fails as a whole, but not by an outage, is tried again in halves. */
async function pass(
  pieces: readonly Piece[],
  attempt: string,
  budget: { left: number },
  way: Way,
  signal: AbortSignal,
): Promise<void> {
  budget.left -= 1;
  try {
    await checkSources(pieces, way);
    await adoptGone(pieces, way, signal);
    await adoptExisting(pieces, way, signal);
    await put(open(pieces), way, signal);
    crashPoint("after_put", way.system);
    await prove(open(pieces), way, signal);
    crashPoint("after_verify", way.system);
    await publishAlone(open(pieces), attempt, way, signal);
    crashPoint("after_publish", way.system);
  } catch (error) {
    const failure = failureRecord(error);
    if (failure.code === "internal") way.tell({ type: "notice", level: "error", message: failure.message, error });
    const rest = open(pieces);
    if (isOutage(failure) || rest.length < 2 || budget.left < 2) {
      for (const piece of rest) giveUp(piece, failureOf(failure));
      return;
    }
    const middle = Math.ceil(rest.length / 2);
    for (const [name, half] of [[`${attempt}a`, rest.slice(0, middle)], [`${attempt}b`, rest.slice(middle)]] as const) {
      await pass(restaged(half, name, way), name, budget, way, signal);
      // Not before: another lane may sweep what has ended at any time.
      way.attempts.end(name);
    }
  }
}

/** Publishes when no earlier attempt can do so any more: it could put an old version in the place of a newer one. */
async function publishAlone(pieces: readonly Piece[], attempt: string, way: Way, signal: AbortSignal): Promise<void> {
  if (pieces.length === 0) return;
  const guard = { ...asking(way), what: `end an earlier attempt at ${way.destination.name}` };
  await way.attempts.endDoubts((attempts) => guarded(guard, signal, (end) => way.session.sweep(attempts, end)));
  try {
    await publish(pieces, way, signal);
  } catch (error) {
    way.attempts.doubt(attempt);
    throw error;
  }
}

/** The same pieces under fresh staging names: what is left of the spoilt pass must not be taken for theirs. */
function restaged(pieces: readonly Piece[], attempt: string, way: Way): readonly Piece[] {
  for (const piece of pieces) {
    piece.staged = stagedName(way.stagingRoot, attempt, piece.delivery);
    piece.receipt = null;
  }
  return pieces;
}

/** What speaks against the destination as a whole. */
function troubleOf(pieces: readonly Piece[]): FailureRecord | null {
  const outages = pieces.filter((piece) => piece.outcome && "failure" in piece.outcome && isOutage(piece.outcome.failure));
  const works = pieces.some((piece) => piece.outcome && "receipt" in piece.outcome);
  let trouble: FailureRecord | null = null;
  for (const piece of outages) {
    const outcome = piece.outcome as { failure: FailureRecord };
    // Where others arrived, a folder that may not be written is this file's own trouble.
    if (works && OWN_IF_OTHERS_ARRIVE.has(outcome.failure.code)) {
      piece.outcome = { failure: { ...outcome.failure, next: "later" } };
    } else if (outcome.failure.code !== "stopped") {
      trouble ??= outcome.failure;
    }
  }
  return trouble;
}

const OWN_IF_OTHERS_ARRIVE: ReadonlySet<string> = new Set(["permission_denied", "not_a_folder"]);

function keepOrForget(piece: Piece, way: Way): void {
  const { outcome } = piece;
  const mismatch = outcome && "failure" in outcome && outcome.failure.code === "mismatch";
  // The part that it went on with was wrong. Without it the next attempt sends the whole: the file itself is not at fault.
  if (mismatch && way.attempts.leftover(piece.delivery) !== undefined) piece.outcome = { ...outcome, counts: false };
  if (outcome && "failure" in outcome && isOutage(outcome.failure)) way.attempts.leave(piece.delivery, piece.staged);
  else way.attempts.forget(piece.delivery);
}

function failureOf(record: FailureRecord): Failure {
  return new Failure(record.code, record.message, { hint: record.hint, next: record.next });
}
