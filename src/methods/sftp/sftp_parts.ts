/**
 * Parts of files that are still being written, by SFTP: written at their place with many requests under way. Without a shell they are
 * hashed by reading them back.
 */
import { createHash } from "node:crypto";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { CHUNK_BYTES, type PartFiles } from "../method.ts";
import type { RemoteFiles } from "../shell/shell_files.ts";
import { flushedEarly, pathOf, refused, type SftpBase } from "./sftp_base.ts";
import type { Handle, Refusal } from "./sftp_calls.ts";
import type { SftpChannels } from "./sftp_channels.ts";
import type { SftpConnection } from "./sftp_connection.ts";
import { readPieces } from "./sftp_files.ts";
import { flushOpen, removeUnflushed, unflushed } from "./sftp_flush.ts";

/** The mode before the umask there; a mode that is kept is set at the end. */
const PLAIN_MODE = 0o666;
/** The largest time that version 3 of the protocol knows, seconds. */
const LATEST = 2 ** 32 - 1;

/** How bytes get into a part. */
export function sftpWriting(
  channels: SftpChannels,
  { path }: Pick<RemoteFiles, "path">,
): Pick<PartFiles, "append" | "replace"> {
  const write: PartFiles["append"] = async (staged, chunk, content, signal) => {
    await channels.ready(CHUNK_BYTES, signal);
    const connection = channels.pick(CHUNK_BYTES);
    try {
      const { value: file, refusal } = await connection.calls.reopen(path(staged));
      if (file === null) throw cannotWrite(staged, refusal);
      await writeAll(connection, { staged, file, offset: chunk * CHUNK_BYTES }, content, signal);
    } finally {
      channels.done(connection, CHUNK_BYTES);
    }
  };
  return { append: write, replace: write };
}

/** Writes from `offset` on, and closes the file. */
async function writeAll(
  { calls, limits, sending }: SftpConnection,
  { staged, file, offset }: { readonly staged: string; readonly file: Handle; readonly offset: number },
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  let at = offset;
  let refusal: Refusal | null = null;
  let all: Promise<unknown> = Promise.resolve();
  try {
    for await (const piece of content) {
      for (let from = 0; from < piece.length && refusal === null; from += limits.writeBytes) {
        const bytes = piece.subarray(from, from + limits.writeBytes);
        await sending.take(bytes.length, signal);
        const answered = calls.write(file, at, bytes).then((said) => refusal ??= said).finally(() =>
          sending.release(bytes.length)
        );
        all = Promise.all([all, answered]);
        all.catch(() => undefined); // Heard below.
        at += bytes.length;
      }
    }
    await all;
  } finally {
    const closed = calls.close(file).then((said) => refusal ??= said);
    if (calls.lost === null && !signal.aborted) await closed;
    else closed.catch(() => undefined); // What is thrown already says why.
  }
  if (refusal !== null) throw cannotWrite(staged, refusal);
}

function cannotWrite(staged: string, refusal: Refusal): Failure {
  return refused(`write "${printable(staged)}"`, refusal);
}

/** Where the server gives no shell. What an earlier session left is not taken over: its server may still write into it. */
export function sftpParts(base: SftpBase, files: RemoteFiles): PartFiles {
  const { calls, destination: { preservePermissions, preserveTimestamps }, context: { system } } = base;
  /** Does it first. */
  const flush = async (staged: string, act: (file: Handle) => Promise<unknown> = () => Promise.resolve()): Promise<void> => {
    const { value: file, refusal } = await calls.reopen(pathOf(base, staged));
    if (file === null) throw cannotWrite(staged, refusal);
    await act(file);
    const notFlushed = await flushOpen(base, file);
    await calls.close(file);
    if (notFlushed && await removeUnflushed(base, pathOf(base, staged), notFlushed)) {
      throw unflushed(`"${printable(staged)}"`, notFlushed);
    }
  };
  return {
    ...sftpWriting(base.channels, files),
    async begin(staged, _from, signal) {
      await files.prepare([{ staged }], signal);
      const { value: file, refusal } = await calls.create(pathOf(base, staged), PLAIN_MODE);
      if (file === null) throw cannotWrite(staged, refusal);
      await calls.close(file);
      return 0;
    },
    async digests(staged, wanted, signal) {
      const { value: file } = await calls.open(pathOf(base, staged));
      if (file === null) return wanted.map(() => null);
      const found: (string | null)[] = [];
      for (const chunk of wanted) found.push(await hashChunk(base, file, chunk, signal));
      await calls.close(file);
      return found;
    },
    flush: (staged) => flush(staged),
    async finish(staged, to, { absolutePath, mtimeMs }, signal) {
      const seconds = Math.min(Math.max(0, Math.floor(mtimeMs / 1000)), LATEST);
      const mode = preservePermissions ? (await system.followedFacts(absolutePath))?.mode : undefined;
      const changes = {
        ...(preserveTimestamps ? { times: { accessed: seconds, modified: seconds } } : {}),
        ...(mode === undefined ? {} : { permissions: mode & 0o777 }),
      };
      await flush(staged, (file) => calls.setAttributes(file, changes));
      await files.prepare([{ staged: to }], signal);
      const path = pathOf(base, to);
      const refusal = await calls.mkdir(flushedEarly(path)) ?? await calls.rename(pathOf(base, staged), path);
      if (refusal) throw cannotWrite(staged, refusal);
    },
  };
}

/** Reads it back; null where it begins behind the end. */
async function hashChunk(
  { channels, calls }: SftpBase,
  file: Handle,
  chunk: number,
  signal: AbortSignal,
): Promise<string | null> {
  const [from, to] = [chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES];
  const sum = createHash("sha256");
  let bytes = 0;
  for await (const { value } of readPieces({ ...channels.pick(0), calls }, file, { from, size: to, to }, signal)) {
    if (value === null) break;
    sum.update(value);
    bytes += value.length;
  }
  return bytes === 0 ? null : sum.digest("hex");
}
