/**
 * The Worker of `hash_chunks.ts`. It is bundled and embedded separately: import nothing heavy here.
 *
 * @module
 */
import type { ToRead } from "../../domain/source_file.ts";
import { Buffer } from "node:buffer";
import { createHash, type Hash } from "node:crypto";
import { serveCalls } from "../workers/serve_calls.ts";
import type { LikeFile, SharedBytes } from "../system.ts";
import { type OpenFile, openToReadSync } from "./open_source.ts";

const buffer = new Uint8Array(256 * 1024);
/** What another file has at the same place. */
const beside = new Uint8Array(buffer.length);

/** A file that is hashed as a whole. */
interface Hashing {
  readonly file: OpenFile;
  readonly sum: Hash;
  bytes: number;
}
const hashings = new Map<number, Hashing>();

/** A file that is hashed chunk by chunk here, and as a whole by another thread. */
interface Reading {
  readonly file: OpenFile;
  readonly other: OpenFile | null;
  /** Of the chunk in hand; null as long as the other file has the same bytes. */
  sum: Hash | null;
  bytes: number;
  isOver: boolean;
}
const readings = new Map<number, Reading>();
/** Files that another thread reads. */
const sums = new Map<number, { readonly sum: Hash; bytes: number }>();

const calls = {
  /** SHA-256 of each of these chunks; of what there is of one at the end. */
  chunks(from: ToRead, chunkBytes: number, chunks: readonly number[]): string[] {
    using file = openToReadSync(from);
    return chunks.map((chunk) => {
      file.seek(chunk * chunkBytes);
      const sum = createHash("sha256");
      addTo(sum, file, chunkBytes);
      return sum.digest("hex");
    });
  },
  /** Hashes the next bytes of a file; with the first call, opens it. The hash is told once there is no more. */
  more(id: number, from: ToRead, length: number): { readonly bytes: number; readonly sha256: string | null } {
    const hashing = hashings.get(id) ?? { file: openToReadSync(from), sum: createHash("sha256"), bytes: 0 };
    hashings.set(id, hashing);
    try {
      const added = addTo(hashing.sum, hashing.file, length);
      hashing.bytes += added;
      if (added === length) return { bytes: hashing.bytes, sha256: null };
    } catch (error) {
      calls.drop(id);
      throw error;
    }
    calls.drop(id);
    return { bytes: hashing.bytes, sha256: hashing.sum.digest("hex") };
  },
  /** Forgets a file that is not to be hashed any further. */
  drop(id: number): void {
    hashings.get(id)?.file[Symbol.dispose]();
    hashings.delete(id);
    readings.get(id)?.file[Symbol.dispose]();
    readings.get(id)?.other?.[Symbol.dispose]();
    readings.delete(id);
    sums.delete(id);
  },
  /**
   * Reads the next bytes of a file into `room`, several of which make a chunk; with the first call, opens it. At the end of a chunk tells its
   * SHA-256, or null where `like` has the same bytes.
   */
  read(id: number, from: ToRead, room: SharedBytes, chunkBytes: number, like: LikeFile | null) {
    const reading = readings.get(id) ??
      { file: openToReadSync(from), other: like === null ? null : opened(like.path), sum: null, bytes: 0, isOver: false };
    readings.set(id, reading);
    const wasOver = reading.isOver;
    const chunk = Math.floor(reading.bytes / chunkBytes);
    const isCompared = like !== null && chunk >= like.from && chunk < like.to;
    let filled = 0;
    while (filled < room.length && !reading.isOver) {
      const got = reading.file.readSync(room.subarray(filled, filled + buffer.length));
      if (got === null) reading.isOver = true;
      else judge(reading, room.subarray(filled, filled + got), chunk * chunkBytes, isCompared);
      filled += got ?? 0;
    }
    const { bytes, isOver, sum } = reading;
    const isWhole = bytes % chunkBytes === 0 ? filled > 0 : isOver && !wasOver;
    if (isWhole) reading.sum = null;
    return { bytes: filled, isOver, ...(isWhole ? { sha256: sum?.digest("hex") ?? null } : {}) };
  },
  /** Hashes the bytes from `offset` on of a file that another thread reads: all that are before them must have been added. */
  add(id: number, offset: number, content: SharedBytes): void {
    const adding = sums.get(id) ?? { sum: createHash("sha256"), bytes: 0 };
    if (adding.bytes !== offset) throw new Error(`${adding.bytes} bytes were hashed, not ${offset}`);
    sums.set(id, adding);
    adding.sum.update(content);
    adding.bytes += content.length;
  },
  /** SHA-256 of all that was added. */
  sum(id: number): string {
    return sums.get(id)!.sum.digest("hex");
  },
  /** Those of these whole chunks that the file `like` does not have with the same bytes. */
  unlike(from: ToRead, like: string, chunkBytes: number, chunks: readonly number[]): number[] {
    using file = openToReadSync(from);
    using other = opened(like);
    return chunks.filter((chunk) => {
      file.seek(chunk * chunkBytes);
      for (let done = 0; done < chunkBytes;) {
        const got = file.readSync(buffer.subarray(0, Math.min(chunkBytes - done, buffer.length)));
        if (got === null || !hasBytes(other, chunk * chunkBytes + done, buffer.subarray(0, got))) return true;
        done += got;
      }
      return false;
    });
  },
};

/** Compares the next bytes of a chunk as long as they are the same; else hashes them. */
function judge(reading: Reading, content: Uint8Array, begin: number, isCompared: boolean): void {
  const { other, bytes } = reading;
  reading.bytes += content.length;
  if (reading.sum === null && isCompared && hasBytes(other, bytes, content)) return;
  if (reading.sum === null) {
    reading.sum = createHash("sha256");
    // What was the same until now.
    if (bytes > begin) {
      other!.seek(begin);
      addTo(reading.sum, other!, bytes - begin);
    }
  }
  reading.sum.update(content);
}

/** Null where it cannot be read: then it has no bytes that could be the same. */
function opened(path: string): OpenFile | null {
  try {
    return openToReadSync(path);
  } catch {
    return null;
  }
}

function hasBytes(file: OpenFile | null, offset: number, content: Uint8Array): boolean {
  try {
    file?.seek(offset);
    for (let at = 0; at < content.length;) {
      const got = file?.readSync(beside.subarray(0, Math.min(content.length - at, beside.length))) ?? null;
      if (got === null || Buffer.compare(beside.subarray(0, got), content.subarray(at, at + got)) !== 0) return false;
      at += got;
    }
    return true;
  } catch {
    return false;
  }
}

/** How many bytes there were. */
function addTo(sum: Hash, file: OpenFile, length: number): number {
  let added = 0;
  while (added < length) {
    const got = file.readSync(buffer.subarray(0, Math.min(length - added, buffer.length)));
    if (got === null) break;
    sum.update(buffer.subarray(0, got));
    added += got;
  }
  return added;
}

/** What this Worker can be asked. */
export type ChunkCalls = typeof calls;

serveCalls(calls);
