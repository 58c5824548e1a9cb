/** Gives verified files their final names. Whatever was not verified has no receipt and never gets here. */
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { isMirror, type Replaced, takeReplaced } from "../mirror/replaced.ts";
import { type Batch, giveUp, undecided } from "../batch.ts";

export async function publish(batch: Batch, signal: AbortSignal): Promise<void> {
  const { items, context, session } = batch;
  const verified = undecided(items).filter((item) => item.receipt !== null);
  if (verified.length === 0) return;
  const { destination, emit } = context;
  const { onConflict, fileMode, directoryMode } = destination;
  const publications = verified.map((item) => ({
    staged: item.staged,
    target: item.delivery.target,
    onConflict,
    fileMode,
    directoryMode,
  }));
  const outcomes = await session.publish(publications, signal);
  const replaced: Replaced[] = [];
  verified.forEach((item, index) => {
    const outcome = outcomes[index];
    if (!outcome) return giveUp(item, new Error("the method gave no outcome for a publication"));
    if (!outcome.published) {
      const { code, message, hint, next } = outcome.failure;
      const isSkipped = code === "exists" && onConflict === "skip";
      return giveUp(item, new Failure(isSkipped ? "skipped" : code, message, { hint, next }));
    }
    const { former } = outcome;
    if (former !== undefined && isMirror(context)) replaced.push({ item, former });
    else if (item.receipt) item.outcome = { receipt: item.receipt };
    if (former === undefined) return;
    const names = `"${printable(item.delivery.target)}" at ${destination.name}`;
    const message = `A different file had the name ${names}: kept as "${printable(former)}"`;
    emit({ type: "notice", level: "info", message });
  });
  // Without their outcomes: if the destination goes away now, the next attempt finds them there, and comes here again.
  await takeReplaced(replaced, batch, signal);
  for (const { item } of replaced) if (item.receipt) item.outcome = { receipt: item.receipt };
  context.unflushed.forget(verified.flatMap(({ delivery }, index) => outcomes[index]?.published ? [delivery.target] : []));
}
