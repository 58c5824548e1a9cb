/**
 * Sends files while they are still being written, behind the safety margin, one after the other and only while nothing else is sent to the
 * destination. Everything here only saves time: whatever goes wrong, the finished file is sent like any other.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { format } from "@std/fmt/bytes";
import { paced } from "../../async/pace.ts";
import { type FailureRecord, failureRecord, isOutage } from "../../domain/failure.ts";
import type { GrowingFile } from "../../domain/growing_file.ts";
import { sameFile } from "../../domain/source_file.ts";
import { CHUNK_BYTES, type PartFiles } from "../../methods/method.ts";
import type { OpenSession } from "../batch.ts";
import { type AheadPart, takeOver } from "./ahead_parts.ts";
import { sendsEarly, wantedFiles } from "./wanted_files.ts";
import { writeFrom } from "./write_from.ts";

/** How often growing files are looked at. */
const LOOK_MS = 250;
/** The same while there are none. */
const IDLE_MS = 1_000;
/** How long nothing is sent early after something went wrong. */
const AFTER_FAILURE_MS = 5_000;
/** At most so many chunks of one file are sent before the others have their turn. */
const ROUND_CHUNKS = 8;
/** Flushed at a time: what is left when the file is finished must not take long. */
const FLUSH_CHUNKS = 8;
/** While others are sent, an empty piece says that this is not stuck. */
const STILL_THERE_MS = 1_000;
/** So long after the session has begun, what is left of files that nobody waits for is removed: by then they were seen to grow again. */
const FORMER_MS = 60_000;

/** What a round needs. */
interface Sending extends OpenSession {
  readonly parts: PartFiles;
  /** As those of the {@linkcode Session}. */
  readonly look: () => Promise<void>;
  readonly over: AbortSignal;
  /** Bytes that were written since the free space there was measured as `measured`. */
  readonly room: { measured: number | null; written: number };
}

/** What a session has for this. */
interface Session {
  /** Checks that the place is still the right one. */
  readonly look: () => Promise<void>;
  /** Ends the session because of the destination. */
  readonly fail: (failure: FailureRecord) => void;
  /** Aborted when it is over. */
  readonly over: AbortSignal;
}

/** Works until the session is over. Never throws. */
export async function sendAhead(open: OpenSession, { look, fail, over }: Session): Promise<void> {
  const { context, session } = open;
  const { system, ahead } = context;
  if (session.parts === undefined || !sendsEarly(context)) return;
  const sending: Sending = { ...open, over, look, parts: session.parts, room: { measured: null, written: 0 } };
  const began = system.monotonic();
  try {
    while (!over.aborted) {
      const files = context.growing();
      const failed = await sendRounds(sending, files);
      // Whether it is the place that is at fault is found out before anybody else needs it.
      if (failed) await look().catch((error) => fail(failureRecord(error)));
      forget(sending, files);
      if (ahead.hasFormer() && system.monotonic() - began > FORMER_MS) ahead.dropFormer(wantedFiles(context));
      await system.sleep(failed ? AFTER_FAILURE_MS : files.length === 0 ? IDLE_MS : LOOK_MS, over);
    }
  } finally {
    ahead.leave(session);
  }
}

/** One round for each file; true where one went wrong. */
async function sendRounds(sending: Sending, files: readonly GrowingFile[]): Promise<boolean> {
  const { context, over } = sending;
  for (const file of files) {
    if (over.aborted) return false;
    try {
      await sendRound(sending, file);
    } catch (error) {
      const failure = failureRecord(error);
      const part = context.ahead.get(context.ahead.keyOf(file));
      if (over.aborted) return false;
      // After an outage the whole chunks that are there are taken over, else nothing is known of them.
      if (part !== undefined && isOutage(failure)) context.ahead.leavePart(part);
      else if (part !== undefined) giveUp(sending, part);
      const message = `Cannot send "${file.path}" to ${context.destination.name} while it grows: ${failure.message}`;
      context.emit({ type: "notice", level: "debug", message });
      return true;
    }
  }
  return false;
}

/** Sends what has been written of the file since the last round. */
async function sendRound(sending: Sending, file: GrowingFile): Promise<void> {
  const { context, session, look } = sending;
  const { job: { growingFiles }, system, ahead } = context;
  const known = ahead.get(ahead.keyOf(file));
  if (known !== undefined) tellStalled(sending, known, file);
  if (growingFiles === null || file.stalled || isBusy(sending)) return;
  const facts = await system.facts(file.absolutePath);
  if (facts?.kind !== "file" || facts.identity !== file.identity || facts.size < growingFiles.minBytes) return;
  if (known !== undefined && facts.size < known.there.length * CHUNK_BYTES) return giveUp(sending, known);
  const ready = Math.floor((facts.size - growingFiles.marginBytes) / CHUNK_BYTES);
  if (ready <= (known?.there.length ?? 0)) return;
  await look();
  const part = known ?? ahead.make(file, session);
  ahead.add(part);
  await part.inTurn(async () => {
    try {
      if (part.wanted) return;
      if (!part.isBegun) await begin(sending, part);
      await compareFormer(sending, part, file);
      const count = Math.min(ready - part.there.length, ROUND_CHUNKS, chunksThatFit(sending));
      if (count > 0 && !part.wanted) await sendChunks(sending, part, file, count);
    } catch (error) {
      part.isBroken = true;
      throw error;
    }
  });
}

function tellStalled({ context: { destination, emit } }: Sending, part: AheadPart, { path, size, stalled }: GrowingFile): void {
  if (stalled === part.stalled) return;
  part.stalled = stalled;
  const sent = `${format(part.there.length * CHUNK_BYTES)} of ${format(size)} were sent to ${destination.name}`;
  const message = stalled ? `"${path}" has stopped growing: ${sent}` : `"${path}" grows again`;
  emit({ type: "notice", level: "info", message });
}

/** Others are sent first. */
function isBusy({ context: { state } }: Sending): boolean {
  return state.batches > 0;
}

/** Takes over what an earlier session left, if it left something. */
async function begin({ context, parts, over }: Sending, part: AheadPart): Promise<void> {
  const { destination: { name }, emit, ahead } = context;
  const former = ahead.former(part.key);
  await takeOver(part, former, parts, over);
  if (former !== null) ahead.endFormer(part.key, former);
  const before = part.there.length === 0 ? "" : `; ${format(part.there.length * CHUNK_BYTES)} are there and are compared first`;
  emit({ type: "notice", level: "info", message: `Sending "${part.path}" to ${name} while it is being written${before}` });
}

/** What was taken over is compared with the source; chunks that differ are sent again. */
async function compareFormer(
  { context: { system, ahead }, parts, over }: Sending,
  part: AheadPart,
  file: GrowingFile,
): Promise<void> {
  while (part.summed < part.there.length && !part.wanted) {
    const chunk = part.summed;
    const content = await system.read(sameFile(file), chunk * CHUNK_BYTES, CHUNK_BYTES);
    const sha256 = digestOf(content);
    if (sha256 !== part.there[chunk]) {
      part.there[chunk] = null;
      await parts.replace(part.staged, chunk, paced(content, ahead.pace, over), over);
      part.there[chunk] = await sameThere(parts, part, chunk, sha256, over);
    }
    part.sum.update(content);
    part.summed += 1;
  }
}

async function sameThere(
  parts: PartFiles,
  { staged }: AheadPart,
  chunk: number,
  sha256: string,
  signal: AbortSignal,
): Promise<string | null> {
  const [there] = await parts.digests(staged, [chunk], signal);
  return there === sha256 ? sha256 : null;
}

/** How many chunks the free space there allows. */
function chunksThatFit({ context: { state: { known }, destination }, room }: Sending): number {
  if (known.freeBytes === null) return Infinity;
  if (known.freeBytes !== room.measured) Object.assign(room, { measured: known.freeBytes, written: 0 });
  const left = known.freeBytes - room.written - destination.minimumFreeBytes - destination.copySafetyMarginBytes;
  return Math.max(0, Math.floor(left / CHUNK_BYTES));
}

async function sendChunks(sending: Sending, part: AheadPart, file: GrowingFile, count: number): Promise<void> {
  const { context, parts, over, room } = sending;
  const first = part.there.length;
  const sent: string[] = [];
  await writeFrom(
    content(sending, part, file, count, sent),
    (content) => parts.append(part.staged, first, content, over),
  );
  room.written += sent.length * CHUNK_BYTES;
  const there = await parts.digests(part.staged, sent.map((_, index) => first + index), over);
  // What is not there as it was read is sent again once the file is finished.
  sent.forEach((sha256, index) => part.there.push(there[index] === sha256 ? sha256 : null));
  context.emit({
    ...{ type: "ahead", job: context.job.name, path: part.path, destination: context.destination.name },
    bytes: part.there.length * CHUNK_BYTES,
  });
  flushSoon(sending, part);
}

/** Beside what is sent next: a busy disk takes long. Publishing flushes what is left. */
function flushSoon({ context, parts, over }: Sending, part: AheadPart): void {
  if (part.flushing !== null || part.wanted || part.there.length - part.flushed < FLUSH_CHUNKS) return;
  const count = part.there.length;
  part.flushing = parts.flush(part.staged, over).then(() => void (part.flushed = count), (error) => {
    if (over.aborted) return;
    // Linux tells of an error of the disk only once (fsync(2)): what was sent may not be there.
    part.isBroken = true;
    const message = `Cannot flush the part of "${part.path}" at ${context.destination.name}: ${failureRecord(error).message}`;
    context.emit({ type: "notice", level: "debug", message });
  }).finally(() => part.flushing = null);
}

/** Reads and hashes chunks while they are sent; ends early where the finished file waits. */
async function* content(
  sending: Sending,
  part: AheadPart,
  file: GrowingFile,
  count: number,
  sent: string[],
): AsyncGenerator<Uint8Array> {
  const { context: { system, ahead: { pace } }, over } = sending;
  const first = part.there.length;
  while (sent.length < count && !part.wanted && !over.aborted) {
    if (sent.length > 0 && isBusy(sending)) return;
    const chunk = await system.read(sameFile(file), (first + sent.length) * CHUNK_BYTES, CHUNK_BYTES);
    if (chunk.length < CHUNK_BYTES) throw new Error("it became shorter");
    const sha256 = digestOf(chunk);
    part.sum.update(chunk);
    for await (const piece of paced(chunk, pace, over)) {
      yield piece;
      // A limit is for all that is sent together: others have it first.
      while (pace.atOnce < Infinity && isBusy(sending) && !part.wanted && !over.aborted) {
        yield NOTHING;
        await system.sleep(STILL_THERE_MS, over);
      }
    }
    part.summed += 1;
    sent.push(sha256);
  }
}

const NOTHING = new Uint8Array(0);

/** Gives up parts of files that are gone, or were given up at the source; those of files that are finished wait for their delivery. */
function forget(sending: Sending, files: readonly GrowingFile[]): void {
  const { context: { ahead, ledger, job, destination } } = sending;
  const growing = new Set(files.map(ahead.keyOf));
  for (const part of ahead.parts()) {
    if (growing.has(part.key)) continue;
    const waiting = ledger.query({
      ...{ job: job.name, destination: destination.name, states: ["queued", "sending", "deferred"] },
      search: part.path,
    });
    if (!waiting.some(({ delivery: { source } }) => source.path === part.path)) giveUp(sending, part);
  }
}

function giveUp({ context, sweeper, hard }: Sending, part: AheadPart): void {
  context.ahead.drop(part);
  sweeper.soon(hard);
}

function digestOf(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
