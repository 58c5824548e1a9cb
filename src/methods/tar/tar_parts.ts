/**
 * Writes parts of files that are still being written through streams of the shared connection: `cat` appends, `dd` replaces. For tar,
 * and for rsync, whose own comparison would read all of a part again.
 */
import { folderOf, lastPart } from "../../domain/names/file_name.ts";
import { untilAborted } from "../../async/abort.ts";
import { CHUNK_BYTES, type MethodContext, type PartFiles } from "../method.ts";
import type { ShellFiles } from "../shell/shell_files.ts";
import { shellWords } from "../shell/shell_quote.ts";
import type { ShellTools } from "../shell/shell_tools.ts";
import type { SshConnection } from "../ssh/ssh_connection.ts";
import { tarFailure, tarReceivers } from "./tar_receivers.ts";

/** Null where each stream would be a login of its own, or the receiver cannot be told where to write. */
export function streamedWriting(
  connection: SshConnection,
  files: ShellFiles,
  tools: ShellTools,
  context: MethodContext,
): Pick<PartFiles, "append" | "replace"> | null {
  const { destination, sharing } = connection;
  if (sharing === null || /[\r\n]/.test(destination.basePath)) return null;
  const receivers = tarReceivers(connection, { flags: "-x", after: null, ahead: 0, tools }, context);
  let pieces = 0;
  const append = async (staged: string, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> => {
    await using receiver = await receivers.append(folderOf(staged), lastPart(staged));
    let unwritten: unknown = null;
    try {
      for await (const piece of content) {
        // An empty one says that there is nothing to send yet.
        if (piece.length > 0) {
          await untilAborted(receiver.write(piece).catch((error) => Promise.reject(new Broken(error))), signal);
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      // What the far end says tells more than a pipe that is closed.
      if (!(error instanceof Broken)) throw error;
      unwritten = error.reason;
    }
    const end = await untilAborted(receiver.finish(), signal);
    if (end.code !== 0 || unwritten !== null) throw tarFailure(end, destination);
  };
  return {
    append: (staged, _count, content, signal) => append(staged, content, signal),
    async replace(staged, chunk, content, signal) {
      // What a former one has left would come before it.
      const piece = `${staged}.chunk${++pieces}`;
      await append(piece, content, signal);
      const put = `dd if=${piece} of=${staged} bs=${CHUNK_BYTES} seek=${chunk} conv=notrunc 2>&1 && rm -f ${shellWords([piece])}`;
      await files.inBase("replace a chunk of a file", put, signal);
    },
  };
}

/** The stream takes no more. */
class Broken extends Error {
  constructor(readonly reason: unknown) {
    super("The far end takes no more");
  }
}
