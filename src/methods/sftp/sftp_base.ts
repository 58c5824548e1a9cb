/** The base path of a destination as SFTP alone sees it: absolute paths below it, and short questions about them. */
import { type Cause, CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import { ancestors } from "../../domain/names/file_name.ts";
import { printable } from "../../domain/names/printable.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import type { MethodContext, Mount, Stat } from "../method.ts";
import { checkPath } from "../naming.ts";
import { type BehindLink, linkRefused, type Owned, strangersOnTheWay, unsafeBeside, unsafeStaging } from "../staging.ts";
import type { Refusal, SftpCalls } from "./sftp_calls.ts";
import type { SftpChannels } from "./sftp_channels.ts";
import { type Attributes, isLink, kindOf, STATUS } from "./sftp_protocol.ts";

/** What all calls of a session share. */
export interface SftpBase {
  readonly calls: SftpCalls;
  /** For contents. */
  readonly channels: SftpChannels;
  readonly destination: SshDestination;
  readonly context: MethodContext;
  /** The base path as the server knows it, absolute. */
  readonly folder: string;
  /** Base path and destination, for messages. */
  readonly where: string;
  /** The account that folders made in our staging folder belong to, once it was compared with one; null before, and where it is not told. */
  staging: { readonly uid: number | null } | null;
}

/** Asks where relative paths begin. */
export async function openSftpBase(
  calls: SftpCalls,
  channels: SftpChannels,
  destination: SshDestination,
  context: MethodContext,
): Promise<SftpBase> {
  const { value: home } = await calls.home();
  const where = `"${printable(destination.basePath)}" at ${destination.name}`;
  return { calls, channels, destination, context, folder: absoluteBase(destination.basePath, home ?? "/"), where, staging: null };
}

/** The base path as SFTP knows it: absolute, with `/C:/…` for Windows. `home` is where the server starts. */
export function absoluteBase(basePath: string, home: string): string {
  const slashed = /^[A-Za-z]:[\\/]/.test(basePath) ? `/${basePath.replaceAll("\\", "/")}` : basePath.replace(/^~(?=\/|$)/, ".");
  const absolute = slashed.startsWith("/") ? slashed : `${home}/${slashed}`;
  const parts = absolute.split("/").filter((part) => part !== "" && part !== ".");
  return `/${parts.join("/")}`;
}

/** The absolute path there of one that is relative to the base path. @throws {Failure} `name_refused` */
export function pathOf({ folder, where }: Pick<SftpBase, "folder" | "where">, relative: string): string {
  checkPath(relative, where, /^\/[A-Za-z]:/.test(folder));
  return `${folder === "/" ? "" : folder}/${relative}`;
}

export async function isFolder({ calls }: Pick<SftpBase, "calls">, path: string): Promise<boolean> {
  const { value } = await calls.stat(path);
  return value !== null && kindOf(value) === "folder";
}

/**
 * What is at an absolute path, symlinks followed; one that leads nowhere is `other`.
 *
 * @throws {Failure} where that cannot be known.
 */
export async function look(base: Pick<SftpBase, "calls">, path: string): Promise<Stat | null> {
  const { value, refusal } = await statAt(base, path, "followed");
  if (refusal === null) return value;
  throw failure(meaningOfRefusal(refusal) ?? CAUSES.said, `Cannot access "${printable(path)}"`, { said: said(refusal) });
}

/** The same, with a refusal where it cannot be known; or of what is there itself. */
export async function statAt(
  { calls }: Pick<SftpBase, "calls">,
  path: string,
  what: "followed" | "itself",
): Promise<{ readonly value: Stat | null; readonly refusal: Refusal | null }> {
  const [followed, itself] = await Promise.all([what === "followed" ? calls.stat(path) : null, calls.lstat(path)]);
  const { value, refusal } = followed?.value ? followed : itself;
  if (value !== null) return { value: { kind: kindOf(value), bytes: value.bytes ?? 0 }, refusal: null };
  // A name that cannot be there is not there.
  const isMissing = refusal.code === STATUS.NO_SUCH_FILE || refusal.code === STATUS.BAD_MESSAGE;
  return { value: null, refusal: isMissing ? null : refusal };
}

/** @throws {Failure} `device_missing` or `not_a_folder` where the base path is not a folder. */
export async function checkBase({ calls, folder, where }: SftpBase): Promise<void> {
  const { value, refusal } = await calls.stat(folder);
  if (value && kindOf(value) === "folder") return;
  if (value) {
    throw failure(CAUSES.base_not_a_folder, `Cannot use ${where}`);
  }
  // Only an error that says so makes a disk missing: that stops the whole destination.
  if (refusal.code !== STATUS.NO_SUCH_FILE) throw refused(`enter the folder ${where}`, refusal);
  throw failure(CAUSES.base_missing, `Cannot find the folder ${where}`);
}

/** Only ours are to read what is staged. */
export const PRIVATE_FOLDER = 0o700;

/**
 * Whether our staging folder is there, see `staging.ts`. Called before anything in it is listed, removed or written.
 *
 * @throws {Failure} `staging_unsafe`
 */
export async function checkStaging(base: SftpBase): Promise<boolean> {
  const { calls, context: { stagingRoot }, where } = base;
  const root = pathOf(base, stagingRoot);
  const { value: there } = await calls.lstat(root);
  if (there === null) return false;
  if (there.permissions !== undefined && kindOf(there) !== "folder") throw unsafeStaging(where, stagingRoot, "link");
  const known = base.staging?.uid;
  if (known != null && there.uid !== known) throw unsafeStaging(where, stagingRoot, "owner");
  if (base.staging !== null) return true;
  const probe = `${root}/check-${base.context.system.randomHex(4)}`;
  // Where none can be made, nothing will be written there either.
  if (await calls.mkdir(probe, PRIVATE_FOLDER) !== null) return true;
  const { value: made } = await calls.lstat(probe);
  await calls.rmdir(probe);
  const unsafe = made === null ? null : unsafeBeside(ownedOf(there), ownedOf(made));
  if (unsafe !== null) throw unsafeStaging(where, stagingRoot, unsafe);
  base.staging = { uid: made?.uid ?? null };
  return true;
}

function ownedOf({ uid, permissions }: Attributes): Owned {
  return { ...(uid === undefined ? {} : { uid }), ...(permissions === undefined ? {} : { mode: permissions & 0o7777 }) };
}

/** Why nothing is done with some of these paths: links of other accounts lead there. */
export async function strangers(
  base: SftpBase,
  paths: readonly string[],
  act: BehindLink,
): Promise<ReadonlyMap<string, Failure>> {
  const { calls, folder, where, destination: { followLinks } } = base;
  if (followLinks) return new Map();
  const folders = [...new Set(paths.flatMap((path) => ancestors(path)))].filter((each) => each !== base.context.stagingRoot);
  const looks = await Promise.all(folders.map((each) => calls.lstat(`${folder === "/" ? "" : folder}/${each}`)));
  const links = new Map(folders.flatMap((each, index) => {
    const { value } = looks[index]!;
    return value !== null && isLink(value) && value.uid !== undefined ? [[each, value.uid]] : [];
  }));
  if (links.size === 0) return new Map();
  const trusted = new Set([0, base.staging?.uid, (await calls.stat(folder)).value?.uid]);
  const isStrange = (each: string) => links.has(each) && !trusted.has(links.get(each));
  return strangersOnTheWay(paths, isStrange, (path, link) => linkRefused(path, link, where, act));
}

/** Free bytes in the base folder, and its file system. */
export async function spaceOf(base: SftpBase): Promise<Pick<Mount, "freeBytes" | "device">> {
  await checkBase(base);
  return await base.calls.space(base.folder);
}

/** @throws {Failure} where nothing can be written below the base path, or given another name, as far as SFTP tells. */
export async function tryToWrite(base: SftpBase): Promise<void> {
  const { calls, context: { stagingRoot }, where } = base;
  const root = pathOf(base, stagingRoot);
  const probe = `${root}/probe-${base.context.system.randomHex(4)}`;
  await calls.mkdir(root, PRIVATE_FOLDER);
  await checkStaging(base);
  const moved = `${probe}-moved`;
  const refusal = await calls.mkdir(probe) ?? await calls.plainRename(probe, moved);
  await calls.rmdir(refusal === null ? moved : probe);
  if (refusal) throw refused(`write below ${where}`, refusal);
}

/** A folder beside a staged file that was flushed before it was whole: what is left of that file is not resumed. */
export function flushedEarly(path: string): string {
  return `${path}.early`;
}

/** What the server said of something that it did not do. */
export function refused(what: string, refusal: Refusal): Failure {
  return failure(meaningOfRefusal(refusal) ?? CAUSES.refused_there, `Cannot ${what}`, { said: said(refusal) });
}

/** What a refusal means; null where it says nothing that is known: OpenSSH says "Failure" for most. */
export function meaningOfRefusal({ code, message }: Refusal): Cause | null {
  return meaningOf(message) ?? (code === STATUS.PERMISSION_DENIED ? CAUSES.permission_denied : null);
}

/** A refusal in the server's words. */
export function said({ code, message }: Refusal): string {
  return printable(message).slice(0, 300) || `status ${code}`;
}
