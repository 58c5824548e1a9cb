/** What is at many paths, asked with one remote process: a perl, or a `stat` for all names that fit on a line. */
import { printable } from "../../domain/names/printable.ts";
import type { Stat } from "../method.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import { shellQuote, shellWords, wordGroups } from "./shell_quote.ts";
import type { RunInBase } from "./remote_shell.ts";
import type { ShellTools } from "./shell_tools.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import type { Digest } from "../../domain/receipt.ts";

/** Makes `Session.survey`. Symlinks are followed; one that leads nowhere is `other`. */
export function shellSurvey(inBase: RunInBase, tools: ShellTools) {
  return async (paths: readonly string[], signal: AbortSignal): Promise<(Stat | null)[]> => {
    if (paths.length === 0) return [];
    const output = await inBase("check files at the destination", lookScript(paths, tools), signal);
    return stats(output, paths, tools);
  };
}

/** Makes `Session.modifiedAt`. Each tool that is there may be the one that works: perl, GNU or busybox, BSD. */
export function shellModifiedAt(inBase: RunInBase) {
  return async (path: string, signal: AbortSignal): Promise<number | null> => {
    const file = shellQuote(`./${path}`);
    const ways = [`perl -e 'print +(stat $ARGV[0])[9]' ${file}`, `stat -L -c %Y ${file}`, `stat -L -f %m ${file}`];
    const script = ways.map((way) => `m=$(${way} 2>/dev/null); case "$m" in ''|*[!0-9]*) ;; *) echo "$m"; exit 0 ;; esac\n`).join(
      "",
    );
    const output = await inBase("check a file at the destination", `${script}:`, signal);
    const seconds = /^\d+$/m.exec(output)?.[0];
    return seconds === undefined ? null : Number(seconds) * 1000;
  };
}

/** Looks at the paths; what it prints is for {@linkcode stats}. */
function lookScript(paths: readonly string[], tools: ShellTools): string {
  return tools.perl ? `${nulList(paths)} | perl -e ${LOOK}\n` : statScript(paths, tools);
}

/**
 * As {@linkcode lookScript}, for names that are expected to be free: a few in folders that are there cost no process. Nobody is refused a look
 * into a folder that may be searched.
 */
export function lookFirstScript(paths: readonly string[], tools: ShellTools): string {
  if (paths.length > FEW) return lookScript(paths, tools);
  const free = paths.map((path) => `is_free ${shellWords([`./${path}`, `./${path}`.replace(/\/[^/]*$/s, "")])}`);
  return `is_free() { [ -d "$2" ] && [ -x "$2" ] && [ ! -e "$1" ] && [ ! -L "$1" ]; }
if ${free.join(" && ")}; then
${tools.perl ? "echo -\n".repeat(paths.length) : ":\n"}else
${lookScript(paths, tools)}fi
`;
}

/** The batch of a camera that takes one image after the other. */
const FEW = 8;

/** What the look showed, in the order of the paths. @throws {Failure} where one could not be looked at. */
export function stats(output: string, paths: readonly string[], tools: ShellTools): (Stat | null)[] {
  if (!tools.perl) {
    return byName(output, paths, (line) => {
      const [, mode, bytes, name] = /^([0-9a-f]+) (\d+) (.*)$/.exec(line) ?? [];
      return name === undefined ? null : [name, stat(parseInt(mode!, tools.statRadix), Number(bytes))];
    });
  }
  const lines = output.split("\n");
  return paths.map((path, index) => {
    const line = lines[index] ?? "? no answer";
    if (line === "-") return null;
    if (line.startsWith("?")) {
      throw failure(meaningOf(line) ?? CAUSES.said, `Cannot access "${printable(path)}"`, { said: line.slice(2) });
    }
    const [mode = "", bytes = ""] = line.split(" ");
    return stat(parseInt(mode, 8), Number(bytes));
  });
}

/** Prints the words with a NUL behind each, by a shell that may limit the length of a command line. */
export function nulList(words: readonly string[]): string {
  return `{ ${wordGroups(words).map((group) => `printf '%s\\0' ${shellWords(group)}\n`).join("")}}`;
}

/** A name that fits on a line of a tool's output without being changed or split; U+2028 and U+2029 would split ours. */
function isPlain(name: string): boolean {
  // deno-lint-ignore no-control-regex
  return !/[\x00-\x1f\x7f\\\u2028\u2029]/.test(name);
}

/** One line a path: `<octal mode> <bytes>`, `-`, or `? <error>`. */
const LOOK =
  `'binmode STDIN; $/="\\0"; while (defined($_ = <STDIN>)) { chomp; my @s = stat; @s = lstat unless @s; printf "%s\\n", @s ? sprintf("%o %s", $s[2], $s[7]) : $!{ENOENT} || $!{ENOTDIR} || $!{ENAMETOOLONG} || $!{ELOOP} || $!{EINVAL} || $!{EILSEQ} ? "-" : "? $!" }'`;

function stat(mode: number, bytes: number): Stat {
  const type = mode & 0o170000;
  return { bytes, kind: type === 0o100000 ? "file" : type === 0o040000 ? "folder" : "other" };
}

/** All plain names at once, the others one by one with their number in place of the name. */
function statScript(paths: readonly string[], { stat, statRadix }: ShellTools): string {
  const plain = paths.filter(isPlain).map((path) => `./${path}`);
  const symlink = (0o120000).toString(statRadix);
  // A symlink that leads nowhere is no file, but it is in the way.
  const define = `s() {
  ${shellWords(stat)} "$@" 2>/dev/null
  for f; do [ -L "$f" ] && [ ! -e "$f" ] && printf '${symlink} 0 %s\\n' "$f"; done
}
`;
  const lines = [define, ...wordGroups(plain).map((group) => `s ${shellWords(group)}\n`)];
  paths.forEach((path, index) => {
    if (isPlain(path)) return;
    const [format = "", ...before] = [...stat].reverse();
    const words = [...before.reverse(), format.replace("%n", String(index)).replace("%N", String(index)), `./${path}`];
    lines.push(`${shellWords(words)} 2>/dev/null\n`);
  });
  return `${lines.join("")}:\n`;
}

/** Makes `Session.digest`. One round: each shell looks at its share of the files and hashes them. */
export function shellDigest(inBase: RunInBase, tools: ShellTools) {
  return async (paths: readonly string[], signal: AbortSignal, calm?: "calm"): Promise<(Digest | null)[]> => {
    if (paths.length === 0) return [];
    const digests: (Digest | null)[] = paths.map(() => null);
    const all = paths.map((_, index) => index);
    const isHalved = all.length > 1 && tools.processors > 1;
    const shares = isHalved ? [0, 1].map((half) => all.filter((index) => index % 2 === half)) : [all];
    await Promise.all(shares.map(async (share) => {
      const mine = share.map((index) => paths[index]!);
      const script = `${lookScript(mine, tools)}echo ${DONE}\n${hashScript(mine, tools.hash, calm)}`;
      const output = await inBase("hash files at the destination", script, signal);
      const border = output.indexOf(`${DONE}\n`);
      const stat = stats(output.slice(0, border), mine, tools);
      const hashes = byName(output.slice(border), mine, (line) => {
        const [, sha256, name] = /^([0-9a-f]{64}) [ *]?(.+)$/.exec(line) ?? [];
        return name === undefined ? null : [name, sha256!];
      });
      share.forEach((index, at) => {
        const found = stat[at];
        if (found?.kind !== "file") return;
        const sha256 = hashes[at];
        // This file's own trouble: an outage would hold all others.
        if (!sha256) {
          throw failure(
            CAUSES.not_read_back,
            `Cannot read "${printable(mine[at]!)}" back at the destination, though it is there`,
          );
        }
        digests[index] = { bytes: found.bytes, sha256 };
      });
    }));
    return digests;
  };
}

/** Between the two parts of an answer; neither part can print it. */
const DONE = "== hashes ==";

/** Lets others there have the processor and the disk first, as far as there are programs for it. */
const CALM = `calm=
command -v nice >/dev/null 2>&1 && calm="nice -n 19"
ionice -c 2 -n 7 true >/dev/null 2>&1 && calm="$calm ionice -c 2 -n 7"
`;

/** Prints `<sha256> *./name` for plain names, `<sha256> <number>` for the others. */
function hashScript(paths: readonly string[], hash: readonly string[], calm?: "calm"): string {
  const plain = paths.filter(isPlain).map((path) => `./${path}`);
  // Only regular files: a pipe or a device would never end.
  const define = `${calm === undefined ? "" : CALM}h() { ${calm === undefined ? "" : "$calm "}${
    shellWords(hash)
  } "$@" 2>/dev/null; }
g() {
  for f; do
    [ -f "$f" ] || { for f; do [ -f "$f" ] && h "$f"; done; return; }
  done
  h "$@"
}
`;
  const lines = [define, ...wordGroups(plain).map((group) => `g ${shellWords(group)}\n`)];
  paths.forEach((path, index) => {
    if (isPlain(path)) return;
    const name = shellQuote(`./${path}`);
    lines.push(`[ -f ${name} ] && s=$(h < ${name}) && echo "\${s%% *} ${index}"\n`);
  });
  return `${lines.join("")}:`;
}

/** By path, what `read` finds in the lines that tell its name, or its number in place of that. */
function byName<T>(output: string, paths: readonly string[], read: (line: string) => readonly [string, T] | null): (T | null)[] {
  const found = new Map(output.split("\n").map(read).filter((one) => one !== null));
  return paths.map((path, index) => found.get(isPlain(path) ? `./${path}` : String(index)) ?? null);
}
