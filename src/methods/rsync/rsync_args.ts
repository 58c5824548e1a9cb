/**
 * The arguments of one rsync run: a folder of links into a staging folder. The options of the user come first, so that
 * ours, which keep the promises, win.
 *
 * @module
 */
import type { Destination, Transport } from "../../config/settings.ts";
import type { RsyncPair } from "./rsync_version.ts";
import { shellQuote } from "../shell/shell_quote.ts";
import { remoteBase, remoteSpec } from "../ssh/ssh.ts";

/** What one run depends on. */
interface RsyncRun {
  readonly destination: Destination<Transport<"rsync">>;
  readonly pair: RsyncPair;
  /** `ssh` with its options, as one word. */
  readonly shell: string;
  /** The rsync at the far end. */
  readonly remotePath: string;
  /** The folder to send into, relative to the base path; made of safe characters. */
  readonly into: string;
  /** Some files continue a part that lies there already. */
  readonly resumes: boolean;
  /** Bytes per second; null is no limit. */
  readonly limit: number | null;
}

/** To be run in the folder of links. */
export function rsyncArgs(run: RsyncRun): string[] {
  const { destination, pair } = run;
  // The dot keeps rsync from making the folder: one that was started ahead and got no names must leave nothing behind.
  const path = `${remoteBase(destination)}/${run.into}/.`;
  const plain = shellQuote(path) === path;
  return [
    ...destination.transport.rsyncOptions,
    // The links as the files they lead to; never what lies in a folder that took a file's place.
    ...(pair.readsNames ? ["--files-from=-"] : ["-d"]),
    "-L",
    ...(destination.preserveTimestamps ? ["-t"] : []),
    ...(destination.preservePermissions ? ["-p"] : []),
    // A new image has nothing in common with anything there. A part is compared, never trusted (`-I`: not even if it
    // has the right size and time).
    ...(run.resumes ? ["--no-whole-file", "-I"] : ["-W"]),
    "--partial",
    ...(destination.transport.compression ? ["-z"] : []),
    ...(run.limit === null ? [] : [`--bwlimit=${Math.max(1, Math.floor(run.limit / 1024))}`]),
    // A run that waits for names may wait long; ServerAliveInterval and the watch for progress end one that hangs.
    ...(pair.readsNames ? [] : [`--timeout=${Math.max(1, Math.ceil(destination.timeoutMs / 1000))}`]),
    "--progress",
    ...(pair.lineOutput ? ["--outbuf=L"] : []),
    ...(plain ? [] : pair.protectsArgs ? ["-s"] : pair.escapesArgs ? ["--old-args"] : []),
    `--rsync-path=${shellQuote(run.remotePath)}`,
    "-e",
    run.shell,
    "--",
    "./",
    remoteSpec(destination, plain || pair.protectsArgs ? path : shellQuote(path)),
  ];
}
