/**
 * The method tar: a batch is one tar stream over the connection of the session, made here while the sources are read and hashed, and
 * unpacked at the far end by whichever tar is there. No links, no second reading, no round trip for each file. A large
 * file that was cut off is resumed behind what arrived, if that is what the source begins with.
 */
import { anySignal, untilAborted } from "../../async/abort.ts";
import { shares } from "../../domain/chunks.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { sourceFailure } from "../../system/fault.ts";
import type { SmallFile, SourceReader } from "../../system/system.ts";
import { paceOf } from "../bandwidth.ts";
import { bytesOf, linkName, stagingOf } from "../links.ts";
import type { Method, Upload } from "../method.ts";
import { finishPart } from "../shell/shell_parts.ts";
import {
  diskTrouble,
  type FileFailures,
  openShellSession,
  type Sender,
  type SenderParts,
  type Sent,
} from "../shell/shell_session.ts";
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

/** What is sent at once of a batch that is hashed there in the same round. */
const QUICK_BYTES = 16 * 1024 * 1024;
/** Of small files, in memory twice; all streams of a batch together. */
const GROUP_BYTES = 4 * 1024 * 1024;

function tarSender({ destination, context, connection, tools, files }: SenderParts): Promise<Sender> {
  const { system } = context;
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
  // Shared by all streams of the session.
  const pace = paceOf(destination, context);

  const entryOf = (upload: Upload, { mode }: Pick<SourceReader, "mode">): TarEntry => {
    const { size: bytes, mtimeMs } = upload.source;
    return { name: linkName(upload), bytes, mode: preservePermissions ? mode : PLAIN_MODE, mtimeMs };
  };

  /** Has `write` fill the stream, and waits until the far end has taken all of it. @throws {Failure} where it has not. */
  async function fill(
    receiver: Receiver,
    uploads: readonly Upload[],
    write: (stream: TarStream) => Promise<void>,
    signal: AbortSignal,
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

  async function send(
    uploads: readonly Upload[],
    prepared: Promise<void>,
    sent: Sent,
    signal: AbortSignal,
  ): Promise<FileFailures | null> {
    const failures = new Map<string, Failure>();
    await prepared;
    const fresh: Upload[] = [];
    for (const upload of uploads) if (!await resume(upload)) fresh.push(upload);
    if (fresh.length > 0) await sendAll(fresh);
    return failures.size === 0 ? null : failures;

    /** Resumes a file of which the destination already has the beginning; false if it has none, or has a different file. */
    async function resume(upload: Upload): Promise<boolean> {
      if (upload.leftover === undefined) return false;
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
          await fill(receiver, [upload], async (stream) => {
            for await (const piece of reader.read(source.size - part.bytes)) {
              await stream.raw(piece);
              sent.bytes(name, bytes += piece.length);
            }
            await stream.flush();
          }, signal);
          if (bytes < source.size) throw changed(source.path);
          sent.digest(name, { bytes, sha256: reader.sha256() });
          await finishPart(files, { destination, system }, staged, source, signal);
          return true;
        }, signal);
      } catch (error) {
        failures.set(name, failureOf(error, upload, signal));
        return true;
      }
    }

    /** Sends these files as one stream, or as several side by side over a long line. */
    async function sendAll(uploads: readonly Upload[]): Promise<void> {
      const staging = stagingOf(uploads);
      // The batch of a camera that takes one image after the other is hashed at once, which saves a round. More would keep the next one waiting.
      const isQuick = destination.verify === "checksum" && bytesOf(uploads) <= QUICK_BYTES &&
        (uploads.length === 1 || receivers.streams() === 1);
      const first = isQuick ? receivers.unpackAndHash(staging) : receivers.unpack(staging);
      const opening = [first, ...receivers.unpackBeside(staging, bytesOf(uploads), uploads.length - 1)];
      const parts = shares(uploads, opening.length, ({ source }) => TAR_BLOCK + source.size);
      using over = anySignal(signal);
      const errors: unknown[] = [];
      const refused: Upload[] = [];
      await Promise.all(opening.map(async (receiver, index) => {
        // The first one takes over what a refused one should have sent.
        const late = () => index === 0 ? refused.splice(0) : [];
        try {
          await sendShare(receiver, GROUP_BYTES / opening.length, parts[index]!, late, over.signal);
        } catch (error) {
          if (error instanceof ChannelRefused) return void refused.push(...parts[index]!);
          errors.push(error);
          over.abort();
        }
      }));
      signal.throwIfAborted();
      if (errors.length > 0) throw errors[0];
      if (refused.length > 0) await sendShare(receivers.unpack(staging), GROUP_BYTES, refused, () => [], signal);
    }

    /** Sends these files as one stream; `late` tells, when they are sent, what is to be sent behind them. */
    async function sendShare(
      opening: Promise<Receiver>,
      groupBytes: number,
      uploads: readonly Upload[],
      late: () => readonly Upload[],
      signal: AbortSignal,
    ): Promise<void> {
      await using receiver = await opening;
      const { stdout } = await fill(receiver, uploads, async (stream) => {
        for (const some of [() => uploads, late]) {
          for await (const group of readAhead(some(), groupBytes, system, signal)) await addGroup(stream, group, signal);
        }
        await stream.end();
      }, signal);
      for (const [, sha256, name] of stdout.matchAll(/^([0-9a-f]{64}) [ *]?\.\/(\S+)$/gm)) sent.there(name!, sha256!);
    }

    /** Small files are sent from where they were read to, many at a time. */
    async function addGroup(stream: TarStream, { files, buffer }: Group, signal: AbortSignal): Promise<void> {
      let run: Placed[] = [];
      const sendRun = async () => {
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
      /** Completes the entry around a file that was read to its place in the buffer; null where it was read to another. */
      const place = (upload: Upload, read: SmallFile, at: number): Placed | null => {
        const { size: bytes, path } = upload.source;
        const { content, sha256 } = read;
        if (content.buffer !== buffer.buffer) return null;
        if (content.length !== bytes) throw changed(path);
        const begin = at + TAR_BLOCK;
        const end = begin + bytes + tarPadding(bytes);
        tarHeader(entryOf(upload, read), buffer.subarray(at, begin).fill(0));
        buffer.fill(0, begin + bytes, end);
        return { name: linkName(upload), bytes, at, end, digest: { bytes, sha256 } };
      };
      for (const { upload, small, at } of files) {
        try {
          const read = await small;
          const placed = read && place(upload, read, at);
          if (run.length > 0 && run.at(-1)!.end !== placed?.at) await sendRun();
          if (placed !== null) run.push(placed);
          sent.digest(linkName(upload), placed?.digest ?? await addFile(stream, upload, read, signal));
        } catch (error) {
          failures.set(linkName(upload), failureOf(error, upload, signal));
        }
      }
      await sendRun();
    }

    async function addFile(
      stream: TarStream,
      upload: Upload,
      small: SmallFile | null,
      signal: AbortSignal,
    ): Promise<Digest> {
      const { path, size: bytes } = upload.source;
      const name = linkName(upload);
      if (small !== null) {
        if (small.content.length !== bytes) throw changed(path);
        await stream.addRead(entryOf(upload, small), small.content);
        sent.bytes(name, bytes);
        return { bytes, sha256: small.sha256 };
      }
      const add = (reader: SourceReader) => stream.add(entryOf(upload, reader), reader, (bytes) => sent.bytes(name, bytes));
      const digest = await system.readSource(upload.source, add, signal);
      if (digest.bytes !== bytes) throw changed(path);
      return digest;
    }
  }

  return Promise.resolve({
    method: "tar",
    about: tools.tar,
    resumes: true,
    hashesSource: true,
    streams: receivers.streams,
    writing: streamedWriting(connection, files, tools, context),
    send,
    makeReady: receivers.startAhead,
    close: receivers.close,
  });
}

interface Placed {
  readonly name: string;
  readonly bytes: number;
  readonly at: number;
  readonly end: number;
  readonly digest: Digest;
}

const COPIED = "== copied ==";

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
