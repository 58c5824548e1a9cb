/**
 * Sends the items of a batch to their staging names. Their sources are hashed at the same time: by the method, which reads them
 * anyway, or beside it.
 */
import { anySignal } from "../../async/abort.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import type { ConflictPolicy, Destination } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import type { Upload } from "../../methods/method.ts";
import { hashSources, isLongRead, outlastRacy, outlastTick, takeHash } from "./check.ts";
import { finishAhead } from "../ahead/finish_ahead.ts";
import { crashPoint } from "../crash_point.ts";
import { type Batch, giveUp, type Item, undecided } from "../batch.ts";
import { succeed } from "../destination_context.ts";

/** If so much was sent, the connection works, even if it breaks before the file is complete. */
const TELLING_BYTES = 1024 * 1024;

/** Waits for its turn, then puts all items in one call. Items that were not put are given up. */
export async function put(batch: Batch, signal: AbortSignal): Promise<void> {
  const { context, session } = batch;
  const certain = await batch.writers.beforeSending();
  const fitting = keepRoom(batch);
  if (fitting.length === 0) return;
  for (const { delivery } of fitting) context.begun.add(delivery.id);
  const hashes = context.destination.verify === "checksum";
  // Of a file that was sent while it grew little is left: it is read when it is certain that nobody writes to it.
  const early = hashes && session.parts ? fitting.filter(({ delivery }) => context.ahead.get(delivery.source)) : [];
  const whole = fitting.filter((item) => !early.includes(item));
  // Without a hash, only their facts can show a rewrite.
  if (!hashes) await outlastRacy(fitting, context, signal);
  else if (session.hashesSource) {
    await outlastRacy(whole.filter((item) => item.sha256 === null && isLongRead(item)), context, signal);
  }
  await outlastTick(fitting, context, signal);
  if (early.length > 0) await batch.writers.over();
  using _transfer = await context.parallelTransfers.acquire(signal);
  using _sync = await context.concurrentSyncs.acquire(signal);
  using over = anySignal(signal);
  const rest = [...whole];
  for (const item of early) {
    context.transfers.begin(item.delivery);
    try {
      const onBytes = (bytes: number) => {
        crashPoint("during_put", context.system);
        context.transfers.at(item.delivery, bytes);
      };
      if (!await finishAhead(item, batch, onBytes, signal)) rest.push(item);
    } finally {
      context.transfers.end(item.delivery);
    }
  }
  if (rest.length === 0) return;
  const hashing = hashes && certain && !session.hashesSource ? hashSources(rest, context, over.signal) : Promise.resolve();
  hashing.catch(() => undefined); // Awaited below, unless sending fails first.
  await send(rest, batch, certain, signal);
  await hashing;
}

async function send(items: readonly Item[], { context, session }: Batch, certain: boolean, signal: AbortSignal): Promise<void> {
  const { attempts, transfers, system, destination } = context;
  const uploads = items.map((item): Upload => {
    const { source, target } = item.delivery;
    const leftover = attempts.leftover(item.delivery);
    return {
      source,
      staged: item.staged,
      ...(item.mode === null ? {} : { mode: item.mode }),
      ...(leftover === undefined ? {} : { leftover }),
      ...(certain ? {} : { hashedLater: true }),
      ...(REPLACES.has(destination.onConflict) ? { target } : {}),
    };
  });
  const onBytes = (index: number, bytes: number) => {
    const item = items[index];
    if (!item || bytes <= 0) return;
    crashPoint("during_put", system);
    transfers.at(item.delivery, bytes);
    if (bytes >= TELLING_BYTES) succeed(context);
  };
  for (const item of items) transfers.begin(item.delivery);
  try {
    const readAt = system.now();
    const outcomes = await session.put(uploads, onBytes, signal);
    items.forEach((item, index) => {
      const outcome = outcomes[index];
      if (!outcome) giveUp(item, new Error("the method gave no outcome for an upload"));
      else if (!outcome.put) item.outcome ??= { failure: outcome.failure };
      else if (destination.verify === "checksum") {
        if (certain && outcome.sent && item.sha256 === null) takeHash(item, outcome.sent, readAt);
        item.there = outcome.there ?? null;
      }
    });
  } finally {
    for (const item of items) transfers.end(item.delivery);
  }
}

/** Where a newer version may follow: a file that has its name before it is recorded must not keep that one away. */
const REPLACES: ReadonlySet<ConflictPolicy> = new Set(["version", "overwrite"]);

/** The items that fit into the free space there; the others wait for more. */
function keepRoom({ items, context: { state: { known }, destination, ahead } }: Batch): readonly Item[] {
  const waiting = undecided(items);
  if (known.freeBytes === null) return waiting;
  let room = known.freeBytes - destination.minimumFreeBytes;
  for (const item of waiting) {
    const { source } = item.delivery;
    const bytes = source.size - ahead.bytesOf(source);
    if (bytes + destination.copySafetyMarginBytes <= room) room -= bytes;
    else giveUp(item, doesNotFit(source, destination));
  }
  return undecided(waiting);
}

export function doesNotFit({ path }: Pick<SourceFile, "path">, { name }: Pick<Destination, "name">): Failure {
  return failure(CAUSES.does_not_fit, `Cannot send "${printable(path)}" to ${name}`);
}
