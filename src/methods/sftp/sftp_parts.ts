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
import { readPieces } from "./sftp_files.ts";
import { flushOpen, removeUnflushed, unflushed } from "./sftp_flush.ts";
import { FileWrites, keptOf, PLAIN_MODE } from "./sftp_put.ts";

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
      const { calls, limits, sending } = connection;
      const writes = new FileWrites(connection, file, chunk * CHUNK_BYTES);
      let closed: Refusal | null = null;
      try {
        for await (const piece of content) {
          for (let from = 0; from < piece.length && writes.refusal === null; from += limits.writeBytes) {
            const bytes = piece.subarray(from, from + limits.writeBytes);
            await sending.take(bytes.length, signal);
            writes.send(bytes);
          }
        }
        await writes.settled();
      } finally {
        const closing = calls.close(file);
        if (calls.lost === null && !signal.aborted) closed = await closing;
        else closing.catch(() => undefined); // What is thrown already says why.
      }
      const said = writes.refusal ?? closed;
      if (said !== null) throw cannotWrite(staged, said);
    } finally {
      channels.done(connection, CHUNK_BYTES);
    }
  };
  return { append: write, replace: write };
}

function cannotWrite(staged: string, refusal: Refusal): Failure {
  return refused(`write "${printable(staged)}"`, refusal);
}

/** Where the server gives no shell. What an earlier session left is not taken over: its server may still write into it. */
export function sftpParts(base: SftpBase, files: RemoteFiles): PartFiles {
  const { calls, channels, destination, context: { system } } = base;
  const { preservePermissions } = destination;
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
    ...sftpWriting(channels, files),
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
      for (const chunk of wanted) {
        // Read back; null where it begins behind the end.
        const [from, to] = [chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES];
        const sum = createHash("sha256");
        let bytes = 0;
        for await (const { value } of readPieces({ ...channels.pick(0), calls }, file, { from, size: to, to }, signal)) {
          if (value === null) break;
          sum.update(value);
          bytes += value.length;
        }
        found.push(bytes === 0 ? null : sum.digest("hex"));
      }
      await calls.close(file);
      return found;
    },
    flush: (staged) => flush(staged),
    async finish(staged, to, source, signal) {
      const mode = preservePermissions ? (await system.followedFacts(source.absolutePath))?.mode : undefined;
      await flush(staged, (file) => calls.setAttributes(file, keptOf(source, mode, destination)));
      await files.prepare([{ staged: to }], signal);
      const path = pathOf(base, to);
      const refusal = await calls.mkdir(flushedEarly(path)) ?? await calls.rename(pathOf(base, staged), path);
      if (refusal) throw cannotWrite(staged, refusal);
    },
  };
}
