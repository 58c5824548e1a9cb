/**
 * The method rsync: a batch is one run of rsync from a folder of links into staging, over the connection of the session.
 * rsync never writes a final name, and what it reports is never taken for proof: the remote hash is.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import type { Destination, Transport } from "../../config/settings.ts";
import { paceOf } from "../bandwidth.ts";
import { bytesOf, linkName } from "../links.ts";
import type { Method, MethodContext, Upload } from "../method.ts";
import { rsyncArgs } from "./rsync_args.ts";
import { givePlainModes } from "../shell/plain_modes.ts";
import { startupOutputFailure } from "../shell/startup_output.ts";
import { PARTIAL, rsyncFailure } from "./rsync_failures.ts";
import { rsyncFileFailures, rsyncProgress } from "./rsync_output.ts";
import { rsyncRuns } from "./rsync_runs.ts";
import { type RsyncPair, rsyncPair, type RsyncVersion, rsyncVersion } from "./rsync_version.ts";
import {
  diskTrouble,
  type FileFailures,
  openShellSession,
  type Sender,
  type SenderParts,
  type Sent,
} from "../shell/shell_session.ts";
import { streamedWriting } from "../tar/tar_parts.ts";
import { sshForRsync, toolPath } from "../ssh/ssh.ts";

/**
 * Both ends need rsync 2.6.9 or later, or openrsync.
 *
 * @throws {Failure} from `connect`: `tool_missing` where one end has none that fits; what `ssh` says besides.
 */
export const rsync: Method<"rsync"> = {
  name: "rsync",
  async connect(destination, context, signal) {
    // First on this side: without an rsync here no login is needed to know.
    const here = await localRsync(context, signal);
    return await openShellSession(
      destination,
      context,
      signal,
      (parts) => rsyncSender({ ...parts, destination }, here, signal),
    );
  },
};

interface LocalRsync {
  readonly path: string;
  readonly version: RsyncVersion;
}

async function localRsync({ system }: MethodContext, signal: AbortSignal): Promise<LocalRsync> {
  const path = await toolPath("rsync", system);
  const { stdout, stderr } = await system.run({ program: path, args: ["--version"] }, signal);
  const version = rsyncVersion(stdout.split("\n")[0] ?? "") ?? rsyncVersion(stderr.split("\n")[0] ?? "");
  if (version) return { path, version };
  throw new Failure("tool_missing", `Cannot use "${path}": it does not report its version`, {
    hint: "Install rsync 3, or use sftp.",
  });
}

async function rsyncSender(
  { destination, context, connection, tools, files }: SenderParts & { readonly destination: Destination<Transport<"rsync">> },
  here: LocalRsync,
  signal: AbortSignal,
): Promise<Sender> {
  const { rsync: there } = tools;
  if (there === null) {
    throw new Failure("tool_missing", `Cannot use rsync with ${destination.name}: it is not installed there`, {
      hint: "Install rsync there, or set transfer_method to sftp or auto.",
    });
  }
  const pair = pairOf(here, there, destination.name);
  if (connection.startupOutput !== "") throw await startupOutputFailure(connection, signal);
  const pace = paceOf(destination, context);
  const runs = rsyncRuns({
    path: here.path,
    readsNames: pair.readsNames,
    // Without a shared connection each would be a login of its own.
    ahead: connection.sharing === null ? 0 : Math.min(2, destination.parallelTransfers),
    args: (into, resumes, limit) => {
      const shell = sshForRsync(connection.ssh, connection.settings, connection.sharing);
      return rsyncArgs({ destination, pair, shell, remotePath: there.path, into, resumes, limit });
    },
  }, context);

  async function send(
    uploads: readonly Upload[],
    prepared: Promise<void>,
    sent: Sent,
    signal: AbortSignal,
  ): Promise<FileFailures | null> {
    const progress = rsyncProgress(new Set(uploads.map(linkName)), sent.bytes);
    using lease = await pace.lease(bytesOf(uploads), signal, sent.alive);
    const end = await runs.send({ uploads, prepared, limit: lease.rate, onText: progress }, signal);
    if (end.code === 0) return null;
    if (!PARTIAL.has(end.code)) {
      const failure = rsyncFailure(end, destination);
      throw BY_OTHER_END.has(end.code) && failure.code === "interrupted"
        ? await diskTrouble(failure, uploads, files, signal)
        : failure;
    }
    return rsyncFileFailures(end.stderr, uploads, destination);
  }

  return {
    method: "rsync",
    about: pair.about,
    resumes: true,
    hashesSource: false,
    writing: streamedWriting(connection, files, tools, context),
    send,
    ...(destination.preservePermissions
      ? {}
      : { finish: (uploads: readonly Upload[], signal: AbortSignal) => givePlainModes(uploads, files, signal) }),
    // With a limit, what a run may send is known only when it starts.
    makeReady: () => pace.atOnce < Infinity ? undefined : runs.startAhead(),
    close: runs.close,
  };
}

/** How the two ends work together. @throws {Failure} `tool_missing` */
function pairOf(here: LocalRsync, there: { readonly version: RsyncVersion }, name: string): RsyncPair {
  const pair = rsyncPair(here.version, there.version);
  if (pair === null) {
    throw new Failure("tool_missing", `Cannot use rsync with ${name}: one end is older than 2.6.9`, {
      hint: "Update rsync there, or set transfer_method to sftp or auto.",
    });
  }
  return pair;
}

/** Exit codes for a far end that went away; what it said may not have come through. */
const BY_OTHER_END: ReadonlySet<number> = new Set([10, 11, 12, 13]);
