/**
 * Sending files by SFTP: each source is read once and hashed on the way; many files are open there at once, and the writes of all of them
 * share one window of bytes that are under way.
 */
import { mapLimit } from "../../async/map_limit.ts";
import { semaphore } from "../../async/semaphore.ts";
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
import type { Handle, Refusal } from "./sftp_calls.ts";
import type { SftpChannels } from "./sftp_channels.ts";
import type { SftpConnection } from "./sftp_connection.ts";
import { flushOpen, removeUnflushed } from "./sftp_flush.ts";
import { type Attributes, STATUS } from "./sftp_protocol.ts";

/** What sending works with. */
export interface SftpSending {
  readonly channels: SftpChannels;
  readonly files: RemoteFiles;
  /** Each file is flushed before it is closed; false where a shell does it for all of them. */
  readonly flushes: boolean;
  readonly destination: SshDestination;
  readonly context: MethodContext;
}

/** What a file system may need beside a file's bytes. */
const SPARE_BYTES = 256 * 1024;
/** The mode of a file whose own is not kept, before the umask there. */
export const PLAIN_MODE = 0o666;
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
export function sftpPut({ channels, files, flushes, context, destination }: SftpSending): Session["put"] {
  const { system, log } = context;
  const { preservePermissions, name } = destination;
  const pace = paceOf(destination, context);
  const large = semaphore(LARGE_AT_ONCE);
  return async (uploads, onBytes, signal) => {
    if (uploads.length === 0) return [];
    const [openFiles] = await untilAborted(
      Promise.all([channels.ready(bytesOf(uploads), signal), files.prepare(uploads, signal)]),
      signal,
    );
    const parts = await partsOf(uploads, signal);
    return await mapLimit(uploads, openFiles, async (upload, index): Promise<PutOutcome> => {
      const part = parts.get(upload) ?? 0;
      const connection = channels.pick(upload.source.size - part);
      try {
        return { put: true, sent: await carry(connection, upload, part, (bytes) => onBytes(index, bytes), signal) };
      } catch (error) {
        signal.throwIfAborted();
        if (connection.calls.lost) throw connection.calls.lost;
        const isRefused = error instanceof RefusedError;
        const failure = isRefused ? await whyRefused(upload, error, signal) : sourceFailure(error, upload.source.path);
        // What is not this file's alone.
        if (isRefused && failure.next === "hold") throw failure;
        return { put: false, failure: failureRecord(failure) };
      } finally {
        channels.done(connection, upload.source.size - part);
      }
    }, signal);
  };

  /** How much of a file an earlier attempt left; what is longer than the file is sent anew. */
  async function partsOf(uploads: readonly Upload[], signal: AbortSignal): Promise<Map<Upload, number>> {
    // A part that is shorter than the file is trusted: only a hash of the whole finds out that it was wrong.
    const left = destination.verify === "checksum" ? uploads.filter(({ leftover }) => leftover !== undefined) : [];
    if (left.length === 0) return new Map();
    const found = await files.survey(left.map(({ staged }) => staged), signal);
    return new Map(left.flatMap((upload, index) => {
      const bytes = found[index]?.kind === "file" ? found[index].bytes : 0;
      return bytes > 0 && bytes <= upload.source.size ? [[upload, bytes]] : [];
    }));
  }

  async function carry(
    connection: SftpConnection,
    { source, staged }: Upload,
    part: number,
    onBytes: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<Digest> {
    const { calls } = connection;
    const isWhole = async () => {
      const [there] = await files.digest([staged], signal);
      return there?.sha256 === (await system.hash(source, signal)).sha256;
    };
    // What was found to be wrong before is as long as the file, and so is what may have been flushed with an answer that nobody heard: Linux
    // tells of an error of the disk only once (fsync(2)).
    const from = part < source.size || !(flushes && calls.flushes) && await isWhole() ? part : 0;
    const path = files.path(staged);
    // The mode that is kept is set at the end: nobody else reads it before, and a part can be resumed.
    const mode = preservePermissions ? PRIVATE_MODE : PLAIN_MODE;
    const { value: file, refusal } = await (from > 0 ? calls.reopen(path) : calls.create(path, mode));
    if (file === null) throw new RefusedError(refusal, false);
    let open = true;
    try {
      let done = from;
      const writes = new FileWrites(connection, file, from, (bytes) => {
        channels.carried(connection, bytes);
        onBytes(done += bytes);
      });
      const read = await (from > 0 ? null : sendSmall(connection, source, writes, signal)) ??
        await sendLarge(connection, source, writes, signal);
      const refused = await writes.settled();
      if (refused !== null) throw new RefusedError(refused, true);
      if (read.bytes < source.size) throw failure(CAUSES.source_shorter, `Cannot send "${printable(source.path)}"`);
      open = false;
      await finish(connection, file, source, path, read.mode);
      return { bytes: read.bytes, sha256: read.sha256 };
    } finally {
      if (open) calls.close(file).catch(() => undefined); // A lost connection shows in the next call.
    }
  }

  /** Null where it is not small. */
  async function sendSmall(
    { sending, limits }: SftpConnection,
    source: SourceFile,
    writes: FileWrites,
    signal: AbortSignal,
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
    { sending, limits, calls }: SftpConnection,
    source: SourceFile,
    writes: FileWrites,
    signal: AbortSignal,
  ): Promise<Read> {
    using _one = await large.acquire(signal);
    return await system.readSource(source, async (reader) => {
      // What was sent before is hashed as well.
      for await (const _piece of reader.read(writes.at)) signal.throwIfAborted();
      for await (const piece of reader.read(source.size - writes.at, limits.writeBytes)) {
        for (let from = 0; from < piece.length && writes.refusal === null;) {
          const part = piece.subarray(from, from + Math.min(limits.writeBytes, pace.atOnce));
          from += part.length;
          await sending.take(part.length, signal);
          try {
            // After a stalled line recovers, whatever it could not take in the meantime would go out in one burst.
            if (pace.atOnce < Infinity) await untilAborted(calls.written, signal);
            await pace.next(part.length, signal);
          } catch (error) {
            sending.release(part.length);
            throw error;
          }
          writes.send(part);
        }
        if (writes.refusal !== null) break;
      }
      return { bytes: writes.at, sha256: reader.sha256(), mode: reader.mode };
    }, signal);
  }

  /** Sets times and mode, flushes and closes. What a server cannot keep is no reason to send the file again; bytes that it may have lost are. */
  async function finish(
    { calls }: SftpConnection,
    file: Handle,
    source: SourceFile,
    path: string,
    mode: number,
  ): Promise<void> {
    const flushing = { calls, destination, context };
    const changes = keptOf(source, mode, destination);
    const [kept, flushed, closed] = await Promise.all([
      Object.keys(changes).length === 0 ? null : calls.setAttributes(file, changes),
      flushes && calls.flushes ? flushOpen(flushing, file) : null,
      calls.close(file),
    ]);
    if (closed) throw new RefusedError(closed, true);
    if (flushed && await removeUnflushed(flushing, path, flushed)) throw new RefusedError(flushed, true);
    for (const refusal of [kept, flushed]) {
      if (refusal) log("debug", `sftp on "${printable(source.path)}", which is complete at ${name}: ${said(refusal)}`);
    }
  }

  /** SFTP servers say "Failure" for a full and for a read-only disk alike: asks further. */
  async function whyRefused(
    { source, staged }: Upload,
    { refusal, writing }: RefusedError,
    signal: AbortSignal,
  ): Promise<Failure> {
    const what = `Cannot send "${printable(source.path)}" to ${name}`;
    const [stat] = await files.survey([staged], signal);
    const free = await files.freeBytes(signal);
    if (free !== null && free < source.size - (stat?.bytes ?? 0) + SPARE_BYTES) {
      return failure(CAUSES.disk_full, what, { said: said(refusal) });
    }
    await files.tryToWrite(signal);
    // It could be opened and something else can be written: what may be lacking is room.
    const isRoom = writing && refusal.code === STATUS.FAILURE;
    const meaning = meaningOfRefusal(refusal) ?? (isRoom ? CAUSES.full : CAUSES.refused_once);
    return failure(meaning, what, { said: said(refusal) });
  }
}

/** What was read of a source. */
interface Read extends Digest, Pick<SourceReader, "mode"> {}

/** The times and the mode that a file keeps of its source. */
export function keptOf(
  { mtimeMs }: Pick<SourceFile, "mtimeMs">,
  mode: number | undefined,
  { preserveTimestamps, preservePermissions }: Pick<SshDestination, "preserveTimestamps" | "preservePermissions">,
): Attributes {
  const seconds = Math.min(Math.max(0, Math.floor(mtimeMs / 1000)), LATEST);
  return {
    ...(preserveTimestamps ? { times: { accessed: seconds, modified: seconds } } : {}),
    ...(preservePermissions && mode !== undefined ? { permissions: mode & 0o777 } : {}),
  };
}

/** The writes of one file that are under way. */
export class FileWrites {
  /** The first. */
  refusal: Refusal | null = null;
  #all: Promise<unknown> = Promise.resolve();

  constructor(
    readonly connection: Pick<SftpConnection, "calls" | "sending">,
    readonly file: Handle,
    /** Where the next one begins. */
    public at: number,
    readonly onWritten: (bytes: number) => void = () => {},
  ) {}

  /** Its bytes, which were taken of the window, are given back when it is answered. */
  send(piece: Uint8Array): void {
    const { calls, sending } = this.connection;
    const answered = calls.write(this.file, this.at, piece).then((refusal) => {
      this.refusal ??= refusal;
      if (this.refusal === null) this.onWritten(piece.length);
    }).finally(() => sending.release(piece.length));
    this.at += piece.length;
    this.#all = Promise.all([this.#all, answered]);
    this.#all.catch(() => undefined); // Heard by `settled`.
  }

  /** Waits until the server has answered all. */
  async settled(): Promise<Refusal | null> {
    await this.#all;
    return this.refusal;
  }
}
