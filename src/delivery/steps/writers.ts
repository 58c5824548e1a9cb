/**
 * Whether a program is writing to the sources of a batch. A long write() sets the times of its file when it begins; from then on only
 * the open file tells of it. So the order that proves a version is: its facts, this look, its bytes from first to last, its facts again. A
 * write that began before the look has the file open, one that begins later changes the facts.
 *
 * @module
 */
import { failureRecord } from "../../domain/failure.ts";
import { sourceFailure, sourceFailureOf } from "../../system/source_failure.ts";
import { type Item, type OpenSession, sizeOf, undecided, type WritersLook } from "../batch.ts";
import { outlastTick } from "./check.ts";

/** Begins to look for the writers of these sources; those that are open for writing are given up. */
export function lookForWriters(items: readonly Item[], open: OpenSession): WritersLook {
  const { context: { destination }, session, hard } = open;
  const isSmall = items.length <= SENT_EARLY_FILES && sizeOf(items) <= SENT_EARLY_BYTES;
  const maySendEarly = isSmall && destination.verify === "checksum" && session.showsInPut !== true;
  let isOver = false;
  const looking = giveUpWritten(undecided(items), open, hard).then(() => void (isOver = true));
  looking.catch(() => undefined); // Awaited before anything is published.
  return {
    over: () => looking,
    async beforeSending() {
      if (!maySendEarly) await looking;
      return isOver;
    },
  };
}

async function giveUpWritten(items: readonly Item[], { context }: OpenSession, signal: AbortSignal): Promise<void> {
  const pathOf = ({ delivery }: Item) => delivery.source.absolutePath;
  const early = await Promise.all(items.map(({ delivery }) => context.looks?.of(delivery.source)?.catch(() => undefined)));
  // What was open then may be closed by now.
  const unknown = items.filter((_, index) => early[index] !== false);
  if (unknown.length === 0) return;
  await outlastTick(unknown, context, signal);
  try {
    const open = await context.system.openForWriting(unknown.map(pathOf), signal);
    for (const item of unknown) if (open?.has(pathOf(item))) postpone(item, sourceFailureOf("busy", pathOf(item)));
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    for (const item of unknown) postpone(item, sourceFailure(error, pathOf(item)));
  }
}

/** No attempt is used up: nothing is wrong with the file. */
function postpone(item: Item, failure: Error): void {
  item.outcome ??= { failure: failureRecord(failure), counts: false };
}

const SENT_EARLY_FILES = 8;
/** They are sent and hashed one after the other in less time than a look takes. */
const SENT_EARLY_BYTES = 16 * 1024 * 1024;
