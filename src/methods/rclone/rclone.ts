/**
 * The method for everything that rclone reaches: object stores such as S3, and many more. The account is in rclone's own configuration.
 *
 * @module
 */
import type { Method, MethodContext, Session } from "../method.ts";
import { type RcloneDestination, startRclone } from "./rclone_daemon.ts";
import { canPutOnlyNew, type Named, type Naming } from "./rclone_at_name.ts";
import { rcloneFiles, type Sent } from "./rclone_files.ts";
import { rcloneNaming } from "./rclone_names.ts";
import { rclonePut } from "./rclone_put.ts";
import { openRemote } from "./rclone_remote.ts";

/** Its `proof` is `checksum` where the store itself hashes what it holds, else `read_back`. */
export const rclone: Method<"rclone"> = { name: "rclone", connect };

async function connect(destination: RcloneDestination, context: MethodContext, signal: AbortSignal): Promise<Session> {
  await using stack = new AsyncDisposableStack();
  const daemon = stack.use(await startRclone(destination, context, signal));
  const remote = await openRemote(daemon, destination, context, signal);
  if (destination.fileMode !== null || destination.directoryMode !== null) {
    context.log("warning", "file_mode and directory_mode have no effect: rclone sets no permissions");
  }
  const sent: Sent = new Map();
  const named: Named = new Map();
  const files = rcloneFiles(remote, sent);
  const onlyNew = canPutOnlyNew(remote);
  const naming: Naming = { remote, files, sent, named, onlyNew, bulk: stack.use(context.system.bulkFiles()) };
  const rest = stack.move();
  return {
    method: "rclone",
    proof: remote.hash === null ? "read_back" : "checksum",
    // No store says when what it has accepted is on its disks.
    durability: "unconfirmed",
    sendsStagedAgain: false,
    hashesSource: true,
    showsInPut: true,
    // rclone begins a file again when it was cut.
    resumes: false,
    about: remote.about,
    ...files,
    survey: (paths, signal) => files.survey(paths.map((path) => named.get(path)?.target ?? path), signal),
    async digest(paths, signal, calm) {
      const rest = paths.filter((path) => !named.has(path));
      const digests = rest.length === 0 ? [] : await files.digest(rest, signal, calm);
      const found = new Map(rest.map((path, index) => [path, digests[index] ?? null]));
      return paths.map((path) => named.get(path)?.digest ?? found.get(path) ?? null);
    },
    put: rclonePut(naming),
    ...rcloneNaming(naming),
    flush: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}
