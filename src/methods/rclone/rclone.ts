/**
 * The method for everything that rclone reaches: object stores such as S3, and many more. The account is in rclone's own configuration.
 */
import { anySignal } from "../../async/abort.ts";
import { mapLimit } from "../../async/map_limit.ts";
import type { Lease } from "../../async/pace.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { sourceFault } from "../../system/fault.ts";
import { isLimited, paceOf } from "../bandwidth.ts";
import { bytesOf, linkName, linkUploads, stagingOf } from "../links.ts";
import type { Method, MethodContext, PutOutcome, Session, Upload } from "../method.ts";
import { canPutOnlyNew, type Named, type Naming, putAtNames } from "./rclone_at_name.ts";
import { AT_ONCE, type RcloneDestination, RcloneError, startRclone } from "./rclone_daemon.ts";
import { checkBase, freeSpace, rcloneFiles, type Sent } from "./rclone_files.ts";
import { rcloneNaming } from "./rclone_names.ts";
import { type OnBytes, watched } from "./rclone_progress.ts";
import { failureOf, keepLimits, openRemote } from "./rclone_remote.ts";
import { hashSource } from "./source_hash.ts";

/** Its `proof` is `checksum` where the store itself hashes what it holds, else `read_back`. */
export const rclone: Method<"rclone"> = { name: "rclone", connect };

async function connect(destination: RcloneDestination, context: MethodContext, signal: AbortSignal): Promise<Session> {
  await using stack = new AsyncDisposableStack();
  const daemon = stack.use(await startRclone(destination, context, signal));
  const remote = await openRemote(daemon, destination, context, signal);
  if (destination.fileMode !== null || destination.directoryMode !== null) {
    context.log("warning", "file_mode and directory_mode have no effect: rclone sets no permissions");
  }
  const sent: Sent = new Map();
  const named: Named = new Map();
  const files = rcloneFiles(remote, sent);
  const onlyNew = canPutOnlyNew(remote);
  const naming: Naming = { remote, files, sent, named, onlyNew, bulk: stack.use(context.system.bulkFiles()) };
  const rest = stack.move();
  return {
    method: "rclone",
    proof: remote.hash === null ? "read_back" : "checksum",
    // No store says when what it has accepted is on its disks.
    durability: "unconfirmed",
    sendsStagedAgain: false,
    hashesSource: true,
    showsInPut: true,
    // rclone begins a file again when it was cut.
    resumes: false,
    about: remote.about,
    ...files,
    survey: (paths, signal) => files.survey(paths.map((path) => named.get(path)?.target ?? path), signal),
    async digest(paths, signal, calm) {
      const rest = paths.filter((path) => !named.has(path));
      const digests = rest.length === 0 ? [] : await files.digest(rest, signal, calm);
      const found = new Map(rest.map((path, index) => [path, digests[index] ?? null]));
      return paths.map((path) => named.get(path)?.digest ?? found.get(path) ?? null);
    },
    put: rclonePut(naming),
    ...rcloneNaming(naming),
    flush: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

const HASHED_AT_ONCE = 4;
/** How often the share of the bandwidth is adapted. */
const RENEWED_MS = 500;

/** What `Session.put` does: straight at the final name where that can be, else at a staging name. */
function rclonePut(naming: Naming): Session["put"] {
  const { remote, files, sent } = naming;
  const { hash, where, context, destination } = remote;
  const { system } = context;
  const pace = paceOf(destination, context);
  return async (uploads, onBytes, signal) => {
    if (uploads.length === 0) return [];
    await checkBase(remote, signal);
    using lease = await pace.lease(bytesOf(uploads), signal, () => onBytes(0, 0));
    await keepLimits(remote, { up: lease.rate }, signal, "anew");
    using over = anySignal(signal);
    if (isLimited(destination)) void keepLease(lease, over.signal);
    const outcomes = await putAtNames(naming, uploads, onBytes, signal);
    const rest = uploads.flatMap((upload, index) => outcomes[index] === null ? [{ upload, index }] : []);
    if (rest.length === 0) return outcomes.filter((outcome) => outcome !== null);
    const tell: OnBytes = (place, bytes) => onBytes(rest[place]!.index, bytes);
    const staged = await stage(rest.map(({ upload }) => upload), tell, signal);
    return uploads.map((_, index) => outcomes[index] ?? staged[rest.findIndex((one) => one.index === index)]!);
  };

  /** Follows the limits, and who else sends. */
  async function keepLease(lease: Lease, over: AbortSignal): Promise<void> {
    for (;;) {
      await system.sleep(RENEWED_MS, over);
      if (over.aborted) return;
      lease.renew();
      // The next one tells it again; what is wrong with rclone shows in the call that sends.
      await keepLimits(remote, { up: lease.rate }, over).catch(() => undefined);
    }
  }

  /** Puts files under their staging names. What arrives is remembered in `sent`. */
  async function stage(uploads: readonly Upload[], onBytes: OnBytes, signal: AbortSignal): Promise<PutOutcome[]> {
    await using links = await linkUploads(uploads, context, signal);
    using over = anySignal(signal);
    const hashing = mapLimit(uploads, HASHED_AT_ONCE, ({ source }) => hashSource(source, hash, system, over.signal));
    hashing.catch(() => undefined); // Awaited below, unless sending fails first.
    const failure = await copyAll(links.folder, uploads, onBytes, signal);
    const hashes = await hashing;
    // An error is of some files: which of them are there?
    const found = failure === null ? null : await files.survey(uploads.map(({ staged }) => staged), signal);
    return await mapLimit(uploads, HASHED_AT_ONCE, async (upload, index): Promise<PutOutcome> => {
      const hashed = hashes[index]!;
      if (hashed instanceof Failure) return { put: false, failure: failureRecord(hashed) };
      if (found && found[index]?.bytes !== upload.source.size) {
        const fault = await sourceFault(upload.source, false, system, signal);
        return { put: false, failure: failureRecord(fault ?? failure!) };
      }
      sent.set(upload.staged, hashed);
      onBytes(index, upload.source.size);
      return { put: true, sent: { bytes: hashed.bytes, sha256: hashed.sha256 } };
    });
  }

  /** Sends all of a folder. @throws {Failure} where the whole batch is lost; gives one that may be of some files only. */
  async function copyAll(
    folder: string,
    uploads: readonly Upload[],
    onBytes: OnBytes,
    signal: AbortSignal,
    repeats = 1,
  ): Promise<Failure | null> {
    try {
      await watched(remote, uploads, linkName, onBytes, signal, (group, over) =>
        remote.call("sync/copy", {
          srcFs: { type: "local", _root: folder, copy_links: "true" },
          dstFs: remote.fs(stagingOf(uploads), "quick"),
          // Nothing is there yet, under names of ours alone.
          _config: { NoCheckDest: true, NoTraverse: true, Inplace: true, Transfers: AT_ONCE },
          _group: group,
        }, over));
      return null;
    } catch (error) {
      signal.throwIfAborted();
      // Another session may have made our folder at the same moment, which rclone takes for an error of the server.
      if (repeats > 0 && error instanceof RcloneError && /mkdir .* failed/.test(error.message)) {
        return await copyAll(folder, uploads, onBytes, signal, repeats - 1);
      }
      const told = failureOf(error, `send files to ${where}`, signal);
      if (told.code !== "interrupted" && told.code !== "permission_denied") throw told;
      // SFTP servers say "Failure" for a full disk: is there room for the files?
      const free = await freeSpace(remote, signal);
      if (free !== null && free < Math.max(...uploads.map(({ source }) => source.size))) {
        throw failure(CAUSES.full, `Cannot send files to ${where}`, { said: `rclone failed: ${told.message}` });
      }
      if (told.next === "hold") throw told;
      return told;
    }
  }
}
