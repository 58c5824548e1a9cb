/**
 * The Worker for work on files: synchronous calls, several times as fast as awaited ones, where a disk that does not respond
 * blocks nothing else. Each user starts one of its own.
 *
 * It is bundled and embedded separately: import nothing heavy here.
 */
// deno-lint-ignore-file no-sync-fn-in-async-fn -- here, a disk that does not respond blocks nothing else
import { createHash, type Hash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import type { Digest } from "../../domain/receipt.ts";
import { pathToRead, type ToRead } from "../../domain/source_file.ts";
import type { BulkCopy, BulkName, Copied, PathFacts, SharedBytes, SmallFile, WalkBatch, WalkOptions } from "../system.ts";
import { carried, type CarriedError, HandedOver, serveCalls } from "../workers/serve_calls.ts";
import { type OpenFile, openToReadSync, pathFacts } from "./open_source.ts";
import { walkTree } from "./walk_tree.ts";

/** One thing to find out. `hash` and `content` are for small files: of one of {@linkcode SMALL_BYTES} or more, null is found. */
export type Ask =
  | { readonly do: "facts" | "followedFacts"; readonly path: string }
  | { readonly do: "hash"; readonly from: ToRead }
  | { readonly do: "content"; readonly from: ToRead; readonly into: SharedBytes | null }
  | { readonly do: "read"; readonly from: ToRead; readonly offset: number; readonly length: number };

/** What was found; null if nothing is there, or if the file is not small. */
export type Found = PathFacts | Digest | Uint8Array<ArrayBuffer> | SmallFile | ReadInto | null;

export interface ReadInto extends Omit<SmallFile, "content"> {
  readonly bytes: number;
}

export type Answer = { readonly found: Found } | { readonly failed: CarriedError };

/** Not zero once the caller has given up: nothing more is begun, and what is being read ends at the next piece. */
export type Stop = Int32Array<SharedArrayBuffer>;

/** A file that several calls read or hash, one part after the other. */
interface UnderWay {
  /** Null where another thread reads it. */
  readonly file: OpenFile | null;
  sum: Hash;
  bytes: number;
  /** Of the chunk in hand. */
  inChunk: number;
}

const SMALL_BYTES = 1024 * 1024;
const FLUSHES_AT_ONCE = 8;

const small = new Uint8Array(SMALL_BYTES);
const piece = new Uint8Array(256 * 1024);

const underWay = new Map<number, UnderWay>();
let walk: AsyncIterator<WalkBatch, undefined> | null = null;

const calls = {
  look(asks: readonly Ask[]): HandedOver<Answer[]> {
    // One buffer for all that is read: making and handing over each costs more than reading a piece.
    const room = new Uint8Array(asks.reduce((sum, ask) => sum + (ask.do === "read" ? ask.length : 0), 0));
    const buffers: ArrayBuffer[] = [room.buffer];
    let used = 0;
    const answers = asks.map((ask): Answer => {
      try {
        const found = find(ask, ask.do === "read" ? room.subarray(used, used += ask.length) : small);
        if (found !== null && "content" in found && found.content.buffer instanceof ArrayBuffer) {
          buffers.push(found.content.buffer);
        }
        return { found };
      } catch (error) {
        const isMissing = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
        return isMissing && (ask.do === "facts" || ask.do === "followedFacts") ? { found: null } : { failed: carried(error) };
      }
    });
    return new HandedOver(answers, buffers);
  },

  copyMany: (copies: readonly BulkCopy[], stop: Stop): (Copied | null)[] =>
    copies.map((one) => orNull(() => copy(one, stop), stop)),
  hashMany: (paths: readonly string[], stop: Stop): (Digest | null)[] =>
    paths.map((path) => orNull(() => Deno.statSync(path).isFile ? hashSmall(path) : null, stop)),
  /** Synchronous but for the flushes, which share commits of the journal. */
  async nameMany(names: readonly BulkName[], stop: Stop): Promise<boolean[]> {
    const named = names.map(() => false);
    let next = 0;
    const lane = async () => {
      while (next < names.length && Atomics.load(stop, 0) === 0) {
        const index = next++;
        named[index] = await flushAndName(names[index]!, stop).catch(() => false);
      }
    };
    await Promise.all(Array.from({ length: FLUSHES_AT_ONCE }, lane));
    return named;
  },

  beginWalk(root: string, options: WalkOptions): void {
    const disk = { entries: (folder: string) => [...Deno.readDirSync(folder)], look: Deno.lstatSync, now: Date.now };
    walk = walkTree(root, options, disk);
  },
  /** Null at the end. @throws where the root itself cannot be read. */
  nextOfWalk: async (): Promise<WalkBatch | null> => (await walk?.next())?.value ?? null,

  /** Hashes the next bytes of a file, which the first call opens. The hash is told once there is no more. */
  hashNext(id: number, from: ToRead, length: number): { readonly bytes: number; readonly sha256: string | null } {
    const hashing = underWay.get(id) ?? begin(id, openToReadSync(from));
    let isOver = true;
    try {
      const added = eachPiece(hashing.file!, length, (some) => hashing.sum.update(some));
      hashing.bytes += added;
      isOver = added < length;
    } finally {
      if (isOver) calls.drop(id);
    }
    return { bytes: hashing.bytes, sha256: isOver ? hashing.sum.digest("hex") : null };
  },
  /**
   * Reads the next bytes of a file, which the first call opens, into `room`, several of which make a chunk. At the end of a chunk tells its
   * SHA-256.
   */
  readNext(id: number, from: ToRead, room: SharedBytes, chunkBytes: number) {
    const reading = underWay.get(id) ?? begin(id, openToReadSync(from));
    const read = fill(room, reading.file!);
    reading.sum.update(read);
    reading.inChunk += read.length;
    const isOver = read.length < room.length;
    if (reading.inChunk < chunkBytes && !(isOver && reading.inChunk > 0)) return { bytes: read.length, isOver };
    const sha256 = reading.sum.digest("hex");
    reading.sum = createHash("sha256");
    reading.inChunk = 0;
    return { bytes: read.length, isOver, sha256 };
  },
  /** Hashes the bytes from `offset` on of a file that another thread reads: all that are before them must have been added. */
  addBytes(id: number, offset: number, content: SharedBytes): void {
    const adding = underWay.get(id) ?? begin(id, null);
    if (adding.bytes !== offset) throw new Error(`${adding.bytes} bytes were hashed, not ${offset}`);
    adding.sum.update(content);
    adding.bytes += content.length;
  },
  sumOf: (id: number): string => underWay.get(id)!.sum.digest("hex"),
  drop(id: number): void {
    underWay.get(id)?.file?.[Symbol.dispose]();
    underWay.delete(id);
  },

  checkDatabase(path: string): string[] {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      const rows = db.prepare("PRAGMA integrity_check(10)").all();
      return rows.map((row) => String(row["integrity_check"])).filter((answer) => answer !== "ok");
    } catch (error) {
      if (error instanceof Error && /malformed|not a database/i.test(error.message)) return [error.message];
      throw error;
    } finally {
      db.close();
    }
  },
};

export type FileCalls = typeof calls;

function find(ask: Ask, room: Uint8Array<ArrayBuffer>): Found {
  switch (ask.do) {
    case "facts":
      return pathFacts(Deno.lstatSync(ask.path));
    case "followedFacts":
      return pathFacts(Deno.statSync(ask.path));
    case "read": {
      using file = openToReadSync(ask.from);
      if (ask.offset > 0) file.seek(ask.offset);
      return fill(room, file);
    }
    case "hash":
      return hashSmall(ask.from);
    case "content": {
      using file = openToReadSync(ask.from);
      const { kind, mode } = file.factsSync();
      if (kind !== "file") throw new Deno.errors.NotSupported(`"${pathToRead(ask.from)}" is not a regular file`);
      const into = ask.into ?? room;
      const read = fill<ArrayBufferLike>(into, file);
      if (read.length === into.length) return null;
      const facts = { mode, sha256: createHash("sha256").update(read).digest("hex") };
      return ask.into === null ? { ...facts, content: Uint8Array.from(read) } : { ...facts, bytes: read.length };
    }
    default:
      return ask satisfies never;
  }
}

function hashSmall(from: ToRead): Digest | null {
  using file = openToReadSync(from);
  const read = fill(small, file);
  if (read.length === small.length) return null;
  return { bytes: read.length, sha256: createHash("sha256").update(read).digest("hex") };
}

/** Whoever is told nothing does it alone, and finds out why. */
function orNull<T>(act: () => T | null, stop: Stop): T | null {
  if (Atomics.load(stop, 0) !== 0) return null;
  try {
    return act();
  } catch {
    return null;
  }
}

function copy({ from, to, mtimeMs, withMode, most, also }: BulkCopy, stop: Stop): Copied {
  using source = openToReadSync(from);
  const { kind, mode } = source.factsSync();
  if (kind !== "file") throw new Deno.errors.NotSupported(`"${pathToRead(from)}" is not a regular file`);
  using target = Deno.openSync(to, { write: true, createNew: true });
  try {
    const sum = createHash("sha256");
    const other = also && createHash(also);
    const bytes = eachPiece(source, most, (some) => {
      if (Atomics.load(stop, 0) !== 0) throw new Deno.errors.Interrupted("The caller has given up");
      sum.update(some);
      other?.update(some);
      // A single write may be partial.
      for (let written = 0; written < some.length;) written += target.writeSync(some.subarray(written));
    });
    if (withMode) Deno.chmodSync(to, mode & 0o777);
    if (mtimeMs !== null) target.utimeSync(new Date(), new Date(mtimeMs));
    return { bytes, sha256: sum.digest("hex"), ...(other ? { also: other.digest("hex") } : {}) };
  } catch (error) {
    Deno.removeSync(to);
    throw error;
  }
}

/** What cannot be flushed is removed: Linux tells of an error of the disk only once (fsync(2)), and the next flush would succeed. */
async function flushAndName({ file, name, mode }: BulkName, stop: Stop): Promise<boolean> {
  if (mode !== null) Deno.chmodSync(file, mode);
  const opened = Deno.openSync(file, { read: true, write: Deno.build.os === "windows" });
  await opened.sync().finally(() => opened.close()).catch((error) => {
    Deno.removeSync(file);
    throw error;
  });
  if (Atomics.load(stop, 0) !== 0) return false;
  // A link never replaces what has the name.
  Deno.linkSync(file, name);
  Deno.removeSync(file);
  return true;
}

function begin(id: number, file: OpenFile | null): UnderWay {
  const begun = { file, sum: createHash("sha256"), bytes: 0, inChunk: 0 };
  underWay.set(id, begun);
  return begun;
}

/** Gives the next bytes of a file piece by piece: so many, or those up to its end. How many there were. */
function eachPiece(file: OpenFile, most: number, use: (bytes: Uint8Array) => void): number {
  let bytes = 0;
  while (bytes < most) {
    const got = file.readSync(piece.subarray(0, Math.min(piece.length, most - bytes)));
    if (got === null) break;
    use(piece.subarray(0, got));
    bytes += got;
  }
  return bytes;
}

function fill<B extends ArrayBufferLike>(buffer: Uint8Array<B>, file: Pick<OpenFile, "readSync">): Uint8Array<B> {
  let filled = 0;
  while (filled < buffer.length) {
    const got = file.readSync(buffer.subarray(filled));
    if (got === null) break;
    filled += got;
  }
  return buffer.subarray(0, filled);
}

serveCalls(calls);
