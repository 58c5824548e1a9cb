/**
 * Gives proven files their final names. Whatever was not proven has no receipt and never gets here.
 *
 * @module
 */
import { Failure, type FailureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { guarded } from "../guarded.ts";
import { files } from "./prove.ts";
import { giveUp, type Item, type Way } from "../way.ts";

/** Publishes all items that have a receipt in one call. */
export async function publish(items: readonly Item[], way: Way, signal: AbortSignal): Promise<void> {
  const proven = items.filter((item) => item.receipt !== null);
  if (proven.length === 0) return;
  const { onConflict, fileMode, directoryMode, name } = way.destination;
  const publications = proven.map((item) => ({
    staged: item.staged,
    target: item.delivery.target,
    onConflict,
    fileMode,
    directoryMode,
  }));
  const guard = {
    what: `publish ${files(publications.length)} at ${name}`,
    timeoutMs: way.destination.timeoutMs,
    clock: way.system,
  };
  const outcomes = await guarded(guard, signal, (end) => way.session.publish(publications, end));
  proven.forEach((item, index) => {
    const outcome = outcomes[index];
    if (!outcome) return giveUp(item, new Error("the method gave no outcome for a publication"));
    if (outcome.published && item.receipt) {
      item.outcome = { receipt: item.receipt };
      if (outcome.former !== undefined) tellFormer(item, outcome.former, way);
      return;
    }
    if (!outcome.published) giveUp(item, refusal(outcome.failure, way));
  });
}

function refusal({ code, message, hint, next }: FailureRecord, way: Way): Failure {
  const skipped = code === "exists" && way.destination.onConflict === "skip";
  return new Failure(skipped ? "skipped" : code, message, { hint, next });
}

function tellFormer(item: Item, former: string, way: Way): void {
  const names = `"${printable(item.delivery.target)}" at ${way.destination.name}`;
  way.emit({ type: "notice", level: "info", message: `A different file had the name ${names}: kept as "${printable(former)}"` });
}
