/**
 * The method for disks of this computer, network drives included: a hashing copy into staging on the destination's own
 * file system, flushed, read again for its digest, and named last.
 */
import { createHash } from "node:crypto";
import { mapLimit } from "../../async/map_limit.ts";
import type { Destination } from "../../config/settings.ts";
import { failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { sameFingerprint, type SourceFile } from "../../domain/source_file.ts";
import { faultOf, sourceFailure, sourceFault } from "../../system/fault.ts";
import { paceOf } from "../bandwidth.ts";
import {
  CHUNK_BYTES,
  type Method,
  type MethodContext,
  type PartFiles,
  type PutOutcome,
  type Session,
  type Upload,
} from "../method.ts";
import { namesSession } from "../naming.ts";
import { attach, checkMount, destinationFailure, type LocalBase, localBase, makeStaging, pathOf } from "./local_base.ts";
import { digest, flush, LARGE_AT_ONCE, modifiedAt, SMALL_BYTES, survey } from "./local_files.ts";
import { localNames } from "./local_names.ts";

const SMALL_AT_ONCE = 8;
const COMPARE_BYTES = 1 << 20;

/** Connecting does nothing yet: the folder is found by `attach`. */
export const local: Method<"local"> = {
  name: "local",
  connect: (destination, context) => Promise.resolve(openLocal(destination, context)),
};

function openLocal(destination: Destination, context: MethodContext): Session {
  const base = localBase(destination, context);
  const { system, log } = context;
  // Shared by all copies: the limit is the destination's.
  const pace = paceOf(destination, context);
  const keepsModes = destination.preservePermissions && system.platform !== "windows";
  let toldOfTimes = false;
  return {
    method: "local",
    proof: "checksum",
    // Windows has no flush for folders.
    durability: system.platform === "windows" ? "ordered" : "flushed",
    sendsStagedAgain: true,
    hashesSource: true,
    resumes: true,
    about: "local copy, SHA-256 of the bytes read again, flushed to the disk",
    attach: (create, _signal, probe) => attach(base, create, probe),
    survey: (paths) => survey(base, paths),
    digest: (paths, signal) => digest(base, paths, signal),
    modifiedAt: (path) => modifiedAt(base, path),
    async put(uploads, onBytes, signal) {
      await makeStaging(base, uploads.map(({ staged }) => staged));
      const atOnce = uploads.every(isSmall) ? SMALL_AT_ONCE : LARGE_AT_ONCE;
      const sent = await putSmall(uploads, onBytes, signal);
      return await mapLimit(uploads, atOnce, async (upload, index) => {
        const digest = sent.get(upload);
        return digest ? { put: true, sent: digest } : await putOne(upload, (bytes) => onBytes(index, bytes), signal);
      });
    },
    parts: localParts(base, keepTimesAndMode),
    ...namesSession(() => localNames(base, (paths, signal) => digest(base, paths, signal))),
    flush: (paths) => flush(base, paths),
    [Symbol.asyncDispose]: () => Promise.resolve(base.bulk[Symbol.dispose]()),
  };

  /** What can be copied in bulk; the others, and those at fault, are copied one by one. */
  async function putSmall(
    uploads: readonly Upload[],
    onBytes: (index: number, bytes: number) => void,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<Upload, Digest | null>> {
    if (pace.atOnce < Infinity) return new Map();
    const indices = [...uploads.keys()].filter((index) => isSmall(uploads[index]!) && uploads[index]!.leftover === undefined);
    const copies = indices.map((index) => {
      const { source, staged } = uploads[index]!;
      return {
        from: source,
        to: pathOf(base, staged),
        mtimeMs: destination.preserveTimestamps ? source.mtimeMs : null,
        withMode: keepsModes,
        most: mostOf(source),
      };
    });
    const digests = await base.bulk.copy(copies, (at, bytes) => onBytes(indices[at]!, bytes), signal);
    return new Map(indices.map((index, at) => [uploads[index]!, digests[at]!]));
  }

  async function putOne(upload: Upload, onBytes: (bytes: number) => void, signal: AbortSignal): Promise<PutOutcome> {
    const to = pathOf(base, upload.staged);
    const from = upload.source;
    try {
      let bytes = await takeOver(base, upload, to, signal);
      if (bytes > 0) onBytes(bytes);
      const sent = await system.copy(from, to, {
        from: bytes,
        most: mostOf(from),
        pace,
        // Publishing does, once it is proven; a part that is lost in a power cut is copied again.
        flush: false,
        ...(upload.hashedLater ? { hash: false } : {}),
        onBytes: (more) => onBytes(bytes += more),
      }, signal);
      await keepTimesAndMode(from, to);
      if (!isSmall(upload)) flushBeside(base, to);
      return { put: true, ...(upload.hashedLater ? {} : { sent }) };
    } catch (error) {
      signal.throwIfAborted();
      const told = faultOf(error);
      const fault = told === "changed"
        ? sourceFailure(error, from.absolutePath)
        : BY_DESTINATION.has(told)
        ? null
        : await sourceFault(from, told === "io", system, signal);
      if (fault) return { put: false, failure: failureRecord(fault) };
      const failure = await destinationFailure(base, error, `copy "${printable(from.absolutePath)}" to ${destination.name}`);
      // A hold is the destination's, not this file's: no use in trying the others.
      if (failure.next === "hold") throw failure;
      return { put: false, failure: failureRecord(failure) };
    }
  }

  /** Some file systems keep neither (FAT, network drives of others): the bytes count, so that is only told. */
  async function keepTimesAndMode(source: SourceFile, to: string): Promise<void> {
    try {
      if (keepsModes) {
        const facts = await system.facts(source.absolutePath);
        if (facts?.kind === "file" && sameFingerprint(facts, source)) await system.setMode(to, facts.mode & 0o777);
      }
      if (destination.preserveTimestamps) await system.setTimes(to, source.mtimeMs);
    } catch (error) {
      const fault = faultOf(error);
      if (fault !== "permission" && fault !== "unsupported") throw error;
      if (!toldOfTimes) log("warning", `${destination.name}: the file system there does not keep times or modes`);
      toldOfTimes = true;
    }
  }
}

/** One byte more than it should have, so that one that grows is noticed, and never fills the disk. */
function mostOf({ size }: SourceFile): number {
  return size + 1;
}

function isSmall({ source }: Upload): boolean {
  return source.size < SMALL_BYTES;
}

/**
 * While it is read back for its digest. Publishing waits for the answer: Linux tells of an error of the disk only once (fsync(2)).
 * What cannot be flushed is removed at once: after a crash, the next attempt must not take it for a good part.
 */
function flushBeside({ flushing, system }: LocalBase, path: string): void {
  // There, a file that is open cannot be renamed.
  if (system.platform === "windows") return;
  const ended = system.sync(path).then(() => {
    flushing.delete(path);
    return null;
  }, async (error: unknown) => {
    await system.removeTree(path).catch(() => undefined);
    return error;
  });
  flushing.set(path, ended);
}

/** Only the written side can say these. */
const BY_DESTINATION: ReadonlySet<string> = new Set(["no_space", "read_only", "exists", "cross_device"]);

/** Takes an earlier attempt's part as the beginning, where it is one; gives its length. */
async function takeOver(base: LocalBase, { leftover, source }: Upload, to: string, signal: AbortSignal): Promise<number> {
  const { system } = base;
  if (leftover === undefined) {
    // A disk that refused the rest of a copy in bulk may have refused to remove its beginning, too.
    await system.removeTree(to);
    return 0;
  }
  const left = pathOf(base, leftover);
  const facts = await system.facts(left);
  if (facts === null) return 0;
  if (left !== to) await system.rename(left, to);
  const isPrefix = async (size: number) => {
    for (let at = 0; at < size; at += COMPARE_BYTES) {
      signal.throwIfAborted();
      const length = Math.min(COMPARE_BYTES, size - at);
      const [there, here] = await Promise.all([system.read(to, at, length), system.read(source, at, length)]);
      if (there.length !== here.length || there.some((byte, index) => byte !== here[index])) return false;
    }
    return true;
  };
  // An empty one is no beginning: the copy makes its file itself. A whole one may have heard of an error of the disk, which is told once.
  const fits = facts.kind === "file" && facts.size > 0 && facts.size < source.size;
  if (fits && await isPrefix(facts.size)) return facts.size;
  await system.removeTree(to);
  return 0;
}

/** `keep` gives a file the times and the mode of its source. */
export function localParts(base: LocalBase, keep: (source: SourceFile, to: string) => Promise<void>): PartFiles {
  const { system, where } = base;
  const toPart = async <T>(staged: string, act: (path: string) => Promise<T>, signal: AbortSignal): Promise<T> => {
    try {
      return await act(pathOf(base, staged));
    } catch (error) {
      signal.throwIfAborted();
      throw await destinationFailure(base, error, `write "${printable(staged)}" to ${where}`);
    }
  };
  const write: PartFiles["append"] = (staged, chunk, content, signal) =>
    toPart(staged, async (path) => {
      await checkMount(base);
      await system.writeInto(path, chunk * CHUNK_BYTES, content, signal);
    }, signal);
  return {
    async begin(staged, from, signal) {
      await makeStaging(base, [staged]);
      return await toPart(staged, async (path) => {
        // Nobody else can write into it: what wrote it was this daemon, or one that has ended.
        const left = from === null ? null : await system.facts(pathOf(base, from));
        if (from === null || left?.kind !== "file") {
          await using _file = await system.createFile(path);
          return 0;
        }
        await system.rename(pathOf(base, from), path);
        return Math.floor(left.size / CHUNK_BYTES);
      }, signal);
    },
    append: write,
    replace: write,
    digests: (staged, chunks, signal) =>
      toPart(staged, async (path) => {
        const found: (string | null)[] = [];
        for (const chunk of chunks) {
          signal.throwIfAborted();
          const content = await system.read(path, chunk * CHUNK_BYTES, CHUNK_BYTES);
          found.push(content.length === 0 ? null : createHash("sha256").update(content).digest("hex"));
        }
        return found;
      }, signal),
    flush: (staged, signal) =>
      toPart(staged, async (path) => {
        try {
          await system.sync(path);
        } catch (error) {
          // The next flush would succeed: Linux tells of an error of the disk only once (fsync(2)).
          await system.removeTree(path).catch(() => undefined);
          throw error;
        }
      }, signal),
    async finish(staged, to, source, signal) {
      await makeStaging(base, [to]);
      await toPart(staged, async (path) => {
        await keep(source, path);
        await system.rename(path, pathOf(base, to));
      }, signal);
    },
  };
}
