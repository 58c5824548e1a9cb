/**
 * The parts of files that are sent to a destination while they are still being written. Each lies in the folder of an attempt that is
 * named after the file, so that the next session, or the next process, finds it again. A part is never trusted: `finish_ahead.ts`
 * compares it with the finished file.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import type { Pace } from "../../async/pace.ts";
import { mutex } from "../../async/mutex.ts";
import type { GrowingFile } from "../../domain/growing_file.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import { CHUNK_BYTES, type PartFiles } from "../../methods/method.ts";
import type { Attempts } from "../attempts.ts";
import type { TimedSession } from "../timed_session.ts";

/** A part in the session that writes it. */
export interface AheadPart {
  readonly key: string;
  readonly path: string;
  /** Its attempt, and its name there. */
  readonly attempt: string;
  readonly staged: string;
  readonly session: TimedSession;
  /** SHA-256 of each whole chunk as the destination has it; null where that is not known to be what was read here. */
  readonly there: (string | null)[];
  /** SHA-256 of the first `summed` chunks as they were read here. */
  readonly sum: Hash;
  summed: number;
  /** Chunks that were flushed there. */
  flushed: number;
  /** Resolves when what is being flushed is, or the part is broken; null while nothing is. */
  flushing: Promise<void> | null;
  stalled: boolean;
  /** It has been made there. */
  isBegun: boolean;
  /** Something went wrong: nothing is known of what is there. */
  isBroken: boolean;
  /** The finished file waits for it: what is being sent ends with the chunk in hand. */
  wanted: boolean;
  /** Whoever writes holds it. */
  readonly inTurn: ReturnType<typeof mutex>;
}

/** A part as it is shown. */
export interface AheadView {
  readonly path: string;
  /** So much is at the destination. */
  readonly bytes: number;
  readonly stalled: boolean;
}

/** A part that an earlier session left. */
export interface FormerPart {
  readonly attempt: string;
  readonly staged: string;
}

/** What names a file. */
type Growing = Pick<GrowingFile, "path" | "identity">;

/** Where the parts lie, and whose they are. */
interface AheadPlace {
  readonly stagingRoot: string;
  readonly job: string;
  readonly destination: string;
}

/** One for each outbox. */
export interface AheadParts {
  /** For all that is written of them. */
  readonly pace: Pace;
  /** Whether something of this file may lie at the destination. */
  has(source: SourceFile): boolean;
  /** Bytes of it that are there, as far as is known. */
  bytesOf(source: SourceFile): number;
  keyOf(file: Growing): string;
  get(key: string): AheadPart | undefined;
  /** A new part in this session, which is not there yet. */
  make(file: Growing, session: TimedSession): AheadPart;
  add(part: AheadPart): void;
  /** Hands out what is there of a finished file; afterwards it is no longer known here. */
  take(source: SourceFile): { readonly part: AheadPart | null; readonly former: FormerPart | null };
  /** What an earlier session left of this file. */
  former(key: string): FormerPart | null;
  /** That is not needed any more. */
  endFormer(key: string, former: FormerPart): void;
  /** It could not be taken over: it is left for another try. */
  putBack(source: SourceFile, former: FormerPart): void;
  /** Gives it up, and has it swept. */
  drop(part: AheadPart): void;
  /** It is left for another try, which takes over what is there. */
  leavePart(part: AheadPart): void;
  /** The session is over: what it wrote is left for the next one. */
  leave(session: TimedSession): void;
  /** Keeps those of these attempts that hold such parts. */
  adopt(attempts: readonly string[]): void;
  /** Whether an earlier session left anything. */
  hasFormer(): boolean;
  /** Gives up what earlier sessions left of files that are none of these. */
  dropFormer(except: ReadonlySet<string>): void;
  /** Attempts that the next start goes on with: those of these files. */
  attempts(wanted: ReadonlySet<string>): readonly string[];
  parts(): readonly AheadPart[];
  view(): readonly AheadView[];
}

/** Empty; a former process's are adopted when its attempts are seen. */
export function aheadParts(place: AheadPlace, attempts: Pick<Attempts, "begin" | "adopt" | "end">, pace: Pace): AheadParts {
  const { stagingRoot } = place;
  const keyOf = (file: Growing) => keyFor(file, place);
  const parts = new Map<string, AheadPart>();
  const formers = formerParts(attempts);
  const hasFormer = () => !formers.entries().next().done;
  const isEmpty = () => parts.size === 0 && !hasFormer();
  const leavePart = (part: AheadPart) => {
    if (parts.get(part.key) !== part) return;
    parts.delete(part.key);
    // One that was never made there must not take the place of what was left before.
    if (part.isBegun) formers.put(part.key, part);
    else attempts.end(part.attempt);
  };

  return {
    pace,
    // Most destinations have none, and a key costs a hash.
    has: (source) => !isEmpty() && (parts.has(keyOf(source)) || formers.has(keyOf(source))),
    bytesOf: (source) => parts.size === 0 ? 0 : (parts.get(keyOf(source))?.there.length ?? 0) * CHUNK_BYTES,
    get: (key) => parts.get(key),
    keyOf,
    make: (file, session) => newPart(keyOf(file), file.path, session, stagingRoot, attempts),
    add: (part) => void parts.set(part.key, part),
    take(source) {
      const key = keyOf(source);
      const part = parts.get(key) ?? null;
      parts.delete(key);
      if (part !== null) part.wanted = true;
      return { part, former: formers.take(key) };
    },
    putBack: (source, former) => formers.put(keyOf(source), former),
    former: formers.get,
    endFormer: (key, former) => {
      if (formers.get(key) === former) formers.take(key);
      attempts.end(former.attempt);
    },
    drop(part) {
      if (parts.get(part.key) === part) parts.delete(part.key);
      attempts.end(part.attempt);
    },
    leavePart,
    leave(session) {
      for (const part of [...parts.values()]) if (part.session === session) leavePart(part);
    },
    adopt(names) {
      for (const attempt of names) {
        const key = NAME.exec(attempt)?.[1];
        if (key === undefined) continue;
        attempts.adopt(attempt);
        formers.put(key, { attempt, staged: stagedIn(stagingRoot, attempt) });
      }
    },
    hasFormer,
    dropFormer: formers.dropAllBut,
    attempts: (wanted) => [...parts, ...formers.entries()].filter(([key]) => wanted.has(key)).map(([, { attempt }]) => attempt),
    parts: () => [...parts.values()],
    view: () => [...parts.values()].map(({ path, there, stalled }) => ({ path, bytes: there.length * CHUNK_BYTES, stalled })),
  };
}

/** What earlier sessions left, by key: one for each file, the newest. */
function formerParts(attempts: Pick<Attempts, "end">) {
  const formers = new Map<string, FormerPart>();
  const take = (key: string): FormerPart | null => {
    const former = formers.get(key) ?? null;
    formers.delete(key);
    return former;
  };
  return {
    take,
    has: (key: string) => formers.has(key),
    get: (key: string) => formers.get(key) ?? null,
    entries: () => formers.entries(),
    put(key: string, former: FormerPart) {
      const older = take(key);
      if (older !== null) attempts.end(older.attempt);
      formers.set(key, former);
    },
    dropAllBut(keys: ReadonlySet<string>) {
      for (const key of [...formers.keys()]) if (!keys.has(key)) attempts.end(take(key)!.attempt);
    },
  };
}

function newPart(
  key: string,
  path: string,
  session: TimedSession,
  stagingRoot: string,
  attempts: Pick<Attempts, "begin">,
): AheadPart {
  const attempt = attempts.begin(`${PREFIX}${key}-`);
  return {
    ...{ key, attempt, session, path, staged: stagedIn(stagingRoot, attempt) },
    ...{ there: [], sum: createHash("sha256"), summed: 0, flushed: 0, inTurn: mutex() },
    ...{ stalled: false, flushing: null, isBegun: false, isBroken: false, wanted: false },
  };
}

/** Makes the part there, with what an earlier session left of it. */
export async function takeOver(
  part: AheadPart,
  former: FormerPart | null,
  parts: PartFiles,
  signal: AbortSignal,
): Promise<AheadPart> {
  const count = await parts.begin(part.staged, former?.staged ?? null, signal);
  part.isBegun = true;
  if (count > 0) part.there.push(...await parts.digests(part.staged, Array.from({ length: count }, (_, chunk) => chunk), signal));
  return part;
}

/** Names the file in the name of an attempt: destinations may share a base path, and so their staging folder. */
function keyFor({ path, identity }: Growing, { job, destination }: AheadPlace): string {
  return createHash("sha256").update([job, destination, path, identity].join("\0")).digest("hex").slice(0, 16);
}

function stagedIn(stagingRoot: string, attempt: string): string {
  return `${stagingRoot}/${attempt}/part`;
}

const PREFIX = "ahead-";
const NAME = /^ahead-([0-9a-f]{16})-/;
