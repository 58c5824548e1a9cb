/**
 * The arguments of one rsync run: a folder of links into a staging folder. The options of the user come first, so that
 * ours, which keep the promises, win.
 */
import type { Destination, Transport } from "../../config/settings.ts";
import { shellQuote } from "../shell/shell_quote.ts";
import { remoteBase, remoteSpec } from "../ssh/ssh.ts";

interface RsyncRun {
  readonly destination: Destination<Transport<"rsync">>;
  readonly pair: RsyncPair;
  readonly shell: string;
  readonly remotePath: string;
  /** The folder to send into, relative to the base path; made of safe characters. */
  readonly into: string;
  /** Some files continue a part that lies there already. */
  readonly resumes: boolean;
  /** Bytes per second; null is no limit. */
  readonly limit: number | null;
}

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

export interface RsyncVersion {
  /** `openrsync` is another program with fewer options. */
  readonly kind: "rsync" | "openrsync";
  /** Of openrsync always 2.6.9, the rsync that it follows; its own number says nothing of options. */
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  readonly protocol: number;
}

/** Reads `rsync  version 3.2.7  protocol version 31` or `openrsync: protocol version 29`; null when it is neither. */
export function rsyncVersion(firstLine: string): RsyncVersion | null {
  const protocol = Number(/protocol version (\d+)/.exec(firstLine)?.[1] ?? 0);
  const numbers = /version v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(firstLine);
  if (firstLine.startsWith("openrsync")) {
    return { kind: "openrsync", major: 2, minor: 6, patch: 9, protocol: protocol || 27 };
  }
  if (!/^rsync\b/.test(firstLine) || !numbers) return null;
  return {
    kind: "rsync",
    major: Number(numbers[1]),
    minor: Number(numbers[2]),
    patch: Number(numbers[3] ?? 0),
    protocol,
  };
}

function atLeast(version: RsyncVersion, major: number, minor: number, patch = 0): boolean {
  const ordered = (...parts: readonly number[]) => parts.reduce((sum, part) => sum * 1000 + part, 0);
  return version.kind === "rsync" && ordered(version.major, version.minor, version.patch) >= ordered(major, minor, patch);
}

interface RsyncPair {
  /** Arguments can travel outside of the remote shell's command line (`-s`). */
  readonly protectsArgs: boolean;
  /** The local one escapes arguments for the remote shell unless told not to (`--old-args`). */
  readonly escapesArgs: boolean;
  /** Names can be read from the input, so that a run can be started before they are known (`--files-from=-`). */
  readonly readsNames: boolean;
  /** The local one prints line by line when asked (`--outbuf=L`). */
  readonly lineOutput: boolean;
  readonly about: string;
}

/** How two versions work together; null where one is too old (before 2.6.9). */
export function rsyncPair(here: RsyncVersion, there: RsyncVersion): RsyncPair | null {
  const fit = (version: RsyncVersion) => version.kind === "openrsync" || atLeast(version, 2, 6, 9);
  if (!fit(here) || !fit(there)) return null;
  return {
    protectsArgs: atLeast(here, 3, 0) && atLeast(there, 3, 0),
    escapesArgs: atLeast(here, 3, 2, 4),
    readsNames: here.kind === "rsync" && there.kind === "rsync",
    lineOutput: atLeast(here, 3, 1),
    about: `rsync ${named(here)} to ${named(there)}`,
  };
}

function named(version: RsyncVersion): string {
  const { kind, major, minor, patch, protocol } = version;
  return kind === "openrsync" ? `openrsync (protocol ${protocol})` : `${major}.${minor}.${patch}`;
}
