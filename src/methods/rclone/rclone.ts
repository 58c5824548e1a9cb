/**
 * The method for everything that rclone reaches: object stores such as S3, and many more. The account is in rclone's own configuration.
 *
 * @module
 */
import type { Method, MethodContext, Session } from "../method.ts";
import { type RcloneDestination, startRclone } from "./rclone_daemon.ts";
import { rcloneFiles, type Sent } from "./rclone_files.ts";
import { rclonePublish } from "./rclone_names.ts";
import { rclonePut } from "./rclone_put.ts";
import { emptyTrash, remove, sweep } from "./rclone_remove.ts";
import { openRemote } from "./rclone_remote.ts";

/** Its `proof` is `checksum` where the store itself hashes what it holds, else `read_back`. */
export const rclone: Method<"rclone"> = { name: "rclone", programs: ["rclone"], connect };

async function connect(destination: RcloneDestination, context: MethodContext, signal: AbortSignal): Promise<Session> {
  await using stack = new AsyncDisposableStack();
  const daemon = stack.use(await startRclone(destination, context, signal));
  const remote = await openRemote(daemon, destination, context, signal);
  if (destination.fileMode !== null || destination.directoryMode !== null) {
    context.log("warning", "file_mode and directory_mode have no effect: rclone sets no permissions");
  }
  const sent: Sent = new Map();
  const files = rcloneFiles(remote, sent);
  const rest = stack.move();
  return {
    method: "rclone",
    proof: remote.hash === null ? "read_back" : "checksum",
    // No store says when what it has accepted is on its disks.
    durability: "unconfirmed",
    hashesSource: true,
    // rclone begins a file again when it was cut.
    resumes: false,
    about: remote.about,
    ...files,
    async sweep(attempts, signal) {
      await sweep(remote, attempts, signal);
      for (const staged of sent.keys()) {
        if (attempts === null || attempts.includes(staged.split("/")[1] ?? "")) sent.delete(staged);
      }
    },
    put: rclonePut(remote, files.survey, sent),
    publish: rclonePublish(remote, files, sent),
    remove: (items, signal) => remove(remote, files.survey, items, signal),
    emptyTrash: (folders, signal) => emptyTrash(remote, folders, signal),
    flush: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}
