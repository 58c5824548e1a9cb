/**
 * The method tar: a batch is one tar stream over the connection of the session, made here while the sources are read and hashed, and
 * unpacked at the far end by whichever tar is there. No links, no second reading, no round trip for each file. A large
 * file that was cut off is resumed behind what arrived, if that is what the source begins with.
 *
 * @module
 */
import { untilAborted } from "../../async/abort.ts";
import { type Pace, pace } from "../../async/pace.ts";
import { Failure } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { sourceFailure } from "../../system/source_failure.ts";
import type { SmallFile, SourceReader, System } from "../../system/system.ts";
import { linkName, stagingOf } from "../links.ts";
import type { Method, Upload } from "../method.ts";
import { diskTrouble, openShellSession, type Sender, type SenderParts, type Sent } from "../shell/shell_session.ts";
import { shellWords } from "../shell/shell_quote.ts";
import { type Receiver, type ReceiverOptions, type Receivers, tarReceivers } from "./tar_receivers.ts";
import { SourceError, StreamError, type TarStream, tarStream } from "./tar_stream.ts";
import { tarFailure } from "./tar_failures.ts";

/**
 * The far end needs a POSIX shell and any tar (GNU, bsdtar, busybox).
 *
 * @throws {Failure} from `connect`: `tool_missing` where there is no tar; what `ssh` says besides.
 */
export const tar: Method<"tar"> = {
  name: "tar",
  programs: ["ssh"],
  connect: (destination, context, signal) => openShellSession(destination, context, signal, tarSender),
};

/** What sends a batch. */
interface Parts extends Pick<SenderParts, "destination" | "files"> {
  readonly system: System;
  readonly receivers: Receivers;
  /** Shared by all streams of the session. */
  readonly pace: Pace;
}

/** A batch on its way. */
interface Sending {
  readonly sent: Sent;
  readonly failures: Map<string, Failure>;
  readonly signal: AbortSignal;
}

function tarSender({ destination, context, connection, tools, files }: SenderParts): Promise<Sender> {
  if (tools.tar === null) throw unusable(destination.name, "it is not installed there", "Install tar there, or set");
  if (/[\r\n]/.test(destination.basePath)) throw unusable(destination.name, "its base path has a line break", "Set");
  const receivers = tarReceivers(connection, receiverOptions(destination, connection.sharing !== null), context);
  const parts: Parts = {
    destination,
    files,
    system: context.system,
    receivers,
    pace: pace(destination.bandwidthLimit, context.system),
  };
  return Promise.resolve({
    method: "tar",
    about: tools.tar,
    resumes: true,
    hashesSource: true,
    async send(uploads, prepared, sent, signal) {
      const sending: Sending = { sent, signal, failures: new Map() };
      await prepared;
      const fresh: Upload[] = [];
      for (const upload of uploads) if (!await resume(parts, upload, sending)) fresh.push(upload);
      if (fresh.length > 0) await sendAll(parts, fresh, sending);
      return sending.failures.size === 0 ? null : sending.failures;
    },
    makeReady: receivers.startAhead,
    close: receivers.close,
  });
}

function unusable(name: string, reason: string, help: string): Failure {
  return new Failure("tool_missing", `Cannot use tar with ${name}: ${reason}`, {
    hint: `${help} transfer_method to sftp or auto.`,
  });
}

/** Sends these files as one stream. */
async function sendAll(parts: Parts, uploads: readonly Upload[], sending: Sending): Promise<void> {
  const { sent, failures, signal } = sending;
  await using receiver = await parts.receivers.unpack(stagingOf(uploads));
  await fill(parts, receiver, uploads, signal, async (stream) => {
    for await (const [upload, small] of readAhead(uploads, parts.system, signal)) {
      try {
        sent.digest(linkName(upload), await addFile(parts, stream, upload, await small, sending));
      } catch (error) {
        failures.set(linkName(upload), failureOf(error, upload, signal));
      }
    }
    await stream.end();
  });
}

/** `small` is the file where it was read ahead. */
async function addFile(
  { destination, system }: Parts,
  stream: TarStream,
  { source, staged }: Upload,
  small: SmallFile | null,
  { sent, signal }: Sending,
): Promise<Digest> {
  const { absolutePath, path, size: bytes, mtimeMs } = source;
  const name = linkName({ staged });
  const add = ({ mode, ...reader }: Reader) => {
    const entry = { name, bytes, mode: destination.preservePermissions ? mode : PLAIN_MODE, mtimeMs };
    return stream.add(entry, reader, (bytes) => sent.bytes(name, bytes));
  };
  const digest = small === null ? await system.readSource(absolutePath, add, signal) : await add(readerOf(small));
  if (digest.bytes !== bytes || (small !== null && small.content.length !== bytes)) throw changed(path);
  return digest;
}

/** Sends the rest of a file of which a part stands there; false where there is none, or another one. */
async function resume(parts: Parts, upload: Upload, { sent, failures, signal }: Sending): Promise<boolean> {
  if (upload.leftover === undefined) return false;
  const { files, system } = parts;
  const { source, staged } = upload;
  const name = linkName(upload);
  const [part] = await files.digest([staged], signal);
  if (!part || part.bytes === 0 || part.bytes > source.size) return false;
  try {
    return await system.readSource(source.absolutePath, async (reader) => {
      let bytes = 0;
      for await (const piece of reader.read(part.bytes)) sent.bytes(name, bytes += piece.length);
      if (reader.sha256() !== part.sha256) return false;
      if (!await detach(parts, staged, signal)) return false;
      await append(parts, upload, bytes, reader, sent, signal);
      return true;
    }, signal);
  } catch (error) {
    failures.set(name, failureOf(error, upload, signal));
    return true;
  }
}

/**
 * A process of the cut connection may still have the part open: the rest is appended to a copy of it. Where there is no room for
 * one, the part makes room for the whole file; false then.
 */
async function detach({ files }: Parts, staged: string, signal: AbortSignal): Promise<boolean> {
  const copy = `${staged}.part`;
  const script = `cp ${shellWords([staged, copy])} 2>&1 && mv -f ${shellWords([copy, staged])} 2>&1 && echo ${COPIED} || rm -f ${
    shellWords([copy, staged])
  }`;
  return (await files.inBase("copy the part of a file that was sent before", script, signal)).includes(COPIED);
}

const COPIED = "== copied ==";

async function append(
  parts: Parts,
  upload: Upload,
  from: number,
  reader: Pick<SourceReader, "read" | "sha256">,
  sent: Sent,
  signal: AbortSignal,
): Promise<void> {
  const { path, size } = upload.source;
  const name = linkName(upload);
  await using receiver = await parts.receivers.append(stagingOf([upload]), name);
  let bytes = from;
  await fill(parts, receiver, [upload], signal, async (stream) => {
    for await (const piece of reader.read(size - from)) {
      await stream.raw(piece);
      sent.bytes(name, bytes += piece.length);
    }
    await stream.flush();
  });
  if (bytes < size) throw changed(path);
  sent.digest(name, { bytes, sha256: reader.sha256() });
}

/** Has `write` fill the stream, and waits until the far end has taken all of it. @throws {Failure} where it has not. */
async function fill(
  parts: Parts,
  receiver: Receiver,
  uploads: readonly Upload[],
  signal: AbortSignal,
  write: (stream: TarStream) => Promise<void>,
): Promise<void> {
  const { destination, files } = parts;
  const stream = tarStream(receiver.write, parts.pace, signal);
  let unwritten: unknown = null;
  try {
    await untilAborted(write(stream), signal);
  } catch (error) {
    signal.throwIfAborted();
    unwritten = error;
  }
  const end = await untilAborted(receiver.finish(), signal);
  if (end.code === 0 && unwritten === null) return;
  if (end.code === 0 && !(unwritten instanceof StreamError)) throw unwritten;
  const failure = tarFailure(end, destination);
  throw failure.code === "interrupted" ? await diskTrouble(failure, uploads, files, signal) : failure;
}

type Reader = Pick<SourceReader, "mode" | "read" | "sha256">;

/** A small file as if it were read now. */
function readerOf({ content, mode, sha256 }: SmallFile): Reader {
  return {
    mode,
    async *read(length) {
      yield content.subarray(0, length);
    },
    sha256: () => sha256,
  };
}

/**
 * Reads small files in groups, the next while one is sent; null for large ones, which are read while they are sent. What was read of
 * a file is valid until the next is asked for.
 */
async function* readAhead(
  uploads: readonly Upload[],
  system: Pick<System, "readSmall">,
  signal: AbortSignal,
): AsyncGenerator<readonly [Upload, Promise<SmallFile | null>]> {
  const groups = grouped(uploads);
  const room = Math.max(...groups.map((group) => group.reduce((sum, upload) => sum + roomFor(upload), 0)));
  const buffers = groups.slice(0, 2).map(() => new Uint8Array(new SharedArrayBuffer(room)));
  const read = (index: number) => {
    let used = 0;
    return (groups[index] ?? []).map((upload) => {
      const into = buffers[index % 2]!.subarray(used, used += roomFor(upload));
      const small = into.length === 0 ? Promise.resolve(null) : system.readSmall(upload.source.absolutePath, into, signal);
      small.catch(() => undefined); // Heard when it is its turn.
      return [upload, small] as const;
    });
  };
  let next = read(0);
  for (let index = 1; index <= groups.length; index++) {
    const now = next;
    // Into the buffer of the group before, all of which has been sent.
    next = read(index);
    yield* now;
  }
}

/** Of the buffer: one byte more than the file should have, so that one that grows is noticed; none for a large one. */
function roomFor({ source: { size } }: Upload): number {
  return size < SMALL_BYTES ? size + 1 : 0;
}

/** In order; a group is as much as is kept in memory twice. */
function grouped(uploads: readonly Upload[]): Upload[][] {
  const groups: Upload[][] = [];
  let bytes = Infinity;
  for (const upload of uploads) {
    bytes += Math.min(upload.source.size, SMALL_BYTES);
    if (bytes > GROUP_BYTES) {
      groups.push([]);
      bytes = Math.min(upload.source.size, SMALL_BYTES);
    }
    groups.at(-1)!.push(upload);
  }
  return groups;
}

const SMALL_BYTES = 1024 * 1024;
const GROUP_BYTES = 4 * 1024 * 1024;

/** The mode of a file whose own is not kept, before the umask there. */
const PLAIN_MODE = 0o666;

function receiverOptions(destination: SshDestination, shared: boolean): ReceiverOptions {
  const { preservePermissions, preserveTimestamps } = destination;
  // `-o`: the files belong to the account there, also where it is root.
  const flags = `-x${preservePermissions ? "p" : ""}${preserveTimestamps ? "" : "m"}o`;
  // Unasked, root's tar keeps modes; `=rw` without "who" gives what the umask allows.
  return {
    flags,
    after: preservePermissions ? null : "chmod =rw ./*",
    ahead: shared ? Math.min(2, destination.parallelTransfers) : 0,
  };
}

/** What keeps this file from being sent. @throws what concerns the stream, and so all files. */
function failureOf(error: unknown, { source }: Upload, signal: AbortSignal): Failure {
  signal.throwIfAborted();
  if (error instanceof SourceError) return sourceFailure(error.cause, source.path);
  if (error instanceof StreamError) throw error;
  return sourceFailure(error, source.path);
}

function changed(path: string): Failure {
  return new Failure("source_changed", `Cannot send "${printable(path)}": it changed while it was sent`, {
    hint: "It is checked again.",
  });
}
