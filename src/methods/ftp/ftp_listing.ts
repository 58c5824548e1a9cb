/** What is in folders of an FTP server, whatever the shape of its lists: facts (MLSD), plain names or whole paths (NLST). */
import type { Failure } from "../../domain/failure.ts";
import { ancestors, lastPart } from "../../domain/names/file_name.ts";
import { TRASH } from "../removal.ts";
import { type BehindLink, linkRefused, type Owned, strangersOnTheWay, unsafeBeside, unsafeStaging } from "../staging.ts";
import { TURN } from "../turn.ts";
import type { Transfer } from "./curl_config.ts";
import { tooMuch } from "./curl.ts";
import { repliesIn } from "./dialogue.ts";
import { command, converse, type FtpBase, opening, parentOf, pathOf, type RepliesOf } from "./ftp_base.ts";

/** Sends commands and lists a folder (absolute), in one run. The server may leave names out. */
export async function commandAndList(
  base: FtpBase,
  commands: readonly string[],
  folder: string,
  signal: AbortSignal,
): Promise<{ replies: RepliesOf; names: ReadonlySet<string> }> {
  const list = listReader(base);
  const request = base.features.mlst ? "MLSD" : "NLST";
  const [ended] = await converse(base, [{ kind: "list", request, path: folder, commands: opening(base, commands) }], signal, {
    onPiece: (_, piece) => list.read(piece),
  });
  const lines = linesOf(list.text());
  return { replies: repliesIn(ended!), names: new Set(base.features.mlst ? factNames(lines) : plainNames(lines, folder)) };
}

/** The names in these folders (absolute), in order; none where there is no such folder. */
export async function namesIn(base: FtpBase, folders: readonly string[], signal: AbortSignal): Promise<string[][]> {
  if (base.features.mlst) return (await listsOf(base, "MLSD", folders, signal)).map(factNames);
  const all = await listsOf(base, "NLST -a", folders, signal);
  const names = all.map((list, index) => plainNames(list, folders[index]!));
  // A server that takes the option for a name finds nothing.
  const empty = folders.filter((_, index) => names[index]!.length === 0);
  const again = empty.length === 0 ? [] : await listsOf(base, "NLST", empty, signal);
  return names.map((found, index) =>
    found.length > 0 ? found : plainNames(again[empty.indexOf(folders[index]!)]!, folders[index]!)
  );
}

/** One line of a long list, as far as it tells. */
interface Listed {
  readonly name: string;
  readonly kind: "folder" | "link" | "file";
  readonly owner: string | null;
  /** Permissions for others to write, as in `mode`. */
  readonly mode: number;
}

/** What long lists of folders (absolute) say of names that are `wanted`; nothing where a server's lists have another shape. */
async function longLists(
  base: FtpBase,
  folders: readonly string[],
  wanted: (name: string) => boolean,
  signal: AbortSignal,
): Promise<Listed[][]> {
  const keep = (line: string) => wanted(listedOf(line)?.name ?? "");
  const lists = await listsOf(base, "LIST -a", folders, signal, keep);
  return lists.map((lines) => lines.flatMap((line) => listedOf(line) ?? []));
}

/** Lines `lrwxrwxrwx 1 0 0 9 Nov 24 03:53 name -> target`, and those of Windows `11-24-26 03:53PM <JUNCTION> name [target]`. */
function listedOf(line: string): Listed | null {
  const unix = /^([-dlbcps])(\S{9})\S* +\d+ +(\S+) +\S+ +\d+ +\S+ +\S+ +\S+ (.*)$/.exec(line);
  if (unix) {
    const [, type, rights = "", owner = "", rest = ""] = unix;
    const kind = type === "d" ? "folder" : type === "l" ? "link" : "file";
    const mode = (rights[4] === "w" ? 0o020 : 0) | (rights[7] === "w" ? 0o002 : 0);
    return { name: kind === "link" ? rest.split(" -> ")[0]! : rest, kind, owner, mode };
  }
  const windows = /^\d\S+ +\S+ +<(DIR|JUNCTION|SYMLINKD?)> +(.*?)(?: \[.*\])?$/.exec(line);
  return windows && { name: windows[2]!, kind: windows[1] === "DIR" ? "folder" : "link", owner: null, mode: 0 };
}

/** The lines that a command for lists gives for each of these paths. */
async function listsOf(
  base: FtpBase,
  request: string,
  paths: readonly string[],
  ...[signal, keep]: readonly [AbortSignal, Keep?]
): Promise<string[][]> {
  const texts: string[] = [];
  while (texts.length < paths.length) {
    const rest = paths.slice(texts.length);
    const found = rest.map(() => listReader(base, keep));
    const transfers = rest.map((path, index): Transfer => ({
      kind: "list",
      request,
      path,
      commands: index === 0 ? opening(base, ["NOOP"]) : [],
    }));
    const ends = await converse(base, transfers, signal, { onPiece: (index, piece) => found[index]!.read(piece) });
    // Many servers say of an empty folder, or of none, that there are no files.
    texts.push(...ends.map(({ exit }, index) => exit === 0 ? found[index]!.text() : ""));
  }
  return texts.map(linesOf);
}

/** Some 200,000 names. */
const MOST_LIST = 32 * 1024 * 1024;

/** Of a list of which single lines are kept. */
const MOST_READ = 8 * MOST_LIST;

/** Whether a line is kept. */
type Keep = (line: string) => boolean;

/** Keeps the text of one list, or those of its lines. */
function listReader({ destination: { transport } }: FtpBase, keep?: Keep): { read(piece: Uint8Array): void; text(): string } {
  const decoder = new TextDecoder();
  const most = keep === undefined ? MOST_LIST : MOST_READ;
  let [text, kept, read] = ["", "", 0];
  return {
    read(piece) {
      read += piece.length;
      text += decoder.decode(piece, { stream: true });
      const end = text.lastIndexOf("\n") + 1;
      if (keep !== undefined && end > 0) {
        for (const line of linesOf(text.slice(0, end))) if (keep(line)) kept += `${line}\n`;
        text = text.slice(end);
      }
      if (read > most || text.length > MOST_LIST) throw tooMuch("a list without end", transport);
    },
    text: () => kept + text,
  };
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line !== "");
}

/** Lines `type=file;size=5; name`. */
function factNames(lines: readonly string[]): string[] {
  return proper(lines.map((line) => line.slice(line.indexOf(" ") + 1)));
}

function plainNames(lines: readonly string[], folder: string): string[] {
  return proper(
    lines.map((line) => line.startsWith(`${folder}/`) ? line.slice(folder.length + 1) : lastPart(line)),
  );
}

function proper(names: readonly string[]): string[] {
  return [...new Set(names)].filter((name) => name !== "" && name !== "." && name !== ".." && !name.includes("/"));
}

// `staging.ts` by FTP, as far as long lists tell: what has the names of our own folders, and links on the way to targets.

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
