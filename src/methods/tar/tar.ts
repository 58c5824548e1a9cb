/**
 * The method tar: a batch is one tar stream over the connection of the session, made here while the sources are read and hashed, and
 * unpacked at the far end by whichever tar is there. No links, no second reading, no round trip for each file. A large
 * file that was cut off is resumed behind what arrived, if that is what the source begins with.
 */
import { anySignal, untilAborted } from "../../async/abort.ts";
import type { Pace } from "../../async/pace.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { sourceFailure } from "../../system/fault.ts";
import type { SmallFile, SourceReader, System } from "../../system/system.ts";
import { paceOf } from "../bandwidth.ts";
import { bytesOf, linkName, stagingOf } from "../links.ts";
import type { Method, Upload } from "../method.ts";
import { finishPart } from "../shell/shell_parts.ts";
import { diskTrouble, openShellSession, type Sender, type SenderParts, type Sent } from "../shell/shell_session.ts";
import { shellWords } from "../shell/shell_quote.ts";
import {
  type Group,
  readAhead,
  SourceError,
  StreamError,
  TAR_BLOCK,
  type TarEntry,
  tarHeader,
  tarPadding,
  type TarStream,
  tarStream,
} from "./tar_stream.ts";
import {
  ChannelRefused,
  isOfAttributesOnly,
  type Receiver,
  type ReceiverEnd,
  type Receivers,
  tarFailure,
  tarReceivers,
} from "./tar_receivers.ts";
import { streamedWriting } from "./tar_parts.ts";

/**
 * The far end needs a POSIX shell and any tar (GNU, bsdtar, busybox).
 *
 * @throws {Failure} from `connect`: `tool_missing` where there is no tar; what `ssh` says besides.
 */
export const tar: Method<"tar"> = {
  name: "tar",
  connect: (destination, context, signal) => openShellSession(destination, context, signal, tarSender),
};

/** A batch on its way, and what sends it. */
interface Batch extends Pick<SenderParts, "destination" | "files"> {
  readonly system: System;
  readonly receivers: Receivers;
  /** Shared by all streams of the session. */
  readonly pace: Pace;
  readonly sent: Sent;
  readonly failures: Map<string, Failure>;
  readonly signal: AbortSignal;
}

function tarSender({ destination, context, connection, tools, files }: SenderParts): Promise<Sender> {
  const cannot = `Cannot use tar with ${destination.name}`;
  if (tools.tar === null) throw failure(CAUSES.tar_missing, cannot);
  if (/[\r\n]/.test(destination.basePath)) throw failure(CAUSES.tar_line_break, cannot);
  const { preservePermissions, preserveTimestamps, parallelTransfers } = destination;
  // `-o`: the files belong to the account there, also where it is root.
  const own = `-x${preservePermissions ? "p" : ""}${preserveTimestamps ? "" : "m"}o`;
  const receivers = tarReceivers(connection, {
    tools,
    // GNU tar reads 10 kB at a time unless it is told otherwise.
    flags: tools.tar.includes("GNU tar") ? `${own} -b 128` : own,
    // Unasked, root's tar keeps modes; `=rw` without "who" gives what the umask allows.
    after: preservePermissions ? null : "{ chmod =rw ./* 2>/dev/null || :; }",
    ahead: connection.sharing === null ? 0 : Math.min(2, parallelTransfers),
  }, context);
  const session = { destination, files, system: context.system, receivers, pace: paceOf(destination, context) };
  return Promise.resolve({
    method: "tar",
    about: tools.tar,
    resumes: true,
    hashesSource: true,
    streams: receivers.streams,
    writing: streamedWriting(connection, files, tools, context),
    async send(uploads, prepared, sent, signal) {
      const batch: Batch = { ...session, sent, signal, failures: new Map() };
      await prepared;
      const fresh: Upload[] = [];
      for (const upload of uploads) if (!await resume(batch, upload)) fresh.push(upload);
      if (fresh.length > 0) await sendAll(batch, fresh);
      return batch.failures.size === 0 ? null : batch.failures;
    },
    makeReady: receivers.startAhead,
    close: receivers.close,
  });
}

/** Sends these files as one stream, or as several side by side over a long line. */
async function sendAll(batch: Batch, uploads: readonly Upload[]): Promise<void> {
  const { destination, receivers, signal } = batch;
  const staging = stagingOf(uploads);
  // The batch of a camera that takes one image after the other is hashed at once, which saves a round. More would keep the next one waiting.
  const isQuick = destination.verify === "checksum" && bytesOf(uploads) <= QUICK_BYTES &&
    (uploads.length === 1 || receivers.streams() === 1);
  const first = isQuick ? receivers.unpackAndHash(staging) : receivers.unpack(staging);
  const opening = [first, ...receivers.unpackBeside(staging, bytesOf(uploads), uploads.length - 1)];
  const shares = sharesOf(uploads, opening.length);
  using over = anySignal(signal);
  const errors: unknown[] = [];
  const refused: Upload[] = [];
  await Promise.all(opening.map(async (receiver, index) => {
    const share = shares[index] ?? [];
    // The first one takes over what a refused one should have sent.
    const late = () => index === 0 ? refused.splice(0) : [];
    try {
      await sendShare({ ...batch, signal: over.signal }, receiver, GROUP_BYTES / opening.length, share, late);
    } catch (error) {
      if (error instanceof ChannelRefused) return void refused.push(...share);
      errors.push(error);
      over.abort();
    }
  }));
  signal.throwIfAborted();
  if (errors.length > 0) throw errors[0];
  if (refused.length > 0) await sendShare(batch, receivers.unpack(staging), GROUP_BYTES, refused);
}

const QUICK_BYTES = 16 * 1024 * 1024;
/** Of small files, in memory twice; all streams of a batch together. */
const GROUP_BYTES = 4 * 1024 * 1024;

/** Of about as many bytes each; none is empty where there are as many files. */
function sharesOf(uploads: readonly Upload[], count: number): Upload[][] {
  const shares = Array.from({ length: count }, () => ({ bytes: 0, uploads: [] as Upload[] }));
  for (const upload of uploads) {
    const share = shares.reduce((least, each) => each.bytes < least.bytes ? each : least);
    share.uploads.push(upload);
    share.bytes += TAR_BLOCK + upload.source.size;
  }
  return shares.map(({ uploads }) => uploads);
}

/** Sends these files as one stream; `late` tells, when they are sent, what is to be sent behind them. */
async function sendShare(
  batch: Batch,
  opening: Promise<Receiver>,
  groupBytes: number,
  uploads: readonly Upload[],
  late: () => readonly Upload[] = () => [],
): Promise<void> {
  await using receiver = await opening;
  const { stdout } = await fill(batch, receiver, uploads, async (stream) => {
    for (const some of [() => uploads, late]) {
      for await (const group of readAhead(some(), groupBytes, batch.system, batch.signal)) await addGroup(batch, stream, group);
    }
    await stream.end();
  });
  for (const [, sha256, name] of stdout.matchAll(/^([0-9a-f]{64}) [ *]?\.\/(\S+)$/gm)) batch.sent.there(name!, sha256!);
}

/** Small files are sent from where they were read to, many at a time. */
async function addGroup(batch: Batch, stream: TarStream, { files, buffer }: Group): Promise<void> {
  const { sent, failures, signal } = batch;
  let run: Placed[] = [];
  const send = async () => {
    const [from, to] = [run[0]?.at ?? 0, run.at(-1)?.end ?? 0];
    let told = 0;
    await stream.shared(buffer.subarray(from, to), (written) => {
      for (let file = run[told]; file !== undefined; file = run[++told]) {
        const bytes = from + written - file.at - TAR_BLOCK;
        if (bytes > 0) sent.bytes(file.name, Math.min(bytes, file.bytes));
        if (bytes < file.bytes) return;
      }
    });
    run = [];
  };
  for (const { upload, small, at } of files) {
    try {
      const read = await small;
      const placed = read && place(batch, upload, read, buffer, at);
      if (run.length > 0 && run.at(-1)!.end !== placed?.at) await send();
      if (placed !== null) run.push(placed);
      sent.digest(linkName(upload), placed?.digest ?? await addFile(batch, stream, upload, read));
    } catch (error) {
      failures.set(linkName(upload), failureOf(error, upload, signal));
    }
  }
  await send();
}

interface Placed {
  readonly name: string;
  readonly bytes: number;
  readonly at: number;
  readonly end: number;
  readonly digest: Digest;
}

/** Completes the entry around a file that was read to its place in the buffer; null where it was read to another. */
function place({ destination }: Batch, upload: Upload, read: SmallFile, buffer: Uint8Array, at: number): Placed | null {
  const { size: bytes, path } = upload.source;
  const { content, sha256 } = read;
  if (content.buffer !== buffer.buffer) return null;
  if (content.length !== bytes) throw changed(path);
  const begin = at + TAR_BLOCK;
  const end = begin + bytes + tarPadding(bytes);
  tarHeader(entryOf(upload, read, destination), buffer.subarray(at, begin).fill(0));
  buffer.fill(0, begin + bytes, end);
  return { name: linkName(upload), bytes, at, end, digest: { bytes, sha256 } };
}

function entryOf(
  upload: Upload,
  { mode }: Pick<SourceReader, "mode">,
  { preservePermissions }: Pick<SshDestination, "preservePermissions">,
): TarEntry {
  const { size: bytes, mtimeMs } = upload.source;
  return { name: linkName(upload), bytes, mode: preservePermissions ? mode : PLAIN_MODE, mtimeMs };
}

async function addFile(
  { destination, system, sent, signal }: Batch,
  stream: TarStream,
  upload: Upload,
  small: SmallFile | null,
): Promise<Digest> {
  const { source } = upload;
  const { path, size: bytes } = source;
  const name = linkName(upload);
  if (small !== null) {
    if (small.content.length !== bytes) throw changed(path);
    await stream.addRead(entryOf(upload, small, destination), small.content);
    sent.bytes(name, bytes);
    return { bytes, sha256: small.sha256 };
  }
  const add = (reader: SourceReader) =>
    stream.add(entryOf(upload, reader, destination), reader, (bytes) => sent.bytes(name, bytes));
  const digest = await system.readSource(source, add, signal);
  if (digest.bytes !== bytes) throw changed(path);
  return digest;
}

/** Sends the rest of a file of which a part stands there; false where there is none, or another one. */
async function resume(batch: Batch, upload: Upload): Promise<boolean> {
  if (upload.leftover === undefined) return false;
  const { files, system, sent, failures, signal, receivers } = batch;
  const { source, staged } = upload;
  const name = linkName(upload);
  const [part] = await files.digest([staged], signal);
  if (!part || part.bytes === 0 || part.bytes > source.size) return false;
  try {
    return await system.readSource(source, async (reader) => {
      let bytes = 0;
      for await (const piece of reader.read(part.bytes)) sent.bytes(name, bytes += piece.length);
      if (reader.sha256() !== part.sha256) return false;
      // A process of the cut connection may still have the part open: the rest is appended to a copy of it. Where there is no room for
      // one, the part makes room for the whole file.
      const [from, copy] = [shellWords([staged]), shellWords([`${staged}.part`])];
      const detach = `cp ${from} ${copy} 2>&1 && mv -f ${copy} ${from} 2>&1 && echo ${COPIED} || rm -f ${copy} ${from}`;
      const output = await files.inBase("copy the part of a file that was sent before", detach, signal);
      if (!output.includes(COPIED)) return false;
      await using receiver = await receivers.append(stagingOf([upload]), name);
      await fill(batch, receiver, [upload], async (stream) => {
        for await (const piece of reader.read(source.size - part.bytes)) {
          await stream.raw(piece);
          sent.bytes(name, bytes += piece.length);
        }
        await stream.flush();
      });
      if (bytes < source.size) throw changed(source.path);
      sent.digest(name, { bytes, sha256: reader.sha256() });
      await finishPart(batch, staged, source, signal);
      return true;
    }, signal);
  } catch (error) {
    failures.set(name, failureOf(error, upload, signal));
    return true;
  }
}

const COPIED = "== copied ==";

/** Has `write` fill the stream, and waits until the far end has taken all of it. @throws {Failure} where it has not. */
async function fill(
  { destination, files, pace, signal }: Batch,
  receiver: Receiver,
  uploads: readonly Upload[],
  write: (stream: TarStream) => Promise<void>,
): Promise<ReceiverEnd> {
  const stream = tarStream(receiver.write, pace, signal);
  let unwritten: unknown = null;
  try {
    await untilAborted(write(stream), signal);
  } catch (error) {
    signal.throwIfAborted();
    unwritten = error;
  }
  const end = await untilAborted(receiver.finish(), signal);
  if (unwritten === null && (end.code === 0 || isOfAttributesOnly(end))) return end;
  if (end.code === 0 && !(unwritten instanceof StreamError)) throw unwritten;
  if (receiver.isRefused(end)) throw new ChannelRefused();
  const told = tarFailure(end, destination);
  throw told.code === "interrupted" ? await diskTrouble(told, uploads, files, signal) : told;
}

/** The mode of a file whose own is not kept, before the umask there. */
const PLAIN_MODE = 0o666;

/** What keeps this file from being sent. @throws what concerns the stream, and so all files. */
function failureOf(error: unknown, { source }: Upload, signal: AbortSignal): Failure {
  signal.throwIfAborted();
  if (error instanceof SourceError) return sourceFailure(error.cause, source.path);
  if (error instanceof StreamError) throw error;
  return sourceFailure(error, source.path);
}

function changed(path: string): Failure {
  return failure(CAUSES.source_changed, `Cannot send "${printable(path)}"`);
}
