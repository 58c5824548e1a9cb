/**
 * Completes the part of a file that was sent while it grew. What was sent early counts only where the finished file still has the same
 * bytes, chunk by chunk, and the destination as well: the other chunks are sent again, and the rest is sent.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import { CHUNK_BYTES, type PartFiles } from "../../methods/method.ts";
import { sourceFailure } from "../../system/source_failure.ts";
import { type Batch, giveUp, type Item } from "../batch.ts";
import { type AheadPart, type FormerPart, takeOver } from "./ahead_parts.ts";
import { writeFrom } from "./write_from.ts";

/** A piece that is handed to the method. */
const PIECE_BYTES = 256 * 1024;

/** The part of a finished file, under the staging name of its delivery. */
interface Finishing extends Batch {
  readonly item: Item;
  readonly part: AheadPart;
  readonly parts: PartFiles;
  /** Flushes that were begun. */
  readonly flushes: Promise<void>[];
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal;
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
  const part = await takePart(item, batch, signal);
  if (part === null) return false;
  const { context: { attempts, system }, session } = batch;
  const { source } = item.delivery;
  const parts = session.parts!;
  if (part.there.length > Math.floor(source.size / CHUNK_BYTES)) {
    attempts.end(part.attempt);
    return false;
  }
  await parts.move(part.staged, item.staged, signal);
  attempts.end(part.attempt);
  const finishing: Finishing = { ...batch, item, part, parts, flushes: [], onBytes, signal };
  try {
    const readAt = system.now();
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
  const { item, part } = finishing;
  const isSummed = part.summed === part.there.length;
  // Programs that write video and cubes go back to the header at the end: then the hash of the whole decides about the rest.
  if ((await differing(finishing, [0])).length > 0) return await completeHead(finishing);
  const [rest, changed] = await Promise.all([sendAndFlush(finishing), differing(finishing, behindHead(part))]);
  await demandSame(finishing, rest);
  if (changed.length === 0 && isSummed) {
    item.sha256 = part.sum.digest("hex");
    item.there = { bytes: await sizeThere(finishing), sha256: item.sha256 };
    return;
  }
  const hashing = hashSource(finishing);
  hashing.catch(() => undefined); // Awaited below.
  await sendAgain(finishing, changed);
  item.there = await digestThere(finishing);
  item.sha256 = await hashing;
}

/** Sends the head again, and what is behind the part. Hashing the source takes longest: it begins first. */
async function completeHead(finishing: Finishing): Promise<void> {
  const { item, part } = finishing;
  const hashing = hashSource(finishing);
  hashing.catch(() => undefined); // Awaited below.
  await sendAgain(finishing, [0]);
  const rest = await sendAndFlush(finishing);
  [item.there] = await Promise.all([digestThere(finishing), demandSame(finishing, rest)]);
  item.sha256 = await hashing;
  if (item.there.sha256 === item.sha256) return;
  await sendAgain(finishing, await differing(finishing, behindHead(part)));
  item.there = await digestThere(finishing);
}

async function hashSource({ context: { system }, item, signal }: Finishing): Promise<string> {
  return (await system.hash(item.delivery.source.absolutePath, signal)).sha256;
}

function behindHead({ there }: AheadPart): number[] {
  return Array.from({ length: there.length - 1 }, (_, index) => index + 1);
}

/** Sends what is behind the part. What is there is flushed beside the work that follows: publishing then has little left to flush. */
async function sendAndFlush(finishing: Finishing): Promise<string[]> {
  flushBeside(finishing);
  const rest = await sendRest(finishing);
  flushBeside(finishing);
  return rest;
}

/** It is waited for before the part is taken for whole: Linux tells of an error of the disk only once (fsync(2)). */
function flushBeside({ item, parts, flushes, signal }: Finishing): void {
  const flush = parts.flush(item.staged, signal);
  flush.catch(() => undefined);
  flushes.push(flush);
}

/** Those of these chunks that the source has with other bytes than the destination. */
async function differing({ context: { system }, item, part, signal }: Finishing, chunks: readonly number[]): Promise<number[]> {
  const here = await system.hashChunks(item.delivery.source.absolutePath, CHUNK_BYTES, chunks, signal);
  return chunks.filter((chunk, index) => here[index] !== part.there[chunk]);
}

/** Sends what is behind the part; gives the SHA-256 of these chunks as they were read. */
async function sendRest({ context: { system, ahead }, item, part, parts, onBytes, signal }: Finishing): Promise<string[]> {
  const { absolutePath, size } = item.delivery.source;
  const first = part.there.length;
  const digests: string[] = [];
  const content = async function* (): AsyncGenerator<Uint8Array> {
    for (let chunk = first; chunk * CHUNK_BYTES < size; chunk++) {
      const length = Math.min(CHUNK_BYTES, size - chunk * CHUNK_BYTES);
      const bytes = await system.read(absolutePath, chunk * CHUNK_BYTES, length);
      if (bytes.length < length) throw changed(item);
      part.sum.update(bytes);
      digests.push(createHash("sha256").update(bytes).digest("hex"));
      for (let at = 0; at < length;) {
        const piece = bytes.subarray(at, at + Math.min(PIECE_BYTES, ahead.pace.atOnce));
        await ahead.pace.next(piece.length, signal);
        yield piece;
        at += piece.length;
        onBytes(chunk * CHUNK_BYTES + at);
      }
    }
  };
  await writeFrom(content(), (content) => parts.append(item.staged, first, content, signal));
  return digests;
}

/** Sends chunks again that the source has with other bytes. */
async function sendAgain(
  { context: { system, ahead }, item, parts, signal }: Finishing,
  chunks: readonly number[],
): Promise<void> {
  for (const chunk of chunks) {
    const content = await system.read(item.delivery.source.absolutePath, chunk * CHUNK_BYTES, CHUNK_BYTES);
    await ahead.pace.next(content.length, signal);
    await parts.replace(item.staged, chunk, content, signal);
  }
}

/** @throws {Failure} `mismatch` where the destination has other bytes than were sent last. */
async function demandSame({ item, part, parts, signal }: Finishing, sent: readonly string[]): Promise<void> {
  const there = await parts.digests(item.staged, sent.map((_, index) => part.there.length + index), signal);
  if (sent.some((sha256, index) => there[index] !== sha256)) throw mismatch(item);
}

/** @throws {Failure} `mismatch` where it is not there. */
async function sizeThere({ item, session, signal }: Finishing): Promise<number> {
  const [stat] = await session.survey([item.staged], signal);
  if (stat?.kind !== "file") throw mismatch(item);
  return stat.bytes;
}

async function digestThere({ item, session, signal }: Finishing): Promise<Digest> {
  const [digest] = await session.digest([item.staged], item.delivery.source.size, signal);
  if (!digest) throw mismatch(item);
  return digest;
}

function mismatch({ delivery: { source, destination } }: Item): Failure {
  return new Failure("mismatch", `Cannot send "${printable(source.path)}": ${destination} has other bytes than were sent`, {
    hint: "It is sent again. If it persists, check the disks of both ends.",
  });
}

function changed({ delivery: { source } }: Item): Failure {
  return new Failure("source_changed", `Cannot send "${printable(source.path)}": it became shorter while it was sent`, {
    hint: "It is checked again.",
  });
}
