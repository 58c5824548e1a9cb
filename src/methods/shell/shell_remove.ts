/**
 * Takes delivered files away through a remote shell, to the trash or for good: POSIX sh, one line for each file.
 *
 * @module
 */
import { CAUSES, failure } from "../../domain/causes.ts";
import { failureRecord } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Removal, RemovalOutcome, Session } from "../method.ts";
import { checkTrashFolder, notRemoved, TRASH } from "../removal.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import { deviceFunction } from "./shell_publish.ts";
import { FAILED, type RunInBase } from "./remote_shell.ts";
import { flushScript } from "./shell_flush.ts";
import { linkRefused } from "../staging.ts";
import { linkIn, strangeFunction } from "./shell_staging.ts";
import { shellWords } from "./shell_quote.ts";
import type { ShellTools } from "./shell_tools.ts";

/** Makes `Session.remove`. */
export function shellRemove(inBase: RunInBase, tools: ShellTools, where: string, follow: boolean): Session["remove"] {
  return async (items, signal) => {
    if (items.length === 0) return [];
    const folders = new Set(items.flatMap(({ path, to }) => [path, ...(to === null ? [] : [to])].flatMap(foldersOf)));
    const script = [
      deviceFunction(tools.stat),
      strangeFunction(follow),
      REMOVE,
      ...items.map(({ path, to, bytes }) => {
        const words = [`./${path}`, to === null ? "" : `./${to}`, String(bytes)];
        return `r ${shellWords([...words, parentOf(path), to === null ? "" : parentOf(to)])}\n`;
      }),
      flushScript(tools.flush, [...folders]),
    ].join("");
    const output = await inBase(`remove files below ${where}`, script, signal);
    const lines = output.split("\n").filter((line) => ANSWER.test(line));
    if (lines.length !== items.length) {
      throw failure(CAUSES.noisy_shell, `Unexpected response while removing files below ${where}`);
    }
    return items.map((item, index) => outcomeOf(lines[index]!, item, where));
  };
}

/** Makes `Session.emptyTrash`. */
export function shellEmptyTrash(inBase: RunInBase, where: string, follow: boolean): Session["emptyTrash"] {
  return async (folders, signal) => {
    folders.forEach(checkTrashFolder);
    if (folders.length === 0) return;
    const check = `${
      strangeFunction(follow)
    }! strange ./${TRASH} || { echo "${TRASH} is a link of another account"; exit ${FAILED}; }\n`;
    const script = `${check}rm -rf ${shellWords(folders)} 2>&1 || exit ${FAILED}\n`;
    await inBase(`empty the trash below ${where}`, script, signal);
  };
}

function foldersOf(path: string): string[] {
  return [".", ...ancestors(path).map((folder) => `./${folder}`)];
}

function parentOf(path: string): string {
  return foldersOf(path).at(-1)!;
}

function outcomeOf(line: string, item: Removal, where: string): RemovalOutcome {
  if (line === "removed") return { removed: true };
  const kept = KEPT[line];
  if (kept !== undefined) return { removed: false, failure: notRemoved(item, where, kept) };
  const link = linkIn(line, item.path);
  if (link !== null) return { removed: false, failure: failureRecord(linkRefused(item.path, link, where, "remove")) };
  const said = printable(line.replace(/^fail /, ""));
  const what = `Cannot remove "${printable(item.path)}" below ${where}`;
  return { removed: false, failure: failureRecord(failure(meaningOf(line) ?? CAUSES.said, what, { said })) };
}

const KEPT: Readonly<Record<string, Parameters<typeof notRemoved>[2]>> = {
  "none": "gone",
  "no file": "not a file",
  "changed": "changed",
  "taken": "taken",
};
const ANSWER = /^(?:removed|none|no file|changed|taken|link \d+|fail .*)$/s;

/** One call: `r path to bytes folder folder-of-to`. */
const REMOVE = `
say() { printf '%s\\n' "$1"; }
# The last words of an error message, on one line; its first words may hold hostile names.
fail() { e=$(printf '%s' "$1" | tr '\\n\\r' '  '); say "fail \${e##*: }"; }
r() {
  if strange "$4"; then say "link $depth"; return; fi
  if [ -L "$1" ]; then say "no file"; return; fi
  if [ ! -e "$1" ]; then say none; return; fi
  if [ ! -f "$1" ]; then say "no file"; return; fi
  size=$(wc -c < "$1") || size=0
  if [ $((size)) != "$3" ]; then say changed; return; fi
  if [ -z "$2" ]; then
    e=$(rm -f "$1" 2>&1) || { fail "$e"; return; }
    say removed; return
  fi
  if strange "$5"; then say "fail $5: a link of another account is on the way to the trash"; return; fi
  [ -d "$5" ] || e=$(mkdir -p "$5" 2>&1) || { fail "$e"; return; }
  if [ -e "$2" ] || [ -L "$2" ]; then say taken; return; fi
  # mv would copy to another file system.
  if [ "$(device "$4")" != "$(device "$5")" ]; then say "fail Invalid cross-device link"; return; fi
  e=$(mv -f "$1" "$2" 2>&1) || { fail "$e"; return; }
  say removed
}
`;
