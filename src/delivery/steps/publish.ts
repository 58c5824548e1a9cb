/**
 * Gives proven files their final names. Whatever was not proven has no receipt and never gets here.
 *
 * @module
 */
import { Failure, type FailureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { guarded } from "../guarded.ts";
import { files } from "./prove.ts";
import { giveUp, type Piece, type Way } from "../way.ts";

/** Publishes all pieces that have a receipt in one call. */
export async function publish(pieces: readonly Piece[], way: Way, signal: AbortSignal): Promise<void> {
  const proven = pieces.filter((piece) => piece.receipt !== null);
  if (proven.length === 0) return;
  const { onConflict, fileMode, directoryMode, name } = way.destination;
  const items = proven.map((piece) => ({
    staged: piece.staged,
    target: piece.delivery.target,
    onConflict,
    fileMode,
    directoryMode,
  }));
  const guard = { what: `publish ${files(items.length)} at ${name}`, timeoutMs: way.destination.timeoutMs, clock: way.system };
  const outcomes = await guarded(guard, signal, (end) => way.session.publish(items, end));
  proven.forEach((piece, index) => {
    const outcome = outcomes[index];
    if (!outcome) return giveUp(piece, new Error("the method gave no outcome for a publication"));
    if (outcome.published && piece.receipt) {
      piece.outcome = { receipt: piece.receipt };
      if (outcome.former !== undefined) tellFormer(piece, outcome.former, way);
      return;
    }
    if (!outcome.published) giveUp(piece, refusal(outcome.failure, way));
  });
}

function refusal({ code, message, hint, next }: FailureRecord, way: Way): Failure {
  const skipped = code === "exists" && way.destination.onConflict === "skip";
  return new Failure(skipped ? "skipped" : code, message, { hint, next });
}

function tellFormer(piece: Piece, former: string, way: Way): void {
  const names = `"${printable(piece.delivery.target)}" at ${way.destination.name}`;
  way.tell({ type: "notice", level: "info", message: `A different file had the name ${names}: kept as "${printable(former)}"` });
}
