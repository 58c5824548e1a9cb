/**
 * Whether a program is writing to the sources of a batch. A long write() sets the times of its file when it begins; from then on only
 * the open file tells of it. So the order that proves a version is: its facts, this look, its bytes from first to last, its facts again. A
 * write that began before the look has the file open, one that begins later changes the facts.
 *
 * @module
 */
import { mapLimit } from "../../async/map_limit.ts";
import { failureRecord } from "../../domain/failure.ts";
import { sourceFailure, sourceFailureOf } from "../../system/source_failure.ts";
import { giveUp, type Item, type OpenSession, sizeOf, undecided, type WritersLook } from "../batch.ts";
import { changed, outlastTick } from "./check.ts";

/** Begins to look for the writers of these sources; those that are open for writing are given up. */
export function lookForWriters(items: readonly Item[], open: OpenSession): WritersLook {
  const { context: { destination, fileOperations }, session, hard } = open;
  const mayReadTwice = destination.verify === "checksum" && session.showsInPut !== true && sizeOf(items) <= READ_TWICE_BYTES;
  const doubted = new Set<Item>();
  let state: "looking" | "over" | "disposed" = "looking";
  const looking = giveUpWritten(undecided(items), open).then(() => {
    if (state === "looking") state = "over";
  });
  looking.catch(() => undefined); // Awaited before anything is published.

  async function readAgain(item: Item): Promise<void> {
    const { source } = item.delivery;
    try {
      const { sha256 } = await open.context.system.hash(source.absolutePath, hard);
      if (state === "disposed") return;
      if (sha256 !== item.sha256) throw changed(source);
      doubted.delete(item);
    } catch (error) {
      if (hard.aborted) throw hard.reason;
      if (state !== "disposed") giveUp(item, sourceFailure(error, source.absolutePath));
    }
  }

  return {
    over: () => looking,
    async beforeSending() {
      if (!mayReadTwice) await looking;
      else if (state === "looking") { for (const item of undecided(items)) if (item.sha256 === null) doubted.add(item); }
    },
    async confirm(items) {
      await looking;
      await mapLimit(undecided(items).filter((item) => doubted.has(item)), fileOperations, readAgain, hard);
    },
    [Symbol.dispose]() {
      state = "disposed";
      for (const item of doubted) item.sha256 = item.readAt = null;
    },
  };
}

async function giveUpWritten(items: readonly Item[], { context, hard }: OpenSession): Promise<void> {
  if (items.length === 0) return;
  await outlastTick(items, context, hard);
  const pathOf = ({ delivery }: Item) => delivery.source.absolutePath;
  try {
    const open = await context.system.openForWriting(items.map(pathOf), hard);
    for (const item of items) if (open?.has(pathOf(item))) postpone(item, sourceFailureOf("busy", pathOf(item)));
  } catch (error) {
    if (hard.aborted) throw hard.reason;
    for (const item of items) postpone(item, sourceFailure(error, pathOf(item)));
  }
}

/** No attempt is used up: nothing is wrong with the file. */
function postpone(item: Item, failure: Error): void {
  item.outcome ??= { failure: failureRecord(failure), counts: false };
}

/** They are read in less time than a look takes. */
const READ_TWICE_BYTES = 16 * 1024 * 1024;
