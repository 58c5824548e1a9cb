/**
 * Completes the part of a file that was sent while it grew. The finished file is read once, for its hash and for those of its chunks: the
 * chunks that the destination does not have with the same bytes are sent. Then it has the file of that hash, and need not read all of it again.
 */
import { paced } from "../../async/pace.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { CHUNK_BYTES } from "../../methods/method.ts";
import { sourceFailure } from "../../system/fault.ts";
import { type Batch, giveUp, type Item } from "../batch.ts";
import type { AheadPart } from "./ahead_parts.ts";

/**
 * True where the item is dealt with: it is staged whole, or has failed. False where there is nothing that could be used: it is to be sent
 * like any other.
 *
 * @throws {Failure} of the destination.
 */
export async function finishAhead(
  item: Item,
  batch: Batch,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const { context: { ahead, system }, session } = batch;
  const { source } = item.delivery;
  // What is being written now ends first.
  const part = await ahead.inTurn(async () => {
    const known = ahead.get(source);
    return known === undefined || known.isBroken ? null : await ahead.take(await ahead.open(source, session, signal));
  });
  if (part === null) return false;
  if (part.there.length === 0 || part.there.length > Math.floor(source.size / CHUNK_BYTES)) {
    ahead.drop(part);
    return false;
  }
  const readAt = system.now();
  try {
    const sha256 = await complete(item, part, batch, onBytes, signal);
    const [stat] = await session.survey([item.staged], signal);
    item.sha256 = sha256;
    item.readAt = readAt;
    item.there = stat?.kind === "file" ? { bytes: stat.bytes, sha256 } : null;
    ahead.drop(part);
  } catch (error) {
    const isOfFile = !(error instanceof Failure) || ["mismatch", "source_changed"].includes(error.code);
    if (isOfFile && !signal.aborted) ahead.drop(part);
    else ahead.leave(part);
    signal.throwIfAborted();
    if (!(error instanceof Failure)) giveUp(item, sourceFailure(error, source.path));
    else if (error.code === "mismatch") item.outcome = { failure: failureRecord(error), counts: false };
    else if (error.code === "source_changed") giveUp(item, error);
    else throw error;
  }
  return true;
}

/** Makes the part equal to the source, and gives it the item's staging name; gives the hash of both. */
async function complete(
  item: Item,
  part: AheadPart,
  { context: { system, ahead }, session }: Batch,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const { source } = item.delivery;
  const { staged, there } = part;
  const parts = session.parts!;
  const content = async function* (chunks: readonly number[]) {
    for (const chunk of chunks) {
      let at = chunk * CHUNK_BYTES;
      const length = Math.min(CHUNK_BYTES, source.size - at);
      const bytes = await system.read(source, at, length);
      if (bytes.length < length) throw sourceChanged(item);
      for await (const piece of paced(bytes, ahead.pace, signal)) {
        yield piece;
        onBytes(at += piece.length);
      }
    }
  };
  const look = async (chunks: readonly number[]) => {
    const found = chunks.length === 0 ? [] : await parts.digests(staged, chunks, signal);
    chunks.forEach((chunk, index) => there[chunk] = found[index] ?? null);
  };

  const reading = system.hashWithChunks(source, CHUNK_BYTES, signal);
  // Publishing has little left to flush then.
  const flushing = ahead.flush(part, signal);
  for (const promise of [reading, flushing]) promise.catch(() => undefined); // Awaited below.
  const first = there.length;
  const rest = Array.from({ length: Math.ceil(source.size / CHUNK_BYTES) - first }, (_, index) => first + index);
  if (rest.length > 0) await writeFrom(content(rest), (content) => parts.append(staged, first, content, signal));
  await look(rest);
  const { bytes, sha256, chunks } = await reading;
  if (bytes !== source.size) throw sourceChanged(item);
  const differing = () => [...chunks.keys()].filter((chunk) => chunks[chunk] !== there[chunk]);
  const changed = differing();
  for (const chunk of changed) {
    await writeFrom(content([chunk]), (content) => parts.replace(staged, chunk, content, signal));
  }
  await look(changed);
  if (differing().length > 0) {
    const message = `Cannot send "${printable(source.path)}": ${item.delivery.destination} has other bytes than were sent`;
    throw new Failure("mismatch", message, { hint: "It is sent again. If it persists, check the disks of both ends." });
  }
  await flushing;
  await parts.finish(staged, item.staged, source, signal);
  return sha256;
}

function sourceChanged({ delivery: { source } }: Item): Failure {
  return new Failure("source_changed", `Cannot send "${printable(source.path)}": it became shorter while it was sent`, {
    hint: "It is checked again.",
  });
}

/** Has `write` write what is read here. @throws what reading throws, as it is, never as a failure of the destination; else what writing throws. */
export async function writeFrom(
  content: AsyncIterable<Uint8Array>,
  write: (content: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const read: { failed?: { readonly error: unknown } } = {};
  const guarded = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* content;
    } catch (error) {
      read.failed = { error };
      throw error;
    }
  };
  try {
    await write(guarded());
  } catch (error) {
    throw read.failed === undefined ? error : read.failed.error;
  }
}
