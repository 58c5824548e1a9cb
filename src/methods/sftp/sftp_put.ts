/**
 * Sending files with `sftp`: links with safe names here, several channels for many small files, `reput` for what
 * an earlier attempt left, and a look at the destination where sftp is silent for long.
 *
 * @module
 */
import { join } from "@std/path";
import { mapLimit } from "../../async/map_limit.ts";
import { mutex } from "../../async/mutex.ts";
import { Failure, type FailureRecord, failureRecord } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import { type Growth, watchGrowth } from "../growth.ts";
import { linkName, linkUploads } from "../links.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import type { MethodContext, PutOutcome, Session, Upload } from "../method.ts";
import { sourceFault } from "../../system/source_failure.ts";
import type { RemoteFiles } from "../ssh/remote_files.ts";
import type { SftpChannels } from "./sftp_channels.ts";
import { sftpCommand } from "./sftp_command.ts";

/** What sending works with. */
interface SftpSending {
  readonly channels: SftpChannels;
  readonly files: RemoteFiles;
  readonly destination: SshDestination;
  readonly context: MethodContext;
}

/** Each file costs several round trips: many small ones go over several channels. */
const MOST_SHARES = 4;
const FILES_PER_SHARE = 8;
/** What a file system may need beside a file's bytes. */
const SPARE_BYTES = 256 * 1024;
/** How often it is looked how far the files are; a channel sends in order: what grows is among the first that are not done. */
const LOOKS = { periodMs: 2000, files: 16 };

/** Makes `Session.put`. With a bandwidth limit one batch is sent at a time, as each sftp would have the limit for itself. */
export function sftpPut(sending: SftpSending): Session["put"] {
  const lock = mutex();
  return (uploads, onBytes, signal) =>
    sending.destination.bandwidthLimit === null
      ? put(sending, uploads, onBytes, signal)
      : lock(() => put(sending, uploads, onBytes, signal));
}

async function put(
  sending: SftpSending,
  uploads: readonly Upload[],
  onBytes: (index: number, bytes: number) => void,
  signal: AbortSignal,
): Promise<PutOutcome[]> {
  if (uploads.length === 0) return [];
  const { files, context, destination } = sending;
  await files.prepare(uploads, signal);
  await using links = context.system.platform === "windows" ? null : await linkUploads(uploads, context);
  const resumed = await resumable(sending, uploads, signal);
  const index = new Map(uploads.map((upload, at) => [upload, at]));
  const tell = (upload: Upload, bytes: number) => onBytes(index.get(upload)!, bytes);
  await using growth = watchGrowth(uploads, { ...LOOKS, survey: files.survey }, tell, context.system, signal);
  const failed = new Map<Upload, FailureRecord>();
  const shares = sharesOf(uploads, destination.bandwidthLimit === null ? MOST_SHARES : 1);
  await mapLimit(shares, MOST_SHARES, async (share) => {
    const commands = share.map((upload) => putCommand(sending, upload, resumed.has(upload), links?.folder ?? null));
    for (const [upload, failure] of await sendShare(sending, share, commands, growth, signal)) failed.set(upload, failure);
  });
  return uploads.map((upload) => {
    const failure = failed.get(upload);
    return failure ? { put: false, failure } : { put: true };
  });
}

function sharesOf(uploads: readonly Upload[], most: number): Upload[][] {
  const count = Math.max(1, Math.min(most, Math.floor(uploads.length / FILES_PER_SHARE)));
  return Array.from({ length: count }, (_, share) => uploads.filter((_, index) => index % count === share));
}

/** Sends files over one channel; gives those that failed. */
async function sendShare(
  sending: SftpSending,
  share: readonly Upload[],
  commands: readonly string[],
  growth: Growth,
  signal: AbortSignal,
): Promise<[Upload, FailureRecord][]> {
  const { channels, destination } = sending;
  const replies = await channels.run(commands, signal, {
    idleTimeoutMs: destination.timeoutMs,
    moving: growth.moving,
    onReplies: (done) => growth.done(share.slice(0, done)),
  });
  const failed: [Upload, FailureRecord][] = [];
  for (const [index, upload] of share.entries()) {
    const { errors } = replies[index]!;
    const failure = errors === "" ? null : await failureOf(sending, upload, errors, signal);
    if (failure) failed.push([upload, failureRecord(failure)]);
  }
  if (destination.preservePermissions && !destination.preserveTimestamps) await keepModes(sending, share, signal);
  return failed;
}

/** Those of which an earlier attempt left the beginning; what is as long as the file or longer is sent anew. */
async function resumable(sending: SftpSending, uploads: readonly Upload[], signal: AbortSignal): Promise<Set<Upload>> {
  // sftp trusts the part: only a hash of the whole finds out that it was wrong.
  const left = sending.destination.verify === "checksum" ? uploads.filter(({ leftover }) => leftover !== undefined) : [];
  if (left.length === 0) return new Set();
  const found = await sending.files.survey(left.map(({ staged }) => staged), signal);
  return new Set(left.filter(({ source }, index) => {
    const bytes = found[index]?.kind === "file" ? found[index].bytes : 0;
    return bytes > 0 && bytes < source.size;
  }));
}

function putCommand({ files, destination }: SftpSending, upload: Upload, resume: boolean, links: string | null): string {
  // sftp takes a slash on Windows too; a backslash would be an escape.
  const local = links === null ? upload.source.absolutePath.replaceAll("\\", "/") : join(links, linkName(upload));
  // -f flushes the file there, -p keeps times and modes (both or neither).
  const keep = destination.preserveTimestamps ? "p" : "";
  return sftpCommand(`${resume ? "reput" : "put"} -f${keep}`, local, files.path(upload.staged));
}

/** Modes without times: `-p` would keep both, and without it the umask there takes bits away. */
async function keepModes(
  { channels, files, context }: SftpSending,
  share: readonly Upload[],
  signal: AbortSignal,
): Promise<void> {
  const commands = await mapLimit(share, MOST_SHARES, async ({ source, staged }) => {
    const mode = (await context.system.followedFacts(source.absolutePath))?.mode;
    return mode === undefined ? [] : [sftpCommand(`chmod ${(mode & 0o777).toString(8)}`, files.path(staged))];
  });
  await channels.run(commands.flat(), signal);
}

/**
 * sftp said something about this file: is it there all the same, and if not, whose fault is it? Null where it is there.
 *
 * @throws {Failure} a hold: that is the destination's, not this file's.
 */
async function failureOf(sending: SftpSending, upload: Upload, errors: string, signal: AbortSignal): Promise<Failure | null> {
  const { files, destination, context: { system, log } } = sending;
  const said = printable(errors.split("\n").at(-1) ?? "").slice(0, 300);
  const fault = await sourceFault(upload.source.absolutePath, false, system, signal);
  if (fault) return fault;
  const stat = (await files.survey([upload.staged], signal))[0] ?? null;
  if (stat?.kind === "file" && stat.bytes === upload.source.size) {
    log("debug", `sftp on "${printable(upload.source.path)}", which is complete at ${destination.name}: ${said}`);
    return null;
  }
  const failure = await destinationFailure(sending, upload, errors, said, stat?.bytes ?? 0, signal);
  if (failure.next === "hold") throw failure;
  return failure;
}

/** SFTP servers say "Failure" for a full and for a read-only disk alike: asks further. */
async function destinationFailure(
  { files, destination }: SftpSending,
  { source }: Upload,
  errors: string,
  said: string,
  there: number,
  signal: AbortSignal,
): Promise<Failure> {
  const what = `Cannot send "${printable(source.path)}" to ${destination.name}`;
  const full = (reason: string) =>
    new Failure("disk_full", `${what}: ${reason} (${said})`, { hint: "Free some space there; delivery resumes automatically." });
  const free = await files.freeBytes(signal);
  if (free !== null && free < source.size - there + SPARE_BYTES) return full("the disk is full");
  await files.tryToWrite(signal);
  const meaning = meaningOf(errors);
  // It could be opened and something else can be written: what may be lacking is room.
  if (!meaning && /write remote/i.test(errors)) return full("the disk or the quota there seems to be full");
  return new Failure(meaning?.code ?? "interrupted", `${what}: ${meaning?.reason ?? "the server refuses it"} (${said})`, {
    hint: meaning?.hint ?? "It is retried automatically. A quota may be used up.",
  });
}
