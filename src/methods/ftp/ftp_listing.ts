/** What is in folders of an FTP server, whatever the shape of its lists: facts (MLSD), plain names or whole paths (NLST). */
import { lastPart } from "../../domain/names/file_name.ts";
import type { Transfer } from "./curl_config.ts";
import { tooMuch } from "./curl.ts";
import { connectionFailure } from "./ftp_failures.ts";
import { repliesIn } from "./dialogue.ts";
import { converse, type FtpBase, opening, type RepliesOf } from "./ftp_base.ts";

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
export interface Listed {
  readonly name: string;
  readonly kind: "folder" | "link" | "file";
  readonly owner: string | null;
  /** Permissions for others to write, as in `mode`. */
  readonly mode: number;
}

/** What long lists of folders (absolute) say of names that are `wanted`; nothing where a server's lists have another shape. */
export async function longLists(
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
    const ends = await base.curl.talk(transfers, signal, {
      onPiece: (index, piece) => found[index]!.read(piece),
    });
    const failure = connectionFailure(ends.at(-1)!, base.destination);
    if (failure) throw failure;
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
