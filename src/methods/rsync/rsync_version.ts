/**
 * What an rsync can do, told from the first line of `rsync --version`. macOS ships openrsync (the options of 2.6.9), old
 * servers have 3.0; what both ends understand decides which options are used.
 *
 * @module
 */

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

/** True from this version on; never for openrsync. */
function atLeast(version: RsyncVersion, major: number, minor: number, patch = 0): boolean {
  if (version.kind !== "rsync") return false;
  const { major: a, minor: b, patch: c } = version;
  return a !== major ? a > major : b !== minor ? b > minor : c >= patch;
}

/** What the two ends have in common. */
export interface RsyncPair {
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
