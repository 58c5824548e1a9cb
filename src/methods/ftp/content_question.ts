/**
 * Files that are read back to be hashed. Large ones are hashed as they arrive. Small ones are written to memory by curl, and hashed in a Worker: to
 * take every piece from a pipe costs this program several times as much.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "@std/path";
import { anySignal } from "../../async/abort.ts";
import { Failure } from "../../domain/failure.ts";
import type { Digest } from "../../domain/receipt.ts";
import { faultOf } from "../../system/fault.ts";
import { isInMemory } from "../../system/host/runtime_folder.ts";
import type { MethodContext } from "../method.ts";
import type { Transfer } from "./curl_config.ts";
import type { Ended } from "./dialogue.ts";

/** The end of a run, which asks for the digests of files: its transfers, and what they tell. */
export interface DigestQuestion {
  readonly transfers: readonly Transfer[];
  /** For the content that these transfers print. */
  onPiece(index: number, piece: Uint8Array): void;
  /** One of them has succeeded. */
  onDone(index: number): void;
  /** `ends` are theirs, as far as the run came. Null for a file of which nothing was told. */
  answers(ends: readonly Ended[]): Promise<(Digest | null)[]>;
}

export type OnBytes = (index: number, bytes: number) => void;

/**
 * Fetches files one after the other; the first that is not there ends the run. With `copies`, some are written there. One that is longer than
 * it can be is read no further.
 */
export function contentQuestion(paths: readonly string[], onBytes: OnBytes, copies: Copies = noCopies([])): DigestQuestion {
  const sums = paths.map(() => ({ hash: createHash("sha256"), bytes: 0 }));
  return {
    transfers: paths.map((path, index) => {
      const into = copies.fileOf(index);
      return { kind: "fetch", path, commands: [], ...(into === null ? {} : { into }) };
    }),
    onPiece(index, piece) {
      const sum = sums[index]!;
      sum.hash.update(piece);
      onBytes(index, sum.bytes += piece.length);
      const most = copies.lengths[index] ?? Infinity;
      if (sum.bytes > most) throw tooLong(most);
    },
    onDone: copies.hashSoon,
    async answers(ends) {
      const copied = await copies.digests();
      return sums.map(({ bytes, hash }, index) => {
        if (ends[index]?.exit !== 0) return null;
        return copies.fileOf(index) === null ? { bytes, sha256: hash.digest("hex") } : copied.get(index) ?? null;
      });
    },
  };
}

/** It is the file's own trouble: all others are sent without it. */
function tooLong(bytes: number): Failure {
  return new Failure("mismatch", `Cannot verify a file: the server sends back more than the ${bytes} bytes that it was sent`, {
    hint: "It is sent again. If it persists, check the FTP server and its disk.",
  });
}

/** Where small files are read back to; gone with all of them when disposed of. */
export interface Copies extends AsyncDisposable {
  /** Of the files, where they are known: nobody reads more than that, and a little. */
  readonly lengths: readonly number[];
  /** Where to write this one; null for one that is not written. */
  fileOf(index: number): string | null;
  /** Aborted, with the reason, once a file is longer than it can be. */
  readonly over: AbortSignal;
  /** It is written. */
  hashSoon(index: number): void;
  /** Of all that were written, but for those that could not be read. */
  digests(): Promise<ReadonlyMap<number, Digest>>;
}

const noCopies = (lengths: readonly number[]): Copies => ({
  lengths,
  fileOf: () => null,
  over: new AbortController().signal,
  hashSoon: () => undefined,
  digests: () => Promise.resolve(new Map()),
  [Symbol.asyncDispose]: () => Promise.resolve(),
});

/** Larger files are hashed as they arrive. */
const SMALL_BYTES = 1024 * 1024;
/** For fewer files it is not worth it. */
const FEWEST = 8;
/** Files that are hashed in one call. */
const AT_ONCE = 32;

/** For files of these lengths. Where the folder for links is on a disk, or memory is short, none is written. */
export async function makeCopies(
  { system, workFolder }: Pick<MethodContext, "system" | "workFolder">,
  lengths: readonly number[],
  signal: AbortSignal,
): Promise<Copies> {
  const small = lengths.filter((bytes) => bytes < SMALL_BYTES);
  if (small.length < FEWEST || !isInMemory(workFolder)) return noCopies(lengths);
  const needed = small.reduce((sum, bytes) => sum + bytes + PAGE_BYTES, 0);
  const folder = join(workFolder, system.randomHex(6));
  try {
    await system.makeFolder(folder, 0o700);
    if ((await system.space(folder)).freeBytes > 4 * needed) return copiesIn(folder, lengths, system, signal);
    await system.removeTree(folder);
  } catch (error) {
    // Without copies, it only takes longer.
    if (faultOf(error) === "other") throw error;
  }
  return noCopies(lengths);
}

const PAGE_BYTES = 4096;
const WATCH_MS = 50;

function copiesIn(folder: string, lengths: readonly number[], system: MethodContext["system"], signal: AbortSignal): Copies {
  const found = new Map<number, Digest>();
  const hashing: Promise<void>[] = [];
  let waiting: number[] = [];
  const fileOf = (index: number) => lengths[index]! < SMALL_BYTES ? join(folder, String(index)) : null;
  const over = anySignal(signal);
  let done = 0;

  /** Curl writes what the server sends, and memory is short. */
  async function watchLengths(): Promise<void> {
    while (!over.signal.aborted) {
      await system.sleep(WATCH_MS, over.signal);
      const [index, file] = [done, done < lengths.length ? fileOf(done) : null];
      const facts = file === null ? null : await system.facts(file).catch(() => null);
      if (facts !== null && facts.size > lengths[index]!) over.abort(tooLong(lengths[index]!));
    }
  }

  async function hash(index: number): Promise<void> {
    const file = fileOf(index);
    if (file === null) return;
    // What cannot be read here is read back once more.
    const digest = await system.hash(file, signal).catch(() => null);
    if (digest !== null) found.set(index, digest);
  }
  function hashWaiting(): void {
    hashing.push(...waiting.map(hash));
    waiting = [];
  }
  const watching = watchLengths();
  return {
    lengths,
    fileOf,
    over: over.signal,
    hashSoon(index) {
      done = index + 1;
      waiting.push(index);
      if (waiting.length >= AT_ONCE) hashWaiting();
    },
    async digests() {
      hashWaiting();
      await Promise.all(hashing);
      return found;
    },
    async [Symbol.asyncDispose]() {
      over[Symbol.dispose]();
      await Promise.all([watching, ...hashing]);
      await system.removeTree(folder);
    },
  };
}
