/**
 * Builds every OpenSSH command line: one set of options for `ssh`, `scp` and the `-e` of rsync. The user's own
 * ssh_config and known_hosts are used (or the file that `IMAGE_TRANSFER_SSH_CONFIG` names); what would make a daemon
 * wait for a person, trust an unknown host or hang for ever is overridden.
 */
import { CAUSES, failure } from "../../domain/causes.ts";
import { bareHost, isHostName } from "../../domain/names/host_name.ts";
import type { SshDestination } from "../../config/settings.ts";
import { bracketed, printable } from "../../domain/names/printable.ts";
import type { System } from "../../system/system.ts";

/**
 * How a connection is shared. `path` is a socket of ours; null makes a connection of its own. A `client` logs in by itself where the
 * server allows the connection no more channels; a `channel` fails then.
 */
export type Sharing = { readonly role: "master" | "client" | "channel"; readonly path: string } | null;

export type SshProgram = "ssh" | "scp";

export interface SshSettings {
  readonly destination: SshDestination;
  /** A file in place of the user's ssh_config; null = the user's own. */
  readonly configFile: string | null;
}

export function sshSettings(destination: SshDestination, system: Pick<System, "env">): SshSettings {
  return { destination, configFile: system.env("IMAGE_TRANSFER_SSH_CONFIG") || null };
}

export function sshOptions(settings: SshSettings, sharing: Sharing): string[] {
  const { destination } = settings;
  const alive = Math.min(15, Math.max(1, Math.floor(destination.timeoutMs / 4000)));
  const options: Record<string, string> = {
    BatchMode: "yes",
    StrictHostKeyChecking: "yes",
    ConnectTimeout: String(connectSeconds(destination)),
    ConnectionAttempts: "1",
    ServerAliveInterval: String(alive),
    ServerAliveCountMax: "3",
    ControlMaster: sharing?.role === "master" ? "yes" : "no",
    ControlPath: sharing ? escaped(sharing.path) : "none",
    ControlPersist: "no",
    ForwardAgent: "no",
    ForwardX11: "no",
    ClearAllForwardings: "yes",
    PermitLocalCommand: "no",
    RequestTTY: "no",
    // At ERROR OpenSSH keeps "Connection closed by …" to itself.
    LogLevel: "INFO",
  };
  const { method, user, port, compression } = destination.transport;
  if (user !== null) options["User"] = user;
  if (port !== null) options["Port"] = String(port);
  if (sharing?.role === "channel") options["ProxyCommand"] = "false";
  // rsync compresses without ssh.
  if (compression && method !== "rsync") options["Compression"] = "yes";
  return [
    ...(settings.configFile ? ["-F", settings.configFile] : []),
    ...Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]),
  ];
}

/** Seconds that a connection may take until the key exchange is done. */
export function connectSeconds(destination: Pick<SshDestination, "timeoutMs">): number {
  return Math.min(20, Math.max(2, Math.ceil(destination.timeoutMs / 1000)));
}

/** The arguments of `ssh` that run `command` (read by the login shell there, whichever it is). */
export function sshArgs(settings: SshSettings, sharing: Sharing, command: string): string[] {
  return [
    ...sshOptions(settings, sharing),
    "-o",
    "RemoteCommand=none",
    "-e",
    "none",
    "-T",
    "--",
    hostOf(settings.destination),
    command,
  ];
}

export function sftpArgs(settings: SshSettings, sharing: Sharing): string[] {
  const options = ["-o", "RemoteCommand=none", "-e", "none", "-T", "-s"];
  return [...sshOptions(settings, sharing), ...options, "--", hostOf(settings.destination), "sftp"];
}

/** The arguments of `ssh` that tell a master to end, closing all its channels. */
export function sshExitArgs(settings: SshSettings, path: string): string[] {
  return [...sshOptions(settings, { role: "client", path }), "-O", "exit", "--", hostOf(settings.destination)];
}

/** `ssh` with its options as one word for rsync's `-e`, which splits at spaces and knows quotes. */
export function sshForRsync(ssh: string, settings: SshSettings, sharing: Sharing): string {
  const words = [ssh, ...sshOptions(settings, sharing), "-o", "RemoteCommand=none", "-T"];
  return words.map((word) => /[\s"']/.test(word) ? `"${word.replaceAll('"', '""')}"` : word).join(" ");
}

/** `host:path` as scp and rsync want it; an IPv6 address goes into brackets. */
export function remoteSpec(destination: SshDestination, path: string): string {
  const host = hostOf(destination);
  return `${bracketed(host)}:${path}`;
}

/**
 * The remote base path as a program that starts in the remote home understands it: never empty, never with a `~` that
 * only a shell would expand, never taken for an option.
 */
export function remoteBase(destination: SshDestination): string {
  const path = destination.basePath.replace(/^~(?=\/|$)\/*/, "").replace(/(.)\/+$/s, "$1");
  if (path === "") return ".";
  return path.startsWith("/") || path.startsWith("./") ? path : `./${path}`;
}

/**
 * The host as one argument: bare, without user and port.
 *
 * @throws {Failure} `configuration` without a host, or with one that a program could take for an option.
 */
export function hostOf(destination: SshDestination): string {
  const { host } = destination.transport;
  if (isHostName(host)) return bareHost(host);
  throw failure(CAUSES.not_a_host_name, `Cannot reach ${destination.name}`, { words: { host: printable(host) } });
}

/** The absolute path of a program. @throws {Failure} `tool_missing` where it is not installed. */
export async function toolPath(program: SshProgram | "rsync", system: Pick<System, "which" | "platform">): Promise<string> {
  const path = await system.which(program);
  if (path !== null) return path;
  const noSsh = system.platform === "windows" ? CAUSES.no_ssh_on_windows : CAUSES.no_ssh_here;
  throw failure(program === "rsync" ? CAUSES.no_rsync_here : noSsh, `Cannot find the program "${program}" on this computer`);
}

/** A socket path as ssh_config reads it: `%` begins a token there, a space ends a word. */
function escaped(path: string): string {
  const text = path.replaceAll("%", "%%");
  return /\s/.test(text) ? `"${text}"` : text;
}
