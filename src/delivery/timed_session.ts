/**
 * A session with the time limits of its destination: every call is given up if there is no progress for too long, because a frozen
 * peer must not freeze the daemon.
 */
import { Failure, failureRecord } from "../domain/failure.ts";
import { lowestEver } from "../domain/schedule.ts";
import type { Destination } from "../config/settings.ts";
import type { Digest } from "../domain/receipt.ts";
import type { Emit } from "../domain/transfer_event.ts";
import { CHUNK_BYTES, type Method, type MethodContext, type PartFiles, type Session } from "../methods/method.ts";
import type { Clock } from "../system/system.ts";
import { anySignal, onAbort, untilAborted } from "../async/abort.ts";

/** Like the session of a method, but closing it takes 5 s at most and never throws. */
export interface TimedSession extends Omit<Session, "digest" | "parts"> {
  readonly parts?: PartFiles;
  /** As {@linkcode Session.digest}; `bytes` in all, because hashing takes its time. */
  digest(paths: readonly string[], bytes: number, signal: AbortSignal, calm?: "calm"): Promise<(Digest | null)[]>;
}

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
  const usual = { timeoutMs, clock };
  const onSilence = () => tellSilence({ destination, emit }, timeoutMs);
  const part = (what: string, bytes = 0) => ({ what: `${what} at ${name}`, timeoutMs: timeoutMs + bytes / SLOW });
  return {
    ...session,
    ...limited(session, usual, {
      attach: () => ({ what: `find the folder at ${name}`, onSilence }),
      survey: () => ({ what: `check the files at ${name}`, onSilence }),
      modifiedAt: () => ({ what: `check a file at ${name}` }),
      put: (uploads) => ({
        what: `send ${files(uploads.length)} to ${name}`,
        ask: async (end) => {
          const stats = await session.survey(uploads.map(({ staged }) => staged), end);
          return stats.reduce((sum, found) => sum + (found?.bytes ?? 0), 0);
        },
      }),
      publish: (items) => ({ what: `publish ${files(items.length)} at ${name}` }),
      flush: () => ({ what: `flush files at ${name}` }),
      remove: (items) => ({ what: `remove ${files(items.length)} at ${name}` }),
      emptyTrash: () => ({ what: `empty the trash at ${name}` }),
      leftovers: () => ({ what: `check the files at ${name}` }),
      sweep: () => ({ what: `clean up at ${name}` }),
    }),
    digest(paths, bytes, signal, calm) {
      // Half a bandwidth limit, where that is respected.
      const slowest = calm === undefined ? null : lowestEver([destination.bandwidthLimit, destination.lineLimit]);
      const hashingMs = Math.max(bytes / SLOW, slowest === null ? 0 : 2_000 * bytes / slowest);
      const limit = { what: `verify ${files(paths.length)} at ${name}`, timeoutMs: timeoutMs + hashingMs, clock };
      return withWatchdog(limit, signal, (end) => session.digest(paths, end, calm));
    },
    ...(session.parts === undefined ? {} : {
      parts: limited(session.parts, usual, {
        // How large it is that may be copied is not known here.
        begin: (_, from) => part("make the part of a file", from === null ? 0 : COPIED_BYTES),
        append: () => part("write the part of a file"),
        replace: () => part("write the part of a file"),
        digests: (_, chunks) => part("verify the part of a file", chunks.length * CHUNK_BYTES),
        flush: () => part("flush the part of a file"),
        finish: () => part("move the part of a file"),
      }),
    }),
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

/** What an operation does, and what is unusual about its limit. */
type Limit = Pick<WatchdogOptions, "what"> & Partial<WatchdogOptions>;

type Limits<T> = {
  readonly [Name in keyof T]?: T[Name] extends (...args: infer Args) => Promise<unknown> ? (...args: Args) => Limit : never;
};

type Operation = (...args: unknown[]) => Promise<unknown>;

/**
 * The operations of `target` that `limits` names, each given up if there is no progress for too long. What takes its content, or calls what
 * it was handed, is alive.
 */
function limited<T extends object, L extends Limits<T>>(
  target: T,
  usual: Pick<WatchdogOptions, "timeoutMs" | "clock">,
  limits: L & Limits<T>,
): Pick<T, keyof L & keyof T> {
  const operations = target as unknown as Readonly<Record<string, Operation>>;
  const wrapped = Object.entries(limits as Record<string, (...args: unknown[]) => Limit>).map(
    ([name, limit]): [string, Operation] => {
      const operation: Operation = (...args) => {
        const signal = args.find((arg) => arg instanceof AbortSignal)!;
        return withWatchdog(
          { ...usual, ...limit(...args) },
          signal,
          (end, alive) => operations[name]!(...args.map((arg) => arg === signal ? end : noticed(arg, alive))),
        );
      };
      return [name, operation];
    },
  );
  return Object.fromEntries(wrapped) as unknown as Pick<T, keyof L & keyof T>;
}

/** A function or content that says `alive` whenever it is called, or a piece of it is taken; anything else as it is. */
function noticed(arg: unknown, alive: () => void): unknown {
  if (typeof arg === "function") {
    return (...args: unknown[]) => {
      alive();
      return arg(...args);
    };
  }
  if (typeof arg !== "object" || arg === null || !(Symbol.asyncIterator in arg)) return arg;
  return (async function* () {
    for await (const piece of arg as AsyncIterable<unknown>) {
      alive();
      yield piece;
    }
  })();
}

function files(count: number): string {
  return count === 1 ? "one file" : `${count} files`;
}

/** Bytes that are hashed or copied in a millisecond, at least. */
const SLOW = 5_000;
const COPIED_BYTES = 100e9;
const CLOSE_MS = 5_000;

/** What is watched, and how long it may show no progress. `what` completes the sentence `Cannot …`. */
interface WatchdogOptions {
  /** What is done, for the message: `send 12 files to nas`. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "monotonic" | "sleep">;
  /**
   * Asks the destination itself for progress (any number that grows), because some tools report none.
   * Called when half the time has passed without a sign of life.
   */
  readonly ask?: (signal: AbortSignal) => Promise<number>;
  /** Called once after 10 s without a sign of life, for a step that is answered at once by nature. */
  readonly onSilence?: () => void;
}

/**
 * The result of `act`, which is handed a signal and a function to call at every sign of life.
 *
 * @throws {Failure} `timeout` without progress, `stopped` when `signal` was aborted.
 */
export async function withWatchdog<T>(
  options: WatchdogOptions,
  signal: AbortSignal,
  act: (signal: AbortSignal, alive: () => void) => Promise<T>,
): Promise<T> {
  const { what, timeoutMs, clock, ask, onSilence } = options;
  // Not aborted after a success: a session that was opened with it lives on.
  const end = new AbortController();
  using over = anySignal();
  using _stopping = onAbort(signal, () => end.abort(new Failure("stopped", `Cannot ${what}: image-transfer is stopping`)));
  let lastSign = clock.monotonic();
  const watch = async () => {
    let measured = 0;
    let tellMs = onSilence === undefined ? Infinity : SILENT_MS;
    while (!over.signal.aborted) {
      const silentMs = clock.monotonic() - lastSign;
      if (silentMs >= timeoutMs) {
        const message = `Cannot ${what}: no progress for ${Math.round(timeoutMs / 1000)} s`;
        const hint = "It is retried automatically. If the link is just slow, raise transfer_timeout_seconds.";
        return end.abort(new Failure("timeout", message, { hint }));
      }
      if (silentMs >= tellMs) {
        tellMs = Infinity;
        onSilence?.();
      }
      const isHalf = silentMs >= timeoutMs / 2;
      // Not awaited: the time-out must come even if the destination does not answer.
      if (ask && isHalf) {
        ask(over.signal).then((now) => {
          if (now > measured) lastSign = clock.monotonic();
          measured = Math.max(now, measured);
        }, () => undefined);
      }
      await clock.sleep(Math.max(1, Math.min(tellMs, ask && !isHalf ? timeoutMs / 2 : timeoutMs) - silentMs), over.signal);
    }
  };
  void watch();
  try {
    return await untilAborted(act(end.signal, () => void (lastSign = clock.monotonic())), end.signal);
  } catch (error) {
    // A killed tool may say anything: the reason for killing it is the better message.
    throw end.signal.aborted ? end.signal.reason : error;
  }
}

const SILENT_MS = 10_000;
