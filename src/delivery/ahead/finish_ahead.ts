/**
 * Completes the part of a file that was sent while it grew. What was sent early counts only where the finished file still has the same
 * bytes, chunk by chunk, and the destination as well: the other chunks are sent again, and the rest is sent.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { anySignal } from "../../async/abort.ts";
import { paced } from "../../async/pace.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import { CHUNK_BYTES, type PartFiles } from "../../methods/method.ts";
import { sourceFailure } from "../../system/source_failure.ts";
import type { ChunkedDigest } from "../../system/system.ts";
import { type Batch, giveUp, type Item } from "../batch.ts";
import type { OutboxSystem } from "../destination_context.ts";
import { type AheadPart, type FormerPart, takeOver } from "./ahead_parts.ts";
import { writeFrom } from "./write_from.ts";

/** The part of a finished file, under the staging name of its delivery. */
interface Finishing extends Batch {
  readonly item: Item;
  readonly part: AheadPart;
  readonly parts: PartFiles;
  readonly head: Promise<Head>;
  /** Flushes that were begun. */
  readonly flushes: Promise<void>[];
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** The first chunk: programs that write video and cubes go back to the header at the end. */
interface Head {
  readonly isSame: boolean;
  /** Where it is not, all of the source is read again, as soon as that is known. */
  readonly reading: Promise<ChunkedDigest> | null;
}

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
  const { context: { ahead, attempts, system }, session } = batch;
  const { source } = item.delivery;
  const parts = session.parts!;
  const readAt = system.now();
  using over = anySignal(signal);
  const known = ahead.get(ahead.keyOf(source));
  const early = known && lookAtHead(source, known, parts, system, over.signal);
  const part = await takePart(item, batch, signal);
  if (part === null) return false;
  if (part.there.length > Math.floor(source.size / CHUNK_BYTES)) {
    attempts.end(part.attempt);
    return false;
  }
  await parts.move(part.staged, item.staged, signal);
  attempts.end(part.attempt);
  const head = early && part === known ? early : lookAtHead(source, part, parts, system, over.signal);
  const finishing: Finishing = { ...batch, item, part, parts, head, flushes: [], onBytes, signal };
  try {
    await complete(finishing);
    await Promise.all(finishing.flushes);
    await parts.finish(item.staged, source, signal);
    item.readAt = readAt;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Failure)) giveUp(item, sourceFailure(error, source.path));
    else if (error.code === "mismatch") item.outcome = { failure: failureRecord(error), counts: false };
    else if (error.code === "source_changed") giveUp(item, error);
    else throw error;
  }
  return true;
}

/** Begins to read the source where its header was changed: that takes longest. What is not awaited may fail. */
function lookAtHead(
  source: SourceFile,
  { there }: AheadPart,
  parts: PartFiles,
  system: OutboxSystem,
  signal: AbortSignal,
): Promise<Head> {
  const look = async (): Promise<Head> => {
    const [sha256] = await system.hashChunks(source, CHUNK_BYTES, [0], signal);
    const isSame = sha256 === there[0];
    // A part on this computer is compared meanwhile, and must have its name for that.
    const reading = isSame || parts.pathHere ? null : system.hashWithChunks(source, CHUNK_BYTES, null, signal);
    reading?.catch(() => undefined);
    return { isSame, reading };
  };
  const head = look();
  head.catch(() => undefined);
  return head;
}

/** What this session has of it, or what an earlier one left, taken over. */
async function takePart(
  { delivery: { source } }: Item,
  { context, session }: Batch,
  signal: AbortSignal,
): Promise<AheadPart | null> {
  const { ahead, attempts } = context;
  const { part, former } = ahead.take(source);
  // What is being written now ends first.
  await part?.inTurn(() => Promise.resolve());
  await part?.flushing;
  const isOurs = part !== null && part.session === session && !part.isBroken && part.there.length > 0;
  const left = part !== null && part.session !== session ? part : former;
  for (const other of [part, former]) {
    if (other !== null && other !== left && !(isOurs && other === part)) attempts.end(other.attempt);
  }
  if (isOurs) {
    if (left !== null) attempts.end(left.attempt);
    return part;
  }
  return left === null ? null : await takeLeft(left, source, { context, session }, signal);
}

async function takeLeft(
  left: FormerPart,
  source: SourceFile,
  { context: { ahead, attempts }, session }: Pick<Batch, "context" | "session">,
  signal: AbortSignal,
): Promise<AheadPart | null> {
  const mine = ahead.make(source, session);
  try {
    await takeOver(mine, left, session.parts!, signal);
  } catch (error) {
    attempts.end(mine.attempt);
    ahead.putBack(source, left);
    throw error;
  }
  attempts.end(left.attempt);
  if (mine.there.length > 0) return mine;
  attempts.end(mine.attempt);
  return null;
}

/** Makes the part equal to the source, and gives the item the hash of both. */
async function complete(finishing: Finishing): Promise<void> {
  const { part } = finishing;
  const head = await finishing.head;
  if (head.isSame && part.summed === part.there.length) {
    const behindHead = Array.from({ length: part.there.length - 1 }, (_, index) => index + 1);
    const [, changed] = await Promise.all([sendAndSum(finishing), differing(finishing, behindHead)]);
    if (changed.length === 0 && !part.there.includes(null)) return await take(finishing, part.sum.digest("hex"));
  }
  await completeAnew(finishing, head);
}

/**
 * Something was changed since it was sent: a hash cannot be patched, so all of the source is read once more, for its hash and for those of
 * its chunks. The destination must have the same chunks: then it has the file of that hash, and need not read all of it.
 */
async function completeAnew(finishing: Finishing, head: Head): Promise<void> {
  const { item, part } = finishing;
  const reading = head.reading ?? readAll(finishing);
  reading.catch(() => undefined); // Awaited below.
  const changed = head.isSame ? [] : [0];
  await sendAgain(finishing, changed);
  await lookAt(finishing, [...changed, ...await sendRest(finishing)]);
  const { bytes, sha256, chunks } = await reading;
  if (bytes !== item.delivery.source.size) throw sourceChanged(item);
  const isThere = (chunk: number) => chunks[chunk] === null || chunks[chunk] === part.there[chunk];
  const others = [...chunks.keys()].filter((chunk) => !isThere(chunk));
  await sendAgain(finishing, others);
  await lookAt(finishing, others);
  if (!others.every(isThere)) throw mismatch(item);
  await take(finishing, sha256);
}

function readAll({ context: { system }, item, part, parts, signal }: Finishing): Promise<ChunkedDigest> {
  const path = parts.pathHere?.(item.staged);
  // The others are written meanwhile.
  const like = path === undefined ? null : { path, from: 1, to: part.there.length };
  return system.hashWithChunks(item.delivery.source, CHUNK_BYTES, like, signal);
}

/** The destination has the file of this hash. */
async function take(finishing: Finishing, sha256: string): Promise<void> {
  const { item } = finishing;
  item.sha256 = sha256;
  item.there = { bytes: await sizeThere(finishing), sha256 };
}

/** Those of these chunks that the source has with other bytes than the destination, or of which that is not known. */
async function differing({ context: { system }, item, part, parts, signal }: Finishing, chunks: readonly number[]) {
  const { source } = item.delivery;
  const path = parts.pathHere?.(item.staged);
  if (path !== undefined) return await system.unlikeChunks(source, path, CHUNK_BYTES, chunks, signal);
  const here = await system.hashChunks(source, CHUNK_BYTES, chunks, signal);
  return chunks.filter((chunk, index) => here[index] !== part.there[chunk]);
}

/** Sends what is behind the part, carrying its hash along. What is not there as it was read is not known. */
async function sendAndSum(finishing: Finishing): Promise<void> {
  const { part } = finishing;
  const sums: string[] = [];
  const rest = await sendRest(finishing, (content) => {
    part.sum.update(content);
    sums.push(createHash("sha256").update(content).digest("hex"));
  });
  await lookAt(finishing, rest);
  rest.forEach((chunk, index) => {
    if (part.there[chunk] !== sums[index]) part.there[chunk] = null;
  });
}

/** Sends what is behind the part; gives its chunks. What is there is flushed beside it: publishing then has little left to flush. */
async function sendRest(finishing: Finishing, onChunk: (content: Uint8Array) => void = () => {}): Promise<number[]> {
  const { item, part, parts, signal } = finishing;
  const first = part.there.length;
  const count = Math.ceil(item.delivery.source.size / CHUNK_BYTES) - first;
  flushBeside(finishing);
  if (count > 0) {
    await writeFrom(rest(finishing, onChunk), (content) => parts.append(item.staged, first, content, signal));
    flushBeside(finishing);
  }
  return Array.from({ length: count }, (_, index) => first + index);
}

async function* rest(
  { context: { system, ahead }, item, part, onBytes, signal }: Finishing,
  onChunk: (content: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  const { source } = item.delivery;
  const { size } = source;
  for (let from = part.there.length * CHUNK_BYTES; from < size; from += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, size - from);
    const content = await system.read(source, from, length);
    if (content.length < length) throw sourceChanged(item);
    onChunk(content);
    let at = from;
    for await (const piece of paced(content, ahead.pace, signal)) {
      yield piece;
      onBytes(at += piece.length);
    }
  }
}

/** It is waited for before the part is taken for whole: Linux tells of an error of the disk only once (fsync(2)). */
function flushBeside({ item, parts, flushes, signal }: Finishing): void {
  const flush = parts.flush(item.staged, signal);
  flush.catch(() => undefined);
  flushes.push(flush);
}

/** Sends chunks again that the source has with other bytes. */
async function sendAgain(
  { context: { system, ahead }, item, parts, signal }: Finishing,
  chunks: readonly number[],
): Promise<void> {
  for (const chunk of chunks) {
    const content = await system.read(item.delivery.source, chunk * CHUNK_BYTES, CHUNK_BYTES);
    await parts.replace(item.staged, chunk, paced(content, ahead.pace, signal), signal);
  }
}

/** Learns what the destination has now of these chunks. */
async function lookAt({ item, part, parts, signal }: Finishing, chunks: readonly number[]): Promise<void> {
  if (chunks.length === 0) return;
  const there = await parts.digests(item.staged, chunks, signal);
  chunks.forEach((chunk, index) => part.there[chunk] = there[index] ?? null);
}

/** @throws {Failure} `mismatch` where it is not there. */
async function sizeThere({ item, session, signal }: Finishing): Promise<number> {
  const [stat] = await session.survey([item.staged], signal);
  if (stat?.kind !== "file") throw mismatch(item);
  return stat.bytes;
}

function mismatch({ delivery: { source, destination } }: Item): Failure {
  return new Failure("mismatch", `Cannot send "${printable(source.path)}": ${destination} has other bytes than were sent`, {
    hint: "It is sent again. If it persists, check the disks of both ends.",
  });
}

function sourceChanged({ delivery: { source } }: Item): Failure {
  return new Failure("source_changed", `Cannot send "${printable(source.path)}": it became shorter while it was sent`, {
    hint: "It is checked again.",
  });
}
