/** The base path of a destination as an FTP server shows it: absolute paths below it, and short questions about them. */
import { folderOf } from "../../domain/names/file_name.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { FtpDestination } from "../../config/settings.ts";
import type { MethodContext, Stat } from "../method.ts";
import { checkPath } from "../naming.ts";
import type { Connections } from "./curl.ts";
import type { Curl } from "./curl.ts";
import type { Transfer } from "./curl_config.ts";
import { type Ended, isYes, repliesIn, type Reply } from "./dialogue.ts";
import { connectionFailure, refused, replyText } from "./ftp_failures.ts";

/** What a server says that it can do (FEAT). */
export interface Features {
  /** Facts of one path, whatever it is. */
  readonly mlst: boolean;
  /** Sets the time of a file: the command with its name; `MDTM` is what older servers take for it. */
  readonly setsTimes: "MFMT" | "MDTM";
  /** Names are UTF-8 only after it was asked for. */
  readonly utf8: boolean;
  /** The command that hashes with SHA-256 there; null where there is none. */
  readonly hash: "HASH" | "XSHA256" | null;
}

/** What all calls of a session share. */
export interface FtpBase {
  readonly curl: Curl;
  readonly connections: Pick<Connections, "take">;
  /** What a login took, with starting curl. */
  readonly loginMs: number;
  readonly destination: FtpDestination;
  readonly context: MethodContext;
  readonly features: Features;
  /** Folders that were there when many names in them were asked for: they need not be asked for themselves again. */
  readonly known: Set<string>;
  /** The base path as the server knows it, absolute. */
  readonly folder: string;
  /** Base path and destination, for messages. */
  readonly where: string;
  /** What was seen of our own folders below the base path; null before the first look. */
  staging: { readonly owner: string | null } | null;
  /** Folders below the base path (relative) that were seen not to be links of other accounts. */
  readonly cleared: Set<string>;
}

/** The absolute path there of one that is relative to the base path. @throws {Failure} `name_refused` */
export function pathOf({ folder, where }: Pick<FtpBase, "folder" | "where">, relative: string): string {
  checkPath(relative, where, false);
  const why = UNFIT.find(([pattern]) => pattern.test(relative))?.[1];
  if (why !== undefined) {
    throw new Failure("name_refused", `Cannot use "${printable(relative)}" below ${where}: ${why}`, {
      hint: "Rename the file, or choose another method.",
    });
  }
  return `${folder === "/" ? "" : folder}/${relative}`;
}

/** What ends a command, or is changed on the way: pure-ftpd makes `_` of a space at the end. */
const UNFIT: readonly (readonly [RegExp, string])[] = [
  // deno-lint-ignore no-control-regex -- control characters are what is refused
  [/[\x00-\x1f\x7f]/, "FTP cannot carry control characters"],
  [/ (?:\/|$)/, "FTP servers may change a name that ends with a space"],
];

/** The same; null for a name that cannot be there, which is never there. */
export function pathIfAny(base: Pick<FtpBase, "folder" | "where">, relative: string): string | null {
  try {
    return pathOf(base, relative);
  } catch (error) {
    if (error instanceof Failure) return null;
    throw error;
  }
}

/** The reply to one of the commands of a run; null where it was not answered. */
export type RepliesOf = (command: string) => Reply | null;

/** Sends commands over one connection; what is refused is in the replies. @throws {Failure} where the connection fails. */
export async function command(base: FtpBase, commands: readonly string[], signal: AbortSignal): Promise<RepliesOf> {
  const ended = await converse(base, [{ kind: "commands", commands: opening(base, commands) }], signal);
  return repliesIn(ended[0]!);
}

/** The commands of the first transfer of a run, with what each connection begins with. */
export function opening({ features }: Pick<FtpBase, "features">, commands: readonly string[]): string[] {
  return [...(features.utf8 ? ["OPTS UTF8 ON"] : []), ...commands];
}

/** As `Curl.talk`. @throws {Failure} where the connection fails. */
export async function converse(
  { curl, destination }: Pick<FtpBase, "curl" | "destination">,
  transfers: readonly Transfer[],
  signal: AbortSignal,
  told: Parameters<Curl["talk"]>[2] = {},
): Promise<Ended[]> {
  const ends = await curl.talk(transfers, signal, told);
  const lost = connectionFailure(ends.at(-1)!, destination);
  if (lost) throw lost;
  return ends;
}

/** @throws {Failure} `device_missing` or `not_a_folder` where the base path is not a folder. */
export async function checkBase(base: FtpBase, signal: AbortSignal): Promise<void> {
  const [enter, exists] = [`CWD ${base.folder}`, `RNFR ${base.folder}`];
  const replies = await command(base, [enter, exists], signal);
  if (isYes(replies(enter))) return;
  throw noBase(base, replies(enter), isYes(replies(exists)));
}

/** @throws {Failure} where nothing can be written below the base path, or given another name. */
export async function tryToWrite(base: FtpBase, signal: AbortSignal): Promise<void> {
  const { context: { stagingRoot, system }, where } = base;
  const root = pathOf(base, stagingRoot);
  const probe = `${root}/probe-${system.randomHex(4)}`;
  const moved = `${probe}-moved`;
  const [make, rename] = [`MKD ${probe}`, `RNTO ${moved}`];
  const replies = await command(base, [`MKD ${root}`, make, `RNFR ${probe}`, rename, `RMD ${moved}`, `RMD ${probe}`], signal);
  const refusing = [make, rename].find((each) => !isYes(replies(each)));
  if (refusing === undefined) return;
  const told = refused(`write below ${where}`, replies(refusing));
  if (refusing === make || told.code !== "permission_denied") throw told;
  throw new Failure(told.code, told.message, { hint: RENAME, cause: told });
}

const RENAME = "Give the account on the server permission to rename (RNFR, RNTO) below the base path.";

/** Why the base path cannot be entered. */
export function noBase({ where }: FtpBase, reply: Reply | null, exists: boolean): Failure {
  if (exists) return failure(CAUSES.base_not_a_folder, `Cannot use ${where}`);
  if (reply?.code !== 550) return refused(`enter the folder ${where}`, reply);
  return failure(CAUSES.ftp_base_missing, `Cannot find the folder ${where}`, { said: replyText(reply) });
}

/** What `Session.survey` does. Of many names in a folder that is not there, none is. */
export async function survey(base: FtpBase, paths: readonly string[], signal: AbortSignal): Promise<(Stat | null)[]> {
  const absolute = paths.map((path) => pathIfAny(base, path));
  const unknown = unknownFolders(base, absolute.filter((path) => path !== null));
  const entered = unknown.length === 0 ? null : await command(base, unknown.map((folder) => `CWD ${folder}`), signal);
  for (const folder of unknown) if (isYes(entered!(`CWD ${folder}`))) base.known.add(folder);
  const isMissing = (folder: string) => unknown.includes(folder) && entered!(`CWD ${folder}`)?.code === 550;
  const asked = absolute.map((path) => path === null || isMissing(parentOf(path)) ? null : path);
  const stats = await look(base, asked.filter((path) => path !== null), signal);
  return asked.map((path) => path === null ? null : stats.shift()!);
}

/** For so many names a question about their folder is worth it. */
const MANY = 16;

/** The folders of many of these names (absolute) that nothing is known of; a new staging folder is not worth the question. */
export function unknownFolders(base: FtpBase, paths: readonly string[]): string[] {
  const staging = pathOf(base, base.context.stagingRoot);
  const counts = new Map<string, number>();
  for (const path of paths) counts.set(parentOf(path), (counts.get(parentOf(path)) ?? 0) + 1);
  return [...counts].flatMap(([folder, count]) =>
    count >= MANY && !base.known.has(folder) && !folder.startsWith(staging) ? [folder] : []
  );
}

/** Of an absolute path. `CWD` without a name is refused everywhere: nothing would seem to be in the root. */
export function parentOf(path: string): string {
  return folderOf(path) || "/";
}

/** What is at these absolute paths; null = nothing. Costs one command for each that is not there. */
export async function look(base: FtpBase, paths: readonly string[], signal: AbortSignal): Promise<(Stat | null)[]> {
  if (paths.length === 0) return [];
  const { mlst } = base.features;
  const replies = await command(base, paths.map((path) => `${mlst ? "MLST" : "RNFR"} ${path}`), signal);
  if (mlst) return paths.map((path) => statOfMlst(replies(`MLST ${path}`)));
  const there = paths.filter((path) => isYes(replies(`RNFR ${path}`)));
  if (there.length === 0) return paths.map(() => null);
  const commands = there.flatMap((path) => [`SIZE ${path}`, `CWD ${path}`]);
  const facts = await command(base, ["TYPE I", ...commands], signal);
  const found = new Map(there.map((path) => [path, statOf(facts(`SIZE ${path}`), facts(`CWD ${path}`))]));
  return paths.map((path) => found.get(path) ?? null);
}

/** The command whose answer tells the length of a file. */
export function factsCommand({ features }: Pick<FtpBase, "features">, path: string): string {
  return `${features.mlst ? "MLST" : "SIZE"} ${path}`;
}

/** What the answer to {@linkcode factsCommand} tells of a file; null where it refuses. */
export function statIn(base: Pick<FtpBase, "features">, path: string, replies: RepliesOf): Stat | null {
  const reply = replies(factsCommand(base, path));
  if (base.features.mlst) return statOfMlst(reply);
  return isYes(reply) ? statOf(reply, null) : null;
}

/** The line ` Type=file;Size=5;Modify=…; /a/b` of a reply (RFC 3659, 7.2). */
function statOfMlst(reply: Reply | null): Stat | null {
  if (!isYes(reply)) return null;
  const facts = reply!.lines.find((line) => /^ ?[A-Za-z0-9.]+=[^;]*;/.test(line)) ?? "";
  const fact = (name: string) => new RegExp(`(?:^ ?|;)${name}=([^;]*);`, "i").exec(facts)?.[1]?.toLowerCase();
  const type = fact("type");
  const kind = type === "file" ? "file" : type === "dir" || type === "cdir" || type === "pdir" ? "folder" : "other";
  return { kind, bytes: Number(fact("size") ?? UNKNOWN_BYTES) };
}

/** What `Session.modifiedAt` does: `213 20261120031500.123` (RFC 3659, 3). */
export async function modifiedAt(base: FtpBase, path: string, signal: AbortSignal): Promise<number | null> {
  const absolute = pathIfAny(base, path);
  if (absolute === null) return null;
  const asked = `MDTM ${absolute}`;
  const reply = (await command(base, [asked], signal))(asked);
  const [, year, month, day, hour, minute, second] =
    (isYes(reply) ? /(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d+)?\s*$/.exec(reply!.lines.at(-1) ?? "") : null)?.map(Number) ??
      [];
  return year === undefined ? null : Date.UTC(year, month! - 1, day, hour, minute, second);
}

function statOf(size: Reply | null, enter: Reply | null): Stat {
  if (isYes(enter)) return { kind: "folder", bytes: 0 };
  const bytes = isYes(size) ? /^(\d+)$/.exec(size!.lines.at(-1)?.trim() ?? "")?.[1] : undefined;
  if (bytes !== undefined) return { kind: "file", bytes: Number(bytes) };
  // 550 is said of what has no size; other codes, of the command itself.
  return size?.code === 550 ? { kind: "other", bytes: 0 } : { kind: "file", bytes: UNKNOWN_BYTES };
}

/** The size of a file where the server does not tell: equal to none, so that only its content counts. */
const UNKNOWN_BYTES = -1;
