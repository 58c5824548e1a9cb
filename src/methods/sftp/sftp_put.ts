/**
 * Sending files by SFTP: each source is read once and hashed on the way; many files are open there at once, and the writes of all of them
 * share one window of bytes that are under way.
 */
import type { Pace } from "../../async/pace.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { type Semaphore, semaphore } from "../../async/semaphore.ts";
import { untilAborted } from "../../async/abort.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import { type Failure, failureRecord } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import type { MethodContext, PutOutcome, Session, Upload } from "../method.ts";
import { paceOf } from "../bandwidth.ts";
import { bytesOf } from "../links.ts";
import type { RemoteFiles } from "../shell/shell_files.ts";
import { sourceFailure } from "../../system/fault.ts";
import type { SourceReader } from "../../system/system.ts";
import { meaningOfRefusal, said } from "./sftp_base.ts";
import type { Given, Handle, Refusal } from "./sftp_calls.ts";
import type { SftpChannels } from "./sftp_channels.ts";
import type { SftpConnection } from "./sftp_connection.ts";
import { flushOpen, removeUnflushed } from "./sftp_flush.ts";
import { STATUS } from "./sftp_protocol.ts";

/** What sending works with. */
export interface SftpSending {
  readonly channels: SftpChannels;
  readonly files: RemoteFiles;
  /** Each file is flushed before it is closed; false where a shell does it for all of them. */
  readonly flushes: boolean;
  readonly destination: SshDestination;
  readonly context: MethodContext;
}

/** A batch under way. */
interface Batch extends SftpSending {
  readonly large: Semaphore;
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

/** A file under way. */
interface Carrying extends Batch {
  readonly connection: SftpConnection;
}

/** What a file system may need beside a file's bytes. */
const SPARE_BYTES = 256 * 1024;
/** The mode of a file whose own is not kept, before the umask there. */
const PLAIN_MODE = 0o666;
const PRIVATE_MODE = 0o600;
/** Smaller files are read as a whole. */
const SMALL_BYTES = 1024 * 1024;
/** Each has two buffers of its own; more would only wait for the window. */
const LARGE_AT_ONCE = 16;
/** The largest time that version 3 of the protocol knows, seconds. */
const LATEST = 2 ** 32 - 1;

/** The server refused it: `writing` where the file was open already. */
class RefusedError extends Error {
  constructor(readonly refusal: Refusal, readonly writing: boolean) {
    super(refusal.message);
  }
}

/** Makes `Session.put`. The bandwidth limit holds for all its calls together. */
export function sftpPut(sending: SftpSending): Session["put"] {
  const { channels, files, context, destination } = sending;
  const shared = paceOf(destination, context);
  const large = semaphore(LARGE_AT_ONCE);
  return async (uploads, onBytes, signal) => {
    if (uploads.length === 0) return [];
    const bytes = bytesOf(uploads);
    const [openFiles] = await untilAborted(
      Promise.all([channels.ready(bytes, signal), files.prepare(uploads, signal)]),
      signal,
    );
    const batch: Batch = { ...sending, large, pace: shared, signal };
    const parts = await partsOf(batch, uploads);
    return await mapLimit(
      uploads,
      openFiles,
      (upload, index) => sendFile(batch, upload, parts.get(upload) ?? 0, (bytes) => onBytes(index, bytes)),
      signal,
    );
  };
}

/** How much of a file an earlier attempt left; what is longer than the file is sent anew. */
async function partsOf({ files, destination, signal }: Batch, uploads: readonly Upload[]): Promise<Map<Upload, number>> {
  // A part that is shorter than the file is trusted: only a hash of the whole finds out that it was wrong.
  const left = destination.verify === "checksum" ? uploads.filter(({ leftover }) => leftover !== undefined) : [];
  if (left.length === 0) return new Map();
  const found = await files.survey(left.map(({ staged }) => staged), signal);
  return new Map(left.flatMap((upload, index) => {
    const bytes = found[index]?.kind === "file" ? found[index].bytes : 0;
    return bytes > 0 && bytes <= upload.source.size ? [[upload, bytes]] : [];
  }));
}

/** @throws {Failure} what is not this file's alone. */
async function sendFile(batch: Batch, upload: Upload, from: number, onBytes: (bytes: number) => void): Promise<PutOutcome> {
  const { signal } = batch;
  const connection = batch.channels.pick(upload.source.size - from);
  try {
    return { put: true, sent: await carry({ ...batch, connection }, upload, from, onBytes) };
  } catch (error) {
    signal.throwIfAborted();
    if (connection.calls.lost) throw connection.calls.lost;
    const failure = error instanceof RefusedError
      ? await destinationFailure(batch, upload, error)
      : sourceFailure(error, upload.source.path);
    if (error instanceof RefusedError && failure.next === "hold") throw failure;
    return { put: false, failure: failureRecord(failure) };
  } finally {
    batch.channels.done(connection, upload.source.size - from);
  }
}

async function carry(
  carrying: Carrying,
  { source, staged }: Upload,
  part: number,
  onBytes: (bytes: number) => void,
): Promise<Digest> {
  const { connection: { calls }, context: { system }, files, flushes, destination: { preservePermissions }, signal } = carrying;
  const isWhole = async () => {
    const [there] = await files.digest([staged], signal);
    return there?.sha256 === (await system.hash(source, signal)).sha256;
  };
  // What was found to be wrong before is as long as the file, and so is what may have been flushed with an answer that nobody heard: Linux
  // tells of an error of the disk only once (fsync(2)).
  const from = part < source.size || !(flushes && calls.flushes) && await isWhole() ? part : 0;
  const path = files.path(staged);
  // The mode that is kept is set at the end: nobody else reads it before, and a part can be resumed.
  const file = granted(
    await (from > 0 ? calls.reopen(path) : calls.create(path, preservePermissions ? PRIVATE_MODE : PLAIN_MODE)),
  );
  let open = true;
  try {
    const writes = new FileWrites(carrying, file, from, onBytes);
    const read = await (from > 0 ? null : sendSmall(carrying, source, writes)) ?? await sendLarge(carrying, source, writes);
    await writes.settled();
    if (read.bytes < source.size) {
      throw failure(CAUSES.source_shorter, `Cannot send "${printable(source.path)}"`);
    }
    open = false;
    await finish(carrying, file, { source, path }, read.mode);
    return { bytes: read.bytes, sha256: read.sha256 };
  } finally {
    if (open) calls.close(file).catch(() => undefined); // A lost connection shows in the next call.
  }
}

/** What was read of a source. */
interface Read extends Digest, Pick<SourceReader, "mode"> {}

/** Null where it is not small. */
async function sendSmall(
  { connection: { sending, limits }, pace, context: { system }, signal }: Carrying,
  source: SourceFile,
  writes: FileWrites,
): Promise<Read | null> {
  const { size } = source;
  if (size >= SMALL_BYTES || pace.atOnce < SMALL_BYTES) return null;
  await sending.take(size, signal);
  let left = size;
  try {
    const small = await system.readSmall(source, null, signal);
    if (small === null) return null;
    const content = small.content.subarray(0, size);
    await pace.next(content.length, signal);
    for (let at = 0; at < content.length; at += limits.writeBytes) {
      const piece = content.subarray(at, at + limits.writeBytes);
      left -= piece.length;
      writes.send(piece);
    }
    // What has become longer is not what was announced: its digest does not fit, and it is sent again.
    return { ...small, bytes: content.length };
  } finally {
    sending.release(left);
  }
}

async function sendLarge(
  { connection: { sending, limits, calls }, large, pace, context: { system }, signal }: Carrying,
  source: SourceFile,
  writes: FileWrites,
): Promise<Read> {
  const { size } = source;
  using _one = await large.acquire(signal);
  return await system.readSource(source, async (reader) => {
    // What was sent before is hashed as well.
    for await (const _piece of reader.read(writes.at)) signal.throwIfAborted();
    for await (const piece of reader.read(size - writes.at, limits.writeBytes)) {
      for (let from = 0; from < piece.length && !writes.refused;) {
        const part = piece.subarray(from, from + Math.min(limits.writeBytes, pace.atOnce));
        from += part.length;
        await sending.take(part.length, signal);
        try {
          // What a line that stood still has not taken would be sent at once when it goes on.
          if (pace.atOnce < Infinity) await untilAborted(calls.written, signal);
          await pace.next(part.length, signal);
        } catch (error) {
          sending.release(part.length);
          throw error;
        }
        writes.send(part);
      }
      if (writes.refused) break;
    }
    return { bytes: writes.at, sha256: reader.sha256(), mode: reader.mode };
  }, signal);
}

/** The writes of one file that are under way. */
class FileWrites {
  #refusal: Refusal | null = null;
  #all: Promise<unknown> = Promise.resolve();
  #done: number;

  constructor(
    readonly carrying: Carrying,
    readonly file: Handle,
    /** Where the next one begins. */
    public at: number,
    readonly onBytes: (bytes: number) => void,
  ) {
    this.#done = at;
  }

  get refused(): boolean {
    return this.#refusal !== null;
  }

  /** Its bytes, which were taken of the window, are given back when it is answered. */
  send(piece: Uint8Array): void {
    const { channels, connection } = this.carrying;
    const { calls, sending } = connection;
    const answered = calls.write(this.file, this.at, piece).then((refusal) => {
      this.#refusal ??= refusal;
      channels.carried(connection, piece.length);
      if (!this.#refusal) this.onBytes(this.#done += piece.length);
    }).finally(() => sending.release(piece.length));
    this.at += piece.length;
    this.#all = Promise.all([this.#all, answered]);
    this.#all.catch(() => undefined); // Heard by `settled`.
  }

  /** Waits until the server has answered all. @throws {RefusedError} */
  async settled(): Promise<void> {
    await this.#all;
    if (this.#refusal) throw new RefusedError(this.#refusal, true);
  }
}

/** Sets times and mode, flushes and closes. What a server cannot keep is no reason to send the file again; bytes that it may have lost are. */
async function finish(
  carrying: Carrying,
  file: Handle,
  { source: { path, mtimeMs }, path: there }: { readonly source: SourceFile; readonly path: string },
  mode: number,
): Promise<void> {
  const { connection: { calls }, flushes, context, destination } = carrying;
  const flushing = { calls, destination, context };
  const { preserveTimestamps, preservePermissions, name } = destination;
  const seconds = Math.min(Math.max(0, Math.floor(mtimeMs / 1000)), LATEST);
  const changes = {
    ...(preserveTimestamps ? { times: { accessed: seconds, modified: seconds } } : {}),
    ...(preservePermissions ? { permissions: mode & 0o777 } : {}),
  };
  const [kept, flushed, closed] = await Promise.all([
    Object.keys(changes).length === 0 ? null : calls.setAttributes(file, changes),
    flushes && calls.flushes ? flushOpen(flushing, file) : null,
    calls.close(file),
  ]);
  if (closed) throw new RefusedError(closed, true);
  if (flushed && await removeUnflushed(flushing, there, flushed)) throw new RefusedError(flushed, true);
  for (const refusal of [kept, flushed]) {
    if (refusal) context.log("debug", `sftp on "${printable(path)}", which is complete at ${name}: ${said(refusal)}`);
  }
}

function granted({ value, refusal }: Given<Handle>): Handle {
  if (value === null) throw new RefusedError(refusal, false);
  return value;
}

/** SFTP servers say "Failure" for a full and for a read-only disk alike: asks further. */
async function destinationFailure(
  { files, destination, signal }: Batch,
  { source, staged }: Upload,
  { refusal, writing }: RefusedError,
): Promise<Failure> {
  const what = `Cannot send "${printable(source.path)}" to ${destination.name}`;
  const [stat] = await files.survey([staged], signal);
  const free = await files.freeBytes(signal);
  if (free !== null && free < source.size - (stat?.bytes ?? 0) + SPARE_BYTES) {
    return failure(CAUSES.disk_full, what, { said: said(refusal) });
  }
  await files.tryToWrite(signal);
  const meaning = meaningOfRefusal(refusal);
  // It could be opened and something else can be written: what may be lacking is room.
  if (!meaning && writing && refusal.code === STATUS.FAILURE) {
    return failure(CAUSES.full, what, { said: said(refusal) });
  }
  return failure(meaning ?? CAUSES.refused_once, what, { said: said(refusal) });
}
