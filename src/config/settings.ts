/**
 * The whole configuration as the program uses it: every default filled in, every path absolute. The options come from the
 * schema, which declares each of them once; here is what is made of several, or of where they are set.
 */
import type { BandwidthLimit } from "../domain/schedule.ts";
import type { NightRule } from "../domain/night/night.ts";
import type { commonKeys } from "./schema/schema_destination.ts";
import type { finishedKeys, hookKey, scheduleKeys, watchKeys } from "./schema/schema_job.ts";
import { type loginKeys, type METHOD_KEYS, type MethodName, ON_THIS_COMPUTER, type sshKeys } from "./schema/schema_methods.ts";
import type { daemonKeys, loadKeys, logKeys, pocketbaseShape, reportShape, webShape } from "./schema/schema_program.ts";
import type { SettingsOf } from "./schema/values.ts";

export interface Settings extends SettingsOf<typeof loadKeys & typeof daemonKeys> {
  /** The file it was read from; null where it came from elsewhere (tests, demo). */
  readonly file: string | null;
  /** What of it has no effect, or is probably not what was meant, a sentence each without a full stop. */
  readonly notes: readonly string[];
  /** Jobs of the server that the file does not allow; absent where none was asked for. */
  readonly held?: readonly HeldJob[];
  /** Every key with its value as `config show` has them, secrets in clear; absent where no configuration was read. */
  readonly full?: Readonly<Record<string, unknown>>;
  readonly jobs: readonly Job[];
  /** Names of jobs that the server no longer has, and that stay until a person accepts it; absent without a server. */
  readonly removedOnServer?: readonly string[];
  readonly log: LogSettings;
  /** Null serves no page. */
  readonly web: WebSettings | null;
  /** Null sends none. */
  readonly report: ReportSettings | null;
  /** Null uses no server. */
  readonly pocketbase: PocketbaseSettings | null;
}

/** A job of the server that is not in force, because the file does not allow it. */
export interface HeldJob {
  readonly name: string;
  /** Why nothing in the file can allow it; null where it waits for what follows. */
  readonly refused: string | null;
  readonly watch: readonly string[];
  readonly sendTo: readonly string[];
}

/** One watched folder with all that decides what is sent where. */
export interface Job extends SettingsOf<typeof watchKeys & typeof finishedKeys & typeof scheduleKeys & typeof hookKey> {
  readonly name: string;
  /** Where `watch_path` has `NIGHT` in it: the part from there on; only what lies in such folders counts, see `nightFolder()`. */
  readonly nightFolder?: string;
  /** Of a job of a server: below this folder, which its `watch_path` is or lies in, no link is followed to its files. */
  readonly linkFreeFrom?: string;
  readonly night: NightRule;
  readonly destinations: readonly Destination[];
}

export interface Destination<T extends { readonly method: MethodName } = Transport> extends SettingsOf<typeof commonKeys> {
  readonly name: string;
  readonly job: string;
  /** How files get there: the method, with the options that it alone has. */
  readonly transport: T;
  /** The limit of this computer's line, for all destinations elsewhere together; null is none, and on this computer. */
  readonly lineLimit: BandwidthLimit;
  /** Of a job of a server, in a folder of this computer: no link in it is followed, whoever made it. */
  readonly noLinks?: true;
}

export type Transport<M extends MethodName = MethodName> = {
  readonly [Name in M]: { readonly method: Name } & SettingsOf<(typeof METHOD_KEYS)[Name]>;
}[M];

/** What all methods over ssh have, and `auto`. */
interface SshTransport extends SettingsOf<typeof sshKeys> {
  readonly method: MethodName;
}

/** Host, user and port; null leaves it to ssh_config. */
export type Login = SettingsOf<typeof loginKeys>;

/** The account that a method logs in to; null for a method that needs none, as `local` does. */
export function loginOf(transport: Transport): Login | null {
  return "host" in transport ? transport : null;
}

/** The host that a method logs in to, or the remote of rclone; null on this computer. */
export function serverOf(transport: Transport): string | null {
  return transport.method === "rclone" ? transport.remote : loginOf(transport)?.host ?? null;
}

export function isOnThisComputer({ transport }: Pick<Destination, "transport">): boolean {
  return ON_THIS_COMPUTER.has(transport.method);
}

export type SshDestination = Destination<SshTransport>;

/** A destination that curl reaches by FTP, in clear or over TLS. */
export type FtpDestination = Destination<Transport<"ftp" | "ftps">>;

export function isOverSsh(destination: Destination): destination is Destination & SshDestination {
  return "compression" in destination.transport;
}

/** What happens when a different file already has the final name. */
export type ConflictPolicy = Destination["onConflict"];

/** Where the log goes, how much of it, and how long it is kept. */
export interface LogSettings extends SettingsOf<typeof logKeys> {
  /** The lines of deliveries begin with their destination: there are several, in one job or in all. */
  readonly namesDestinations: boolean;
}

/** Where the page is served, and who may see it. A null `token` has one made at the first start. */
export interface WebSettings extends Omit<SettingsOf<typeof webShape>, "listen"> {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
}

/** The report that is sent every morning: `at` by this computer's clock, to a webhook whose address may be a secret. */
export type ReportSettings = SettingsOf<typeof reportShape>;

/** The server that keeps jobs, logs and heartbeats, and what it may decide here. */
export type PocketbaseSettings = SettingsOf<typeof pocketbaseShape>;

export type { MethodName };
