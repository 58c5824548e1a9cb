/**
 * Gives staged files their final names through a remote shell, durably: flush, name, flush the folders. One perl for the
 * whole batch; where there is none (BusyBox, FreeBSD), sh with `ln`, `mv` and `cmp`, a few processes for each file. And takes delivered
 * files away again.
 */
import { CAUSES, failure, filled } from "../../domain/causes.ts";
import { type Failure, failureRecord } from "../../domain/failure.ts";
import { ancestors, formerName, formerNameParts } from "../../domain/names/file_name.ts";
import { printable } from "../../domain/names/printable.ts";
import { keyedMutex, perOwner } from "../../async/mutex.ts";
import type { MethodContext, Publication, PublishOutcome, RemovalOutcome, Session } from "../method.ts";
import { cannotWrite, folderDenied, nameTaken } from "../naming.ts";
import { linkRefused } from "../staging.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import { PUBLISH_PERL } from "./publish_perl.ts";
import { flushScript, orRemove } from "./shell_flush.ts";
import { shellQuote, shellWords } from "./shell_quote.ts";
import { FAILED, type RunInBase } from "./remote_shell.ts";
import { linkIn, strangeFunction } from "./shell_staging.ts";
import { nulList } from "./shell_survey.ts";
import type { ShellTools } from "./shell_tools.ts";
import { checkTrashFolder, notRemoved, TRASH } from "../removal.ts";

/** From how many files on a `sync -f` before each is asked beats an fsync for each; it also waits for what others write there. */
const MANY = 24;

/** So many files are named on a command line. */
const FEW = 4;

/** Makes `Session.publish`; `place` is the same for all destinations that give names in the same folder. */
export function shellPublish(
  inBase: RunInBase,
  tools: ShellTools,
  { where, follow, place, system }: {
    readonly where: string;
    readonly follow: boolean;
    readonly place: string;
    readonly system: MethodContext["system"];
  },
): Session["publish"] {
  return async (items, signal) => {
    if (items.length === 0) return [];
    const script = tools.perl ? perlScript(items, tools, follow) : shScript(items, tools, follow);
    const output = await nameLock(system)(place, () => inBase(`publish files below ${where}`, script, signal));
    const known = /^(?:ok|exists|folder|former \d+|link \d+|denied \d+|fail .*)$/s;
    const answers = answersIn(output, known, items, `publishing files below ${where}`);
    return items.map((item, index): PublishOutcome => {
      const answer = answers[index]!;
      if (answer === "ok") return { published: true };
      const number = /^former (\d+)$/.exec(answer)?.[1];
      if (number) return { published: true, former: formerName(item.target, Number(number)) };
      return { published: false, failure: failureRecord(refusal(answer, item, where)) };
    });
  };
}

/** What the programs say of each file. Something that runs there may print into it: a line more would give each file its neighbour's. */
function answersIn(output: string, answer: RegExp, items: readonly unknown[], doing: string): string[] {
  const answers = output.split("\n").filter((line) => answer.test(line));
  if (answers.length !== items.length) throw failure(CAUSES.noisy_shell, `Unexpected response while ${doing}`);
  return answers;
}

/** Two that give the same name at once would both keep the same former file: one after the other, over all sessions. */
const nameLock = perOwner(keyedMutex);

function perlScript(items: readonly Publication[], { flush }: ShellTools, follow: boolean): string {
  const fields = items.flatMap((item) => {
    const { stem, ending } = formerNameParts(item.target);
    return [item.staged, item.target, item.onConflict, stem, ending, octal(item.fileMode), octal(item.directoryMode)];
  });
  const whole = flush === "sync -f" ? flush : "";
  const perl = `perl -e ${shellQuote(PUBLISH_PERL)} ${shellWords([whole, String(MANY), follow ? "1" : ""])}`;
  // Each process less is a millisecond less.
  return items.length <= FEW ? `exec ${perl} ${shellWords(fields)}` : `${nulList(fields)} | ${perl}`;
}

/** The script for where there is no perl: POSIX `sh`, one line for each item, in order: `ok`, `former <number>`, or why not. */
function shScript(items: readonly Publication[], { flush, stat }: ShellTools, follow: boolean): string {
  const folders = new Set<string>(["."]);
  const staged = items.map(({ staged }) => `./${staged}`);
  const calls = items.map((item) => {
    const { stem, ending } = formerNameParts(item.target);
    const parts = item.target.split("/").slice(0, -1);
    const parent = [".", ...parts].join("/");
    parts.forEach((_, depth) => folders.add([".", ...parts.slice(0, depth + 1)].join("/")));
    const words = [`./${item.staged}`, `./${item.target}`, item.onConflict, `./${stem}`, ending];
    return `p ${shellWords([...words, octal(item.fileMode), octal(item.directoryMode), parent, String(parts.length)])}\n`;
  });
  const modes = items.filter(({ fileMode }) => fileMode !== null)
    .map(({ staged, fileMode }) => `chmod ${octal(fileMode)} ./${staged} 2>/dev/null\n`);
  return [
    deviceFunction(stat),
    strangeFunction(follow),
    `flusher=${flush === "sync -f" ? "sync" : flush === "fsync" ? "fsync" : ""}\n`,
    PUBLISH_SH,
    ...modes,
    orRemove(flushScript(flush, staged), staged),
    ...calls,
    flushScript(flush, [...folders]),
  ].join("");
}

function octal(mode: number | null): string {
  return mode === null ? "" : mode.toString(8);
}

function refusal(line: string, item: Publication, where: string): Failure {
  const link = linkIn(line, item.target);
  if (link !== null) return linkRefused(item.target, link, where);
  const denied = /^denied (\d+)$/.exec(line)?.[1];
  if (denied !== undefined) return folderDenied(item, where, ancestors(item.target)[Number(denied) - 1] ?? item.target);
  if (line === "exists") return nameTaken(item, "file", where);
  if (line === "folder") return nameTaken(item, "folder", where);
  const reason = printable(line.replace(/^fail /, "")) || "no answer";
  if (/^staged file: No such file/.test(reason)) {
    const { code, reason, hint } = CAUSES.staged_gone;
    return cannotWrite(item, where, code, reason, hint);
  }
  const meaning = meaningOf(line) ?? filled(CAUSES.said, { reason });
  return cannotWrite(item, where, meaning.code, meaning.reason, meaning.hint);
}

/** `say LINE`; `fail TEXT`: the last words of an error message, on one line; its first words may hold hostile names. */
const SAY = `
say() { printf '%s\\n' "$1"; }
fail() {
  e=$(printf '%s' "$1" | tr '\\n\\r' '  '); e=\${e##*: }
  case $e in
    *[Pp]ermission\\ denied*|*[Nn]ot\\ permitted*) if [ "\${deep:-0}" -gt 0 ] && [ -w . ]; then say "denied $deep"; return; fi ;;
  esac
  say "fail $e"
}`;

/** One call: `p staged target policy stem ending fileMode folderMode parent depth`. Prints the same lines as the perl program. */
export const PUBLISH_SH = `${SAY}
folders() {
  [ -d "$1" ] && [ "$1" = "$seen" ] && return 0
  if strange "$1"; then say "link $depth"; return 1; fi
  if [ ! -d "$1" ]; then
    made=
    left=$1/ path= above=-1
    while [ -n "$left" ]; do
      path=$path\${left%%/*} left=\${left#*/}
      if [ ! -d "$path" ]; then
        e=$(mkdir "$path" 2>&1) || [ -d "$path" ] || { deep=$above; fail "$e"; return 1; }
        [ -z "$2" ] || chmod "$2" "$path"
      fi
      path=$path/ above=$((above + 1))
    done
  fi
  # mv would copy to another file system, and a copy is seen half.
  if [ "$(device "$1")" != "$here" ]; then say "fail Invalid cross-device link"; return 1; fi
  seen=$1
}
keep() {
  n=1
  while [ $n -lt 100000 ]; do
    former=$2.v$n$3
    if [ ! -L "$1" ] && ln "$1" "$former" 2>/dev/null; then return 0; fi
    if [ -e "$former" ] || [ -L "$former" ]; then
      [ "$1" -ef "$former" ] && [ ! -L "$1" ] && return 0
    elif (set -C; : > "$former") 2>/dev/null; then
      # No hard links here: the name was taken first, so that nobody else does.
      e=$(mv -f "$1" "$former" 2>&1) && return 0
      rm -f "$former"; return 1
    else
      e=$( (set -C; : > "$former") 2>&1); return 1
    fi
    n=$((n + 1))
  done
  e="too many former versions"; return 1
}
p() {
  deep=$9
  if [ ! -f "$1" ]; then say "fail staged file: No such file or directory"; return; fi
  folders "$8" "$7" || return
  # ln and mv would put it into the folder.
  if [ -d "$2" ] && [ ! -L "$2" ]; then say folder; return; fi
  if [ "$3" != overwrite ] && [ ! -d "$2" ] && ln "$1" "$2" 2>/dev/null; then rm -f "$1"; say ok; return; fi
  answer=ok
  if [ -e "$2" ] || [ -L "$2" ]; then
    if [ "$3" != overwrite ] && { [ -L "$2" ] || ! cmp -s "$1" "$2"; }; then
      [ "$3" = version ] || { say exists; return; }
      # Comparing may take long: who gave this attempt up has removed it, and what has the name now may be newer.
      [ -f "$1" ] || { say "fail staged file: No such file or directory"; return; }
      keep "$2" "$4" "$5" || { fail "$e"; return; }
      # A disk may keep the later of two names and lose the earlier one in a power cut.
      if [ -z "$flusher" ]; then sync; else "$flusher" "$8" 2>&1 || exit 9; fi
      answer="former $n"
    fi
    # mv would move into the folder that a symlink leads to.
    [ -L "$2" ] && [ -d "$2" ] && rm -f "$2"
  fi
  # Rename last: readers see the old or the new file, whole.
  e=$(mv -f "$1" "$2" 2>&1) || { fail "$e"; return; }
  # Two names of one file: mv may move nothing then (a crash came between ln and rm).
  rm -f "$1"
  say "$answer"
}
seen=
here=$(device .)
# Others that give names here wait until this shell ends: two would keep the same former file, and one version would be lost.
if command -v flock >/dev/null 2>&1 && [ -r . ]; then exec 9<.; flock 9 2>/dev/null || :; fi
`;

export function deviceFunction(stat: readonly string[]): string {
  const format = stat.includes("-f") ? "-f %d" : "-c %d";
  return `device() { stat -L ${format} "$1" 2>/dev/null; }\n`;
}

/** Makes `Session.remove`: to the trash or for good. */
export function shellRemove(inBase: RunInBase, tools: ShellTools, where: string, follow: boolean): Session["remove"] {
  const foldersOf = (path: string) => [".", ...ancestors(path).map((folder) => `./${folder}`)];
  return async (items, signal) => {
    if (items.length === 0) return [];
    const folders = new Set(items.flatMap(({ path, to }) => [path, ...(to === null ? [] : [to])].flatMap(foldersOf)));
    const calls = items.map(({ path, to, bytes }) => {
      const parents = [path, to].map((one) => one === null ? "" : foldersOf(one).at(-1)!);
      return `r ${shellWords([`./${path}`, to === null ? "" : `./${to}`, String(bytes), ...parents])}\n`;
    });
    const script = [
      deviceFunction(tools.stat),
      strangeFunction(follow),
      REMOVE,
      ...calls,
      flushScript(tools.flush, [...folders]),
    ].join("");
    const output = await inBase(`remove files below ${where}`, script, signal);
    const known = /^(?:removed|none|no file|changed|taken|link \d+|fail .*)$/s;
    const answers = answersIn(output, known, items, `removing files below ${where}`);
    return items.map((item, index): RemovalOutcome => {
      const answer = answers[index]!;
      if (answer === "removed") return { removed: true };
      const kept = KEPT[answer];
      if (kept !== undefined) return { removed: false, failure: notRemoved(item, where, kept) };
      const link = linkIn(answer, item.path);
      if (link !== null) return { removed: false, failure: failureRecord(linkRefused(item.path, link, where, "remove")) };
      const said = printable(answer.replace(/^fail /, ""));
      const what = `Cannot remove "${printable(item.path)}" below ${where}`;
      return { removed: false, failure: failureRecord(failure(meaningOf(answer) ?? CAUSES.said, what, { said })) };
    });
  };
}

const KEPT: Readonly<Record<string, Parameters<typeof notRemoved>[2]>> = {
  "none": "gone",
  "no file": "not a file",
  "changed": "changed",
  "taken": "taken",
};

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

/** One call: `r path to bytes folder folder-of-to`. */
const REMOVE = `${SAY}
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
