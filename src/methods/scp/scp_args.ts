/**
 * The arguments of one scp run.
 *
 * @module
 */
import { shellQuote } from "../shell/shell_quote.ts";
import { remoteBase, remoteSpec, type Sharing, sshOptions, type SshSettings } from "../ssh/ssh.ts";

/** Of the programs on this side; the letter and number behind it (`p1`) do not matter. */
export interface OpenSshVersion {
  readonly major: number;
  readonly minor: number;
}

/** Reads `OpenSSH_9.2p1 Debian…` and `OpenSSH_for_Windows_8.1p1`. */
export function openSshVersion(text: string): OpenSshVersion | null {
  const found = /OpenSSH_(?:for_Windows_)?(\d+)\.(\d+)/.exec(text);
  return found ? { major: Number(found[1]), minor: Number(found[2]) } : null;
}

/** What all runs go through. */
interface ScpConnection {
  readonly settings: SshSettings;
  readonly sharing: Sharing;
  /** The absolute path of `ssh`: scp would take the one it was built with. */
  readonly ssh: string;
}

/** What one run depends on. */
interface ScpRun {
  /** Null where it is not known: then it is taken for a new one. */
  readonly version: OpenSshVersion | null;
  /** The staging folder, relative to the base path; made of safe characters. */
  readonly staging: string;
  /** Names of links, in front of them `./`. */
  readonly names: readonly string[];
  /** Bytes per second; null is no limit. */
  readonly limit: number | null;
}

/** To be run in the folder of links. */
export function scpArgs({ settings, sharing, ssh }: ScpConnection, { version, staging, names, limit }: ScpRun): string[] {
  const { destination } = settings;
  const path = `${remoteBase(destination)}/${staging}/`;
  const mode = transferMode(version);
  return [
    ...sshOptions(settings, sharing),
    "-S",
    ssh,
    ...(mode === "asked" ? ["-s"] : []),
    ...(destination.preservePermissions || destination.preserveTimestamps ? ["-p"] : []),
    ...(limit === null ? [] : ["-l", String(Math.max(8, Math.floor(limit * 8 / 1024)))]),
    "--",
    ...names,
    remoteSpec(destination, mode === "former" ? shellQuote(path) : path),
  ];
}

/** SFTP is the only mode from 9.0 on, must be asked for in 8.7 to 8.9, and is not there before: then a shell reads the path. */
function transferMode(version: OpenSshVersion | null): "sftp" | "asked" | "former" {
  if (version === null || version.major >= 9) return "sftp";
  return version.major === 8 && version.minor >= 7 ? "asked" : "former";
}
