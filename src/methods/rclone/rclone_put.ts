/**
 * Puts a batch under its staging names: one call of rclone for all of it, through a folder of links with safe names. Each source is
 * hashed here at the same time.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { anySignal } from "../../async/abort.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { sourceFault } from "../../system/source_failure.ts";
import type { System } from "../../system/system.ts";
import { linkName, linkUploads, stagingOf } from "../links.ts";
import type { PutOutcome, Session, Upload } from "../method.ts";
import { AT_ONCE, RcloneError } from "./rclone_daemon.ts";
import { rcloneFailure } from "./rclone_failures.ts";
import { checkBase, freeSpace, type Sent } from "./rclone_files.ts";
import { failureOf, keepLimit, type Remote, type StoreHash } from "./rclone_remote.ts";

/** How often it is looked how far rclone is. */
const LOOK_MS = 500;
const HASHED_AT_ONCE = 4;
const PIECE_BYTES = 1 << 20;

/** What `Session.put` does. What arrives is remembered in `sent`. */
export function rclonePut(remote: Remote, survey: Session["survey"], sent: Sent): Session["put"] {
  const { context } = remote;
  return async (uploads, onBytes, signal) => {
    if (uploads.length === 0) return [];
    await checkBase(remote, signal);
    await keepLimit(remote, signal);
    await using links = await linkUploads(uploads, context);
    using over = anySignal(signal);
    const hashing = mapLimit(uploads, HASHED_AT_ONCE, (upload) => hashSource(upload, remote, over.signal));
    hashing.catch(() => undefined); // Awaited below, unless sending fails first.
    const failure = await orFull(remote, uploads, copyAll(remote, links.folder, uploads, onBytes, signal), signal);
    const hashes = await hashing;
    // An error is of some files: which of them are there?
    const found = failure === null ? null : await survey(uploads.map(({ staged }) => staged), signal);
    return await mapLimit(uploads, HASHED_AT_ONCE, async (upload, index): Promise<PutOutcome> => {
      const hashed = hashes[index]!;
      if (hashed instanceof Failure) return { put: false, failure: failureRecord(hashed) };
      if (found && found[index]?.bytes !== upload.source.size) {
        const fault = await sourceFault(upload.source.absolutePath, false, context.system, signal);
        return { put: false, failure: failureRecord(fault ?? failure!) };
      }
      sent.set(upload.staged, hashed);
      onBytes(index, upload.source.size);
      return { put: true, sent: { bytes: hashed.bytes, sha256: hashed.sha256 } };
    });
  };
}

/** SFTP servers say "Failure" for a full disk: is there room for the files? */
async function orFull(
  remote: Remote,
  uploads: readonly Upload[],
  copying: Promise<Failure | null>,
  signal: AbortSignal,
): Promise<Failure | null> {
  const failure = await copying.catch((error: unknown) => error);
  if (failure === null) return null;
  if (!(failure instanceof Failure) || failure.code !== "interrupted" && failure.code !== "permission_denied") throw failure;
  const free = await freeSpace(remote, signal);
  const wanted = uploads.reduce((sum, { source }) => Math.max(sum, source.size), 0);
  if (free !== null && free < wanted) {
    throw new Failure("disk_full", `Cannot send files to ${remote.where}: it is full (rclone failed: ${failure.message})`, {
      hint: "Free some space there; delivery resumes automatically.",
    });
  }
  if (failure.next === "hold") throw failure;
  return failure;
}

/** Sends all of a folder. @throws {Failure} where the whole batch is lost; gives one that may be of some files only. */
async function copyAll(
  remote: Remote,
  folder: string,
  uploads: readonly Upload[],
  onBytes: (index: number, bytes: number) => void,
  signal: AbortSignal,
): Promise<Failure | null> {
  const what = `send files to ${remote.where}`;
  const group = crypto.randomUUID();
  using over = anySignal(signal);
  const looking = lookUntilEnd(remote, group, uploads, onBytes, (failure) => over.abort(failure), over.signal);
  try {
    await remote.call("sync/copy", {
      srcFs: { type: "local", _root: folder, copy_links: "true" },
      dstFs: remote.fs(stagingOf(uploads), "quick"),
      // Nothing is there yet, under names of ours alone.
      _config: { NoCheckDest: true, NoTraverse: true, Inplace: true, Transfers: AT_ONCE },
      _group: group,
    }, over.signal);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    const failure = failureOf(error, what, signal);
    if (failure.next === "hold" || failure.code === "unreachable" || !(error instanceof RcloneError)) throw failure;
    return failure;
  } finally {
    over.abort();
    await looking;
    // The answer to it matters to nobody.
    remote.call("core/stats-delete", { group }, new AbortController().signal).catch(() => undefined);
  }
}

/** Tells how far each file is, and ends the call when an error of one file will be that of all. */
async function lookUntilEnd(
  remote: Remote,
  group: string,
  uploads: readonly Upload[],
  onBytes: (index: number, bytes: number) => void,
  end: (failure: Failure) => void,
  signal: AbortSignal,
): Promise<void> {
  const { call, context: { system }, where } = remote;
  const indexOf = new Map(uploads.map((upload, index) => [linkName(upload), index]));
  for (;;) {
    await system.sleep(LOOK_MS, signal);
    if (signal.aborted) return;
    try {
      await keepLimit(remote, signal);
      const { transferring = [], lastError } = await call("core/stats", { group }, signal);
      for (const { name, bytes } of transferring as readonly { readonly name: string; readonly bytes: number }[]) {
        const index = indexOf.get(name);
        if (index !== undefined && bytes > 0) onBytes(index, Math.min(bytes, uploads[index]!.source.size));
      }
      if (typeof lastError !== "string") continue;
      const failure = rcloneFailure(lastError, `send files to ${where}`);
      if (failure.next === "hold" && failure.code !== "permission_denied" || failure.code === "unreachable") end(failure);
    } catch (error) {
      // The call itself will tell, if there is something to tell.
      if (!(error instanceof RcloneError || error instanceof Failure || signal.aborted)) throw error;
    }
  }
}

/** The source as it is read now: SHA-256, and the kind that the store tells; a Failure where it cannot be read. */
async function hashSource(
  { source: { absolutePath: path } }: Upload,
  { context: { system }, hash }: Remote,
  signal: AbortSignal,
): Promise<Failure | (Sent extends Map<string, infer S> ? S : never)> {
  try {
    return await read(path, hash, system, signal);
  } catch (error) {
    signal.throwIfAborted();
    const fault = await sourceFault(path, true, system, signal);
    if (fault) return fault;
    const reason = error instanceof Error ? error.message : String(error);
    return new Failure("source_unreadable", `Cannot read "${printable(path)}": ${printable(reason)}`, { cause: error });
  }
}

async function read(path: string, kind: StoreHash | null, system: System, signal: AbortSignal) {
  const other = kind === null || kind === "sha256" ? null : createHash(kind);
  const small = await system.readSmall(path, null, signal);
  if (small !== null) {
    other?.update(small.content);
    return { bytes: small.content.length, sha256: small.sha256, hash: other?.digest("hex") ?? null };
  }
  return await system.readSource(path, async (source) => {
    let bytes = 0;
    while (bytes < source.bytes) {
      const before = bytes;
      for await (const piece of source.read(Math.min(PIECE_BYTES, source.bytes - bytes))) {
        other?.update(piece);
        bytes += piece.length;
      }
      if (bytes === before) break;
    }
    return { bytes, sha256: source.sha256(), hash: other?.digest("hex") ?? null };
  }, signal);
}
