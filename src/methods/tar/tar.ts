/**
 * The method tar: a batch is one tar stream over the connection of the session, made here while the sources are read and hashed, and
 * unpacked at the far end by whichever tar is there. No links, no second reading, no round trip for each file. A large
 * file that was cut off is resumed behind what arrived, if that is what the source begins with.
 *
 * @module
 */
import { untilAborted } from "../../async/abort.ts";
import { Failure } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { sourceFailure } from "../../system/source_failure.ts";
import type { SmallFile, SourceReader, System } from "../../system/system.ts";
import { linkName, stagingOf } from "../links.ts";
import { diskTrouble } from "../shell/shell_session.ts";
import type { Method, Upload } from "../method.ts";
import { type FileFailures, openShellSession, type Sender, type SenderParts, type Sent } from "../shell/shell_session.ts";
import { shellWords } from "../shell/shell_quote.ts";
import { type Receiver, type ReceiverOptions, tarReceivers } from "./tar_receivers.ts";
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

function tarSender({ destination, context, connection, tools, files }: SenderParts): Promise<Sender> {
  if (tools.tar === null) {
    throw new Failure("tool_missing", `Cannot use tar with ${destination.name}: it is not installed there`, {
      hint: "Install tar there, or set transfer_method to sftp or auto.",
    });
  }
  if (/[\r\n]/.test(destination.basePath)) {
    throw new Failure("tool_missing", `Cannot use tar with ${destination.name}: its base path has a line break`, {
      hint: "Set transfer_method to rsync or sftp.",
    });
  }
  const { system } = context;
  const receivers = tarReceivers(connection, receiverOptions(destination, connection.sharing !== null), context);

  async function send(
    uploads: readonly Upload[],
    prepared: Promise<void>,
    sent: Sent,
    signal: AbortSignal,
  ): Promise<FileFailures | null> {
    const failures = new Map<string, Failure>();
    await prepared;
    const fresh: Upload[] = [];
    for (const upload of uploads) {
      if (!await resume(upload, failures, sent, signal)) fresh.push(upload);
    }
    if (fresh.length > 0) await unpack(fresh, failures, sent, signal);
    return failures.size === 0 ? null : failures;
  }

  async function unpack(uploads: readonly Upload[], failures: Map<string, Failure>, sent: Sent, signal: AbortSignal) {
    await using receiver = await receivers.unpack(stagingOf(uploads));
    await carry(receiver, uploads, signal, async (stream) => {
      for await (const [upload, small] of readAhead(uploads, system, signal)) {
        try {
          sent.digest(linkName(upload), await addFile(stream, upload, await small, sent, signal));
        } catch (error) {
          failures.set(linkName(upload), failureOf(error, upload, signal));
        }
      }
      await stream.end();
    });
  }

  async function addFile(stream: TarStream, upload: Upload, small: SmallFile | null, sent: Sent, signal: AbortSignal) {
    const { absolutePath, path, size } = upload.source;
    const digest = small === null
      ? await system.readSource(absolutePath, (reader) => add(stream, upload, reader, sent), signal)
      : await add(stream, upload, readerOf(small), sent);
    if (digest.bytes !== size || (small !== null && small.content.length !== size)) throw changed(path);
    return digest;
  }

  function add(
    stream: TarStream,
    upload: Upload,
    reader: Pick<SourceReader, "mode" | "read" | "sha256">,
    sent: Sent,
  ): Promise<Digest> {
    const { size, mtimeMs } = upload.source;
    const name = linkName(upload);
    const mode = destination.preservePermissions ? reader.mode : PLAIN_MODE;
    return stream.add({ name, bytes: size, mode, mtimeMs }, reader, (bytes) => sent.bytes(name, bytes));
  }

  /** Sends the rest of a file of which a part stands there; false where there is none, or another one. */
  async function resume(
    upload: Upload,
    failures: Map<string, Failure>,
    sent: Sent,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (upload.leftover === undefined) return false;
    const { source, staged } = upload;
    const name = linkName(upload);
    const [part] = await files.digest([staged], signal);
    if (!part || part.bytes === 0 || part.bytes > source.size) return false;
    try {
      return await system.readSource(source.absolutePath, async (reader) => {
        let read = 0;
        for await (const piece of reader.read(part.bytes)) sent.bytes(name, read += piece.length);
        if (reader.sha256() !== part.sha256) return false;
        await detach(staged, signal);
        await append(reader, upload, part.bytes, sent, signal);
        return true;
      }, signal);
    } catch (error) {
      failures.set(name, failureOf(error, upload, signal));
      return true;
    }
  }

  /** A process of the cut connection may still have the part open: the rest is appended to a copy of it. */
  async function detach(staged: string, signal: AbortSignal): Promise<void> {
    const script = `cp ${shellWords([staged, `${staged}.part`])} 2>&1 && mv -f ${
      shellWords([`${staged}.part`, staged])
    } 2>&1 || exit 92`;
    await files.inBase("copy the part of a file that was sent before", script, signal);
  }

  async function append(
    reader: SourceReader,
    upload: Upload,
    from: number,
    sent: Sent,
    signal: AbortSignal,
  ): Promise<void> {
    const { source } = upload;
    const name = linkName(upload);
    await using receiver = await receivers.append(stagingOf([upload]), name);
    let bytes = from;
    await carry(receiver, [upload], signal, async (stream) => {
      for await (const piece of reader.read(source.size - from)) {
        await stream.raw(piece);
        sent.bytes(name, bytes += piece.length);
      }
      await stream.flush();
    });
    if (bytes < source.size) throw changed(source.path);
    sent.digest(name, { bytes, sha256: reader.sha256() });
  }

  /** Has `write` fill the stream, and waits until the far end has taken all of it. @throws {Failure} where it has not. */
  async function carry(
    receiver: Receiver,
    uploads: readonly Upload[],
    signal: AbortSignal,
    write: (stream: TarStream) => Promise<void>,
  ): Promise<void> {
    const stream = tarStream(receiver.write, destination.bandwidthLimit, system, signal);
    let unwritten: unknown = null;
    try {
      await untilAborted(write(stream), signal);
    } catch (error) {
      signal.throwIfAborted();
      unwritten = error;
    }
    const end = await untilAborted(receiver.finish(), signal);
    if (end.code === 0 && unwritten === null) return;
    if (end.code === 0) throw unwritten;
    const failure = tarFailure(end, destination);
    throw failure.code === "interrupted" ? await diskTrouble(failure, uploads, files, signal) : failure;
  }

  return Promise.resolve({
    method: "tar",
    about: tools.tar,
    resumes: true,
    hashesSource: true,
    send,
    makeReady: receivers.startAhead,
    close: receivers.close,
  });
}

/** A small file as if it were read now. */
function readerOf({ content, mode, sha256 }: SmallFile): Pick<SourceReader, "mode" | "read" | "sha256"> {
  return {
    mode,
    async *read(length) {
      yield content.subarray(0, length);
    },
    sha256: () => sha256,
  };
}

/** Reads small files in groups, the next while one is sent; null for large ones, which are read while they are sent. */
async function* readAhead(
  uploads: readonly Upload[],
  system: Pick<System, "readSmall">,
  signal: AbortSignal,
): AsyncGenerator<readonly [Upload, Promise<SmallFile | null>]> {
  const groups = grouped(uploads);
  const read = (group: readonly Upload[] = []) =>
    group.map((upload) => {
      const { absolutePath, size } = upload.source;
      const small = size < SMALL_BYTES ? system.readSmall(absolutePath, signal) : Promise.resolve(null);
      small.catch(() => undefined); // Heard when it is its turn.
      return [upload, small] as const;
    });
  let next = read(groups[0]);
  for (let index = 1; index <= groups.length; index++) {
    const now = next;
    next = read(groups[index]);
    yield* now;
  }
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
  return new Failure("source_changed", `Cannot send "${printable(path)}": it became shorter while it was sent`, {
    hint: "It is checked again.",
  });
}
