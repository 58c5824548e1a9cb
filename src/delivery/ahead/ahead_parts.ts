/**
 * The parts of files that are sent to a destination while they are still being written. Each lies in the folder of an attempt that is
 * named after the file, so that the next session, or the next process, finds it again.
 */
import { createHash } from "node:crypto";
import type { Pace } from "../../async/pace.ts";
import { mutex } from "../../async/mutex.ts";
import type { GrowingFile } from "../../domain/source_file.ts";
import { CHUNK_BYTES } from "../../methods/method.ts";
import type { Attempts } from "../attempts.ts";
import type { TimedSession } from "../timed_session.ts";

/** What is at the destination of one file. */
export interface AheadPart {
  readonly key: string;
  /** Empty where an earlier process left it. */
  readonly path: string;
  /** Its attempt, and its name there. */
  readonly attempt: string;
  readonly staged: string;
  /** The session that writes it; any other one makes it its own first. Null after an outage: nothing is known of what is there. */
  session: TimedSession | null;
  /** SHA-256 of each whole chunk as the destination has it. */
  readonly there: (string | null)[];
  stalled: boolean;
  flushed: number;
  /** Resolves when what is being flushed is, or has failed; null while nothing is. */
  flushing: Promise<void> | null;
  /** A flush failed: Linux tells of an error of the disk only once (fsync(2)), so nothing of it may be used. */
  isBroken: boolean;
}

export type Growing = Pick<GrowingFile, "path" | "identity">;

export type AheadParts = ReturnType<typeof aheadParts>;

/** One for each outbox, empty; an earlier process's parts are adopted when its attempts are seen. */
export function aheadParts(
  { stagingRoot, job, destination }: { readonly stagingRoot: string; readonly job: string; readonly destination: string },
  attempts: Pick<Attempts, "begin" | "adopt" | "end">,
  pace: Pace,
) {
  const parts = new Map<string, AheadPart>();
  // Destinations may share a base path, and so their staging folder.
  const keyOf = ({ path, identity }: Growing): string =>
    createHash("sha256").update([job, destination, path, identity].join("\0")).digest("hex").slice(0, 16);
  const newPart = (key: string, path: string, attempt: string, session: TimedSession | null): AheadPart => ({
    key,
    path,
    attempt,
    staged: `${stagingRoot}/${attempt}/part`,
    session,
    there: [],
    stalled: false,
    flushed: 0,
    flushing: null,
    isBroken: false,
  });
  // Most destinations have none, and a key costs a hash.
  const get = (file: Growing) => parts.size === 0 ? undefined : parts.get(keyOf(file));
  const add = (part: AheadPart) => {
    const older = parts.get(part.key);
    if (older !== undefined) attempts.end(older.attempt);
    parts.set(part.key, part);
  };
  /** Gives it up: it is swept. */
  const drop = (part: AheadPart) => {
    if (parts.get(part.key) === part) parts.delete(part.key);
    attempts.end(part.attempt);
  };

  return {
    pace,
    /** Whoever makes, writes or takes a part holds it. */
    inTurn: mutex(),
    get,
    drop,
    /** Bytes of it that are there, as far as is known. */
    bytesOf: (file: Growing): number => (get(file)?.there.length ?? 0) * CHUNK_BYTES,
    /** Its part in this session: a new one has the whole chunks that an earlier session left. */
    async open(file: Growing, session: TimedSession, signal: AbortSignal): Promise<AheadPart> {
      const key = keyOf(file);
      const left = parts.get(key);
      if (left !== undefined && left.session === session) return left;
      const part = newPart(key, file.path, attempts.begin(`${PREFIX}${key}-`), session);
      try {
        const count = await session.parts!.begin(part.staged, left === undefined || left.isBroken ? null : left.staged, signal);
        if (count > 0) part.there.push(...await session.parts!.digests(part.staged, [...Array(count).keys()], signal));
      } catch (error) {
        attempts.end(part.attempt);
        throw error;
      }
      add(part);
      return part;
    },
    /** Takes it away from here: whoever completes it is alone with it. Null where it was given up meanwhile. */
    async take(part: AheadPart): Promise<AheadPart | null> {
      await part.flushing;
      return parts.get(part.key) === part && parts.delete(part.key) ? part : null;
    },
    /** It is left for another try, which takes over the whole chunks that are there. */
    leave(part: AheadPart): void {
      part.session = null;
      if (part.isBroken || (parts.has(part.key) && parts.get(part.key) !== part)) drop(part);
      else parts.set(part.key, part);
    },
    /** Has the destination begin to write it to its disk. */
    async flush(part: AheadPart, signal: AbortSignal): Promise<void> {
      try {
        await part.session?.parts?.flush(part.staged, signal);
      } catch (error) {
        part.isBroken = !signal.aborted;
        throw error;
      }
    },
    /** Keeps those of these attempts of an earlier process that hold such parts. */
    adopt(names: Iterable<string>): void {
      for (const attempt of names) {
        const key = NAME.exec(attempt)?.[1];
        if (key === undefined) continue;
        attempts.adopt(attempt);
        add(newPart(key, "", attempt, null));
      }
    },
    others(files: readonly Growing[]): AheadPart[] {
      const keys = new Set(parts.size === 0 ? [] : files.map(keyOf));
      return [...parts.values()].filter(({ key }) => !keys.has(key));
    },
    /** Attempts that the next start resumes: those of these files. */
    attemptsOf: (wanted: readonly Growing[]): string[] =>
      wanted.flatMap((file) => {
        const part = get(file);
        return part === undefined ? [] : [part.attempt];
      }),
    view: (): AheadView[] =>
      [...parts.values()].filter(({ path }) => path !== "")
        .map(({ path, there, stalled }) => ({ path, bytes: there.length * CHUNK_BYTES, stalled })),
  };
}

export interface AheadView {
  readonly path: string;
  /** So much is at the destination. */
  readonly bytes: number;
  readonly stalled: boolean;
}

const PREFIX = "ahead-";
const NAME = /^ahead-([0-9a-f]{16})-/;
