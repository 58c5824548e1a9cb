/**
 * Sends files while they are still being written, behind the safety margin, one after the other and only while nothing else is sent to the
 * destination. Everything here only saves time: what was sent early is compared chunk by chunk once the file is finished.
 */
import { format } from "@std/fmt/bytes";
import { paced } from "../../async/pace.ts";
import { failureRecord, isOutage } from "../../domain/failure.ts";
import { type GrowingFile, sameFile } from "../../domain/source_file.ts";
import { CHUNK_BYTES } from "../../methods/method.ts";
import type { OpenSession, Workers } from "../batch.ts";
import type { DestinationContext } from "../destination_context.ts";
import { wantedFiles } from "../sweep.ts";
import type { AheadPart, Growing } from "./ahead_parts.ts";
import { writeFrom } from "./finish_ahead.ts";

/** How often growing files are looked at; and while there are none, and after something went wrong. */
const LOOK_MS = 250;
const IDLE_MS = 1_000;
const AFTER_FAILURE_MS = 5_000;
/** At most so many chunks of one file are sent before the others have their turn; so many are flushed at a time. */
const ROUND_CHUNKS = 8;
const FLUSH_CHUNKS = 8;
/** So long after the session has begun, what earlier ones left of files that nobody waits for is removed: by then they were seen to grow again. */
const LEFT_MS = 60_000;

/** Works until the session is over. Never throws. */
export async function sendAhead(open: OpenSession, workers: Workers): Promise<void> {
  const { context, session, sweeper, hard } = open;
  const { system, ahead, state, destination, emit } = context;
  const { look, fail, over } = workers;
  if (session.parts === undefined || !sendsEarly(context)) return;
  const began = system.monotonic();
  while (!over.aborted) {
    const files = context.growing();
    let hasFailed = false;
    for (const file of files) {
      if (over.aborted) return;
      try {
        await sendRound(file, open, workers);
      } catch (error) {
        hasFailed = true;
        const failure = failureRecord(error);
        const part = ahead.get(file);
        if (part !== undefined && isOutage(failure)) ahead.leave(part);
        else if (part !== undefined) ahead.drop(part);
        sweeper.soon(hard);
        const message = `Cannot send "${file.path}" to ${destination.name} while it grows: ${failure.message}`;
        emit({ type: "notice", level: "debug", message });
        break;
      }
    }
    if (over.aborted) return;
    // Whether it is the place that is at fault is found out before anybody else needs it.
    if (hasFailed) await look().catch((error) => fail(failureRecord(error)));
    const isSettled = system.monotonic() - began > LEFT_MS;
    const unwanted = (others: readonly Growing[]) => ahead.others(others).filter((part) => isSettled || part.session === session);
    // Of files that are gone, or were given up at the source; those of files that are finished wait for their delivery.
    for (const part of state.batches > 0 || unwanted(files).length === 0 ? [] : unwanted(wantedFiles(context))) {
      ahead.drop(part);
      sweeper.soon(hard);
    }
    await system.sleep(hasFailed ? AFTER_FAILURE_MS : files.length === 0 ? IDLE_MS : LOOK_MS, over);
  }
}

/** Whether anything may be sent early to this destination: only hashes show what was rewritten since. */
export function sendsEarly({ job, destination }: Pick<DestinationContext, "job" | "destination">): boolean {
  return job.growingFiles !== null && destination.verify === "checksum";
}

/** Sends what has been written of the file since the last round. */
async function sendRound(
  file: GrowingFile,
  { context, session, sweeper, hard }: OpenSession,
  { look, over }: Workers,
): Promise<void> {
  const { job: { growingFiles }, destination, system, ahead, emit, state } = context;
  const known = ahead.get(file);
  if (known !== undefined && known.stalled !== file.stalled) {
    known.stalled = file.stalled;
    const sent = `${format(known.there.length * CHUNK_BYTES)} of ${format(file.size)} were sent to ${destination.name}`;
    const message = file.stalled ? `"${file.path}" has stopped growing: ${sent}` : `"${file.path}" grows again`;
    emit({ type: "notice", level: "info", message });
  }
  if (growingFiles === null || file.stalled || state.batches > 0) return;
  const facts = await system.facts(file.absolutePath);
  if (facts?.kind !== "file" || facts.identity !== file.identity || facts.size < growingFiles.minBytes) return;
  if (known !== undefined && facts.size < known.there.length * CHUNK_BYTES) {
    ahead.drop(known);
    return sweeper.soon(hard);
  }
  const ready = Math.floor((facts.size - growingFiles.marginBytes) / CHUNK_BYTES);
  if (ready <= (known?.there.length ?? 0)) return;
  await look();
  await ahead.inTurn(async () => {
    if (state.batches > 0) return;
    const part = await ahead.open(file, session, over);
    if (part !== known) {
      const left = part.there.length === 0
        ? ""
        : `; ${format(part.there.length * CHUNK_BYTES)} are there already, and are compared when it is finished`;
      emit({
        type: "notice",
        level: "info",
        message: `Sending "${file.path}" to ${destination.name} while it is being written${left}`,
      });
    }
    const { minimumFreeBytes, copySafetyMarginBytes } = destination;
    const freeBytes = state.known.freeBytes ?? Infinity;
    const fitting = Math.floor((freeBytes - minimumFreeBytes - copySafetyMarginBytes) / CHUNK_BYTES);
    const count = Math.min(ready - part.there.length, ROUND_CHUNKS, fitting);
    if (count <= 0) return;
    await appendChunks(context, part, file, count, over);
    if (part.flushing !== null || part.there.length - part.flushed < FLUSH_CHUNKS) return;
    // Beside what is sent next: a busy disk takes long, and publishing need flush only what is left.
    const flushed = part.there.length;
    part.flushing = ahead.flush(part, over).then(() => void (part.flushed = flushed), (error) => {
      if (over.aborted) return;
      ahead.drop(part);
      const message = `Cannot flush the part of "${part.path}" at ${destination.name}: ${failureRecord(error).message}`;
      emit({ type: "notice", level: "debug", message });
    }).finally(() => part.flushing = null);
  });
}

/** Ends early, after a whole chunk, where others are to be sent. */
async function appendChunks(
  { system, ahead, state, job, destination, emit }: DestinationContext,
  part: AheadPart,
  file: GrowingFile,
  count: number,
  over: AbortSignal,
): Promise<void> {
  const parts = part.session!.parts!;
  const chunks: number[] = [];
  const first = part.there.length;
  const content = async function* () {
    while (chunks.length < count && (chunks.length === 0 || state.batches === 0)) {
      const chunk = await system.read(sameFile(file), (first + chunks.length) * CHUNK_BYTES, CHUNK_BYTES);
      if (chunk.length < CHUNK_BYTES) throw new Error("it became shorter");
      yield* paced(chunk, ahead.pace, over);
      chunks.push(first + chunks.length);
    }
  };
  await writeFrom(content(), (content) => parts.append(part.staged, first, content, over));
  const { known } = state;
  // Until it is measured again.
  if (known.freeBytes !== null) state.known = { ...known, freeBytes: known.freeBytes - chunks.length * CHUNK_BYTES };
  part.there.push(...await parts.digests(part.staged, chunks, over));
  const bytes = part.there.length * CHUNK_BYTES;
  emit({ type: "ahead", job: job.name, path: part.path, destination: destination.name, bytes });
}
