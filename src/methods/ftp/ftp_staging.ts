/**
 * `staging.ts` by FTP, as far as the long lists of a server tell: what has the names of our own folders, and links on the way to targets.
 */
import type { Failure } from "../../domain/failure.ts";
import { ancestors, lastPart } from "../../domain/names/file_name.ts";
import { TRASH } from "../removal.ts";
import { type BehindLink, linkRefused, type Owned, strangersOnTheWay, unsafeBeside, unsafeStaging } from "../staging.ts";
import { TURN } from "../turn.ts";
import { command, type FtpBase, parentOf, pathOf } from "./ftp_base.ts";
import { type Listed, longLists } from "./ftp_listing.ts";

/** The first look of a session. @throws {Failure} `staging_unsafe` */
export async function checkStagingOnce(base: FtpBase, signal: AbortSignal): Promise<void> {
  if (base.staging === null) await checkStaging(base, signal);
}

/**
 * Looks at our own folders in the base path, where they are there. Called before anything in them is listed, removed or written.
 *
 * @throws {Failure} `staging_unsafe`
 */
export async function checkStaging(base: FtpBase, signal: AbortSignal): Promise<void> {
  const { context: { stagingRoot }, where } = base;
  const ours = [stagingRoot, TRASH, TURN];
  const [listed = []] = await longLists(base, [base.folder], (name) => ours.includes(name), signal);
  const wrong = listed.find(({ kind }) => kind !== "folder");
  if (wrong) throw unsafeStaging(where, wrong.name, "link");
  const there = listed.find(({ name }) => name === stagingRoot);
  const known = base.staging?.owner;
  if (there && known != null && there.owner !== known) throw unsafeStaging(where, stagingRoot, "owner");
  const made = there === undefined || known != null ? null : await makeOne(base, signal);
  const unsafe = there && made ? unsafeBeside(ownedOf(there), ownedOf(made)) : null;
  if (unsafe !== null) throw unsafeStaging(where, stagingRoot, unsafe);
  base.staging = { owner: known ?? made?.owner ?? null };
}

/** How a folder is listed that is made in our staging folder now. Where none can be made, nothing will be written there either. */
async function makeOne(base: FtpBase, signal: AbortSignal): Promise<Listed | null> {
  const root = pathOf(base, base.context.stagingRoot);
  const probe = `check-${base.context.system.randomHex(4)}`;
  await command(base, [`MKD ${root}/${probe}`], signal);
  const [listed = []] = await longLists(base, [root], (name) => name === probe, signal);
  await command(base, [`RMD ${root}/${probe}`], signal);
  return listed[0] ?? null;
}

function ownedOf({ owner, mode }: Listed): Owned<string> {
  return { uid: owner, mode };
}

/** Those of these paths (absolute) that their folders' lists show as links. */
export async function linksAmong(base: FtpBase, paths: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
  const folders = [...new Set(paths.map(parentOf))];
  const names = new Set(paths.map(lastPart));
  const lists = await longLists(base, folders, (name) => names.has(name), signal);
  const links = folders.flatMap((folder, index) =>
    lists[index]!.flatMap(({ kind, name }) => kind === "link" ? [`${folder === "/" ? "" : folder}/${name}`] : [])
  );
  return new Set(links);
}

/**
 * Why nothing is done with some of these paths (relative): links of other accounts lead there. Folders that were seen not to be one are not looked at again in
 * this session. Where the lists do not tell owners, nothing is known.
 */
export async function strangers(
  base: FtpBase,
  paths: readonly string[],
  act: BehindLink,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Failure>> {
  const { cleared, where, context: { stagingRoot } } = base;
  const folders = [...new Set(paths.flatMap((path) => ancestors(path)))].filter((each) => !cleared.has(each));
  if (base.destination.followLinks || folders.length === 0) return new Map();
  const absolute = folders.map((each) => pathOf(base, each));
  const parents = [...new Set([base.folder, ...absolute.map(parentOf)])];
  const names = new Set([".", stagingRoot, ...absolute.map(lastPart)]);
  const lists = await longLists(base, parents, (name) => names.has(name), signal);
  const [first = []] = lists;
  const ownerOf = (name: string) => first.find((each) => each.name === name)?.owner ?? null;
  const [us, theirs] = [base.staging?.owner ?? ownerOf(stagingRoot), ownerOf(".")];
  const trusted = new Set(["0", "root", us, theirs]);
  const isStrange = ({ kind, owner }: Listed) => us !== null && theirs !== null && kind === "link" && !trusted.has(owner);
  const strange = new Set(folders.filter((_, index) => {
    const list = lists[parents.indexOf(parentOf(absolute[index]!))]!;
    return list.some((each) => each.name === lastPart(absolute[index]!) && isStrange(each));
  }));
  for (const folder of folders) if (!strange.has(folder)) cleared.add(folder);
  return strangersOnTheWay(paths, (each) => strange.has(each), (path, link) => linkRefused(path, link, where, act));
}
