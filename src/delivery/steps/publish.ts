/**
 * Gives proven files their final names. Whatever was not proven has no receipt and never gets here.
 *
 * @module
 */
import { Failure, type FailureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { withWatchdog } from "../watchdog.ts";
import { files } from "./verify.ts";
import { type Batch, giveUp, type Item } from "../batch.ts";

/** Publishes all items that have a receipt in one call. */
export async function publish(items: readonly Item[], batch: Batch, signal: AbortSignal): Promise<void> {
  const proven = items.filter((item) => item.receipt !== null);
  if (proven.length === 0) return;
  const { onConflict, fileMode, directoryMode, name } = batch.destination;
  const publications = proven.map((item) => ({
    staged: item.staged,
    target: item.delivery.target,
    onConflict,
    fileMode,
    directoryMode,
  }));
  const watchdog = {
    what: `publish ${files(publications.length)} at ${name}`,
    timeoutMs: batch.destination.timeoutMs,
    clock: batch.system,
  };
  const outcomes = await withWatchdog(watchdog, signal, (end) => batch.session.publish(publications, end));
  proven.forEach((item, index) => {
    const outcome = outcomes[index];
    if (!outcome) return giveUp(item, new Error("the method gave no outcome for a publication"));
    if (outcome.published && item.receipt) {
      item.outcome = { receipt: item.receipt };
      if (outcome.former !== undefined) tellFormer(item, outcome.former, batch);
      return;
    }
    if (!outcome.published) giveUp(item, refusal(outcome.failure, batch));
  });
}

function refusal({ code, message, hint, next }: FailureRecord, batch: Batch): Failure {
  const skipped = code === "exists" && batch.destination.onConflict === "skip";
  return new Failure(skipped ? "skipped" : code, message, { hint, next });
}

function tellFormer(item: Item, former: string, batch: Batch): void {
  const names = `"${printable(item.delivery.target)}" at ${batch.destination.name}`;
  batch.emit({
    type: "notice",
    level: "info",
    message: `A different file had the name ${names}: kept as "${printable(former)}"`,
  });
}
