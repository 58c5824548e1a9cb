/**
 * A session with the time limits of its destination: every call is given up if there is no progress for too long, because a frozen
 * peer must not freeze the daemon.
 *
 * @module
 */
import { failureRecord } from "../domain/failure.ts";
import { lowestEver } from "../domain/bandwidth.ts";
import type { Destination } from "../config/settings.ts";
import type { Digest } from "../domain/receipt.ts";
import type { Emit } from "../domain/transfer_event.ts";
import { CHUNK_BYTES, type Method, type MethodContext, type PartFiles, type Session } from "../methods/method.ts";
import type { Clock } from "../system/system.ts";
import { withWatchdog } from "./watchdog.ts";

/** Like the session of a method, but closing it takes 5 s at most and never throws. */
export interface TimedSession extends Omit<Session, "digest" | "parts"> {
  readonly parts?: PartFiles;
  /** As {@linkcode Session.digest}; `bytes` in all, because hashing takes its time. */
  digest(paths: readonly string[], bytes: number, signal: AbortSignal, calm?: "calm"): Promise<(Digest | null)[]>;
}

/** What it is opened with. */
interface SessionNeeds {
  readonly destination: Destination;
  readonly system: Pick<Clock, "monotonic" | "sleep">;
  readonly emit: Emit;
  readonly method: Pick<Method, "connect">;
  readonly methodContext: MethodContext;
}

/** Connects within `longestMs`, or the destination's own time-out where that is shorter. */
export async function openSession(context: SessionNeeds, longestMs: number, signal: AbortSignal): Promise<TimedSession> {
  const { destination, system, method, methodContext } = context;
  const timeoutMs = Math.min(longestMs, destination.timeoutMs);
  let late = false;
  try {
    const session = await withWatchdog(
      { what: `connect to ${destination.name}`, timeoutMs, clock: system, onSilence: () => tellSilence(context, timeoutMs) },
      signal,
      async (end) => {
        const session = await method.connect(destination, methodContext, end);
        if (late) await session[Symbol.asyncDispose]();
        return session;
      },
    );
    return timed(session, context);
  } finally {
    late = true;
  }
}

/** Whoever waits for the end of a run must not think that nothing happens. */
function tellSilence({ destination, emit }: Pick<SessionNeeds, "destination" | "emit">, timeoutMs: number): void {
  const message = `${destination.name} is not responding. Waiting for up to ${Math.round(timeoutMs / 1000)} s`;
  emit({ type: "notice", level: "warning", message });
}

function timed(session: Session, { destination, system: clock, emit }: SessionNeeds): TimedSession {
  const { name, timeoutMs } = destination;
  const limit = (what: string) => ({ what, timeoutMs, clock });
  const prompt = (what: string) => ({ ...limit(what), onSilence: () => tellSilence({ destination, emit }, timeoutMs) });
  return {
    proof: session.proof,
    durability: session.durability,
    sendsStagedAgain: session.sendsStagedAgain,
    hashesSource: session.hashesSource,
    ...(session.showsInPut ? { showsInPut: true } : {}),
    resumes: session.resumes,
    ...(session.parts === undefined ? {} : { parts: timedParts(session.parts, { destination, clock }) }),
    method: session.method,
    about: session.about,
    ...(session.streams ? { streams: session.streams } : {}),
    attach: (create, signal, probe) =>
      withWatchdog(prompt(`find the folder at ${name}`), signal, (end) => session.attach(create, end, probe)),
    survey: (paths, signal, staging) =>
      withWatchdog(prompt(`check the files at ${name}`), signal, (end) => session.survey(paths, end, staging)),
    digest: (paths, bytes, signal, calm) =>
      withWatchdog(
        { what: `verify ${files(paths.length)} at ${name}`, timeoutMs: hashingMs(destination, bytes, calm), clock },
        signal,
        (end) => session.digest(paths, end, calm),
      ),
    modifiedAt: (path, signal) => withWatchdog(limit(`check a file at ${name}`), signal, (end) => session.modifiedAt(path, end)),
    put(uploads, onBytes, signal) {
      const staged = uploads.map((upload) => upload.staged);
      const ask = async (end: AbortSignal) =>
        (await session.survey(staged, end)).reduce((sum, found) => sum + (found?.bytes ?? 0), 0);
      return withWatchdog(
        { ...limit(`send ${files(uploads.length)} to ${name}`), ask },
        signal,
        (end, alive) =>
          session.put(uploads, (index, bytes) => {
            alive();
            onBytes(index, bytes);
          }, end),
      );
    },
    publish: (items, signal) =>
      withWatchdog(limit(`publish ${files(items.length)} at ${name}`), signal, (end) => session.publish(items, end)),
    flush: (paths, signal) => withWatchdog(limit(`flush files at ${name}`), signal, (end) => session.flush(paths, end)),
    remove: (items, signal) =>
      withWatchdog(limit(`remove ${files(items.length)} at ${name}`), signal, (end) => session.remove(items, end)),
    emptyTrash: (folders, signal) =>
      withWatchdog(limit(`empty the trash at ${name}`), signal, (end) => session.emptyTrash(folders, end)),
    leftovers: (signal) => withWatchdog(limit(`check the files at ${name}`), signal, (end) => session.leftovers(end)),
    sweep: (attempts, signal) => withWatchdog(limit(`clean up at ${name}`), signal, (end) => session.sweep(attempts, end)),
    async [Symbol.asyncDispose]() {
      const watchdog = { what: `close the session with ${name}`, timeoutMs: CLOSE_MS, clock };
      try {
        await withWatchdog(watchdog, new AbortController().signal, async () => await session[Symbol.asyncDispose]());
      } catch (error) {
        emit({ type: "notice", level: "debug", message: failureRecord(error).message });
      }
    },
  };
}

function timedParts(
  parts: PartFiles,
  { destination, clock }: { readonly destination: Destination; readonly clock: SessionNeeds["system"] },
): PartFiles {
  const { name, timeoutMs } = destination;
  const limit = (what: string, bytes = 0) => ({ what: `${what} at ${name}`, timeoutMs: timeoutMs + bytes / 5_000, clock });
  return {
    // How large it is that may be copied is not known here.
    begin: (staged, from, signal) =>
      withWatchdog(
        limit("make the part of a file", from === null ? 0 : COPIED_BYTES),
        signal,
        (end) => parts.begin(staged, from, end),
      ),
    append: (staged, count, content, signal) =>
      withWatchdog(
        limit("write the part of a file"),
        signal,
        (end, alive) => parts.append(staged, count, noticed(content, alive), end),
      ),
    replace: (staged, chunk, content, signal) =>
      withWatchdog(
        limit("write the part of a file"),
        signal,
        (end, alive) => parts.replace(staged, chunk, noticed(content, alive), end),
      ),
    digests: (staged, chunks, signal) =>
      withWatchdog(
        limit("verify the part of a file", chunks.length * CHUNK_BYTES),
        signal,
        (end) => parts.digests(staged, chunks, end),
      ),
    flush: (staged, signal) => withWatchdog(limit("flush the part of a file"), signal, (end) => parts.flush(staged, end)),
    finish: (staged, to, source, signal) =>
      withWatchdog(limit("move the part of a file"), signal, (end) => parts.finish(staged, to, source, end)),
  };
}

/** Each piece that is taken is a sign of life. */
async function* noticed(content: AsyncIterable<Uint8Array>, alive: () => void): AsyncGenerator<Uint8Array> {
  for await (const piece of content) {
    alive();
    yield piece;
  }
}

const COPIED_BYTES = 100e9;

/** The silence allowed, and the time that 5 MB/s would need; or half a bandwidth limit, where that is respected. */
function hashingMs({ timeoutMs, bandwidthLimit, lineLimit }: Destination, bytes: number, calm?: "calm"): number {
  const slowest = calm === undefined ? null : lowestEver([bandwidthLimit, lineLimit]);
  return timeoutMs + Math.max(bytes / 5_000, slowest === null ? 0 : 2_000 * bytes / slowest);
}

function files(count: number): string {
  return count === 1 ? "one file" : `${count} files`;
}

const CLOSE_MS = 5_000;
