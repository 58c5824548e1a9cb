/**
 * SHA-256 of many files at the far end, by the fastest program there. A batch is halved over two shells, so two
 * processors hash. Answers are matched by name; names that a tool might print changed are hashed one by one as its input.
 *
 * @module
 */
import { CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { shellQuote, shellWords, wordGroups } from "./shell_quote.ts";
import type { RunInBase } from "./remote_shell.ts";
import { isPlain, lookScript, stats } from "./shell_survey.ts";
import type { ShellTools } from "./shell_tools.ts";

/** Makes `Session.digest`. One round: each shell looks at its share of the files and hashes them. */
export function shellDigest(inBase: RunInBase, tools: ShellTools) {
  return async (paths: readonly string[], signal: AbortSignal, calm?: "calm"): Promise<(Digest | null)[]> => {
    const digests: (Digest | null)[] = paths.map(() => null);
    const shares = sharesOf(paths.length, tools.processors);
    await Promise.all(shares.map(async (share) => {
      const mine = share.map((index) => paths[index]!);
      const script = `${lookScript(mine, tools)}echo ${DONE}\n${hashScript(mine, tools.hash, calm)}`;
      const output = await inBase("hash files at the destination", script, signal);
      const border = output.indexOf(`${DONE}\n`);
      const stat = stats(output.slice(0, border), mine, tools);
      const hashes = fromHashes(output.slice(border), mine);
      share.forEach((index, at) => {
        const found = stat[at];
        if (found?.kind !== "file") return;
        const sha256 = hashes[at];
        if (!sha256) throw unreadable(mine[at]!);
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

/** The numbers below `count` in one share, or dealt out to two. */
function sharesOf(count: number, processors: number): number[][] {
  const all = Array.from({ length: count }, (_, index) => index);
  if (count < 2 || processors < 2) return count === 0 ? [] : [all];
  return [all.filter((index) => index % 2 === 0), all.filter((index) => index % 2 === 1)];
}

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

function fromHashes(output: string, paths: readonly string[]): (string | null)[] {
  const found = new Map<string, string>();
  for (const line of output.split("\n")) {
    const parts = /^([0-9a-f]{64}) [ *]?(.+)$/.exec(line);
    if (parts) found.set(parts[2]!, parts[1]!);
  }
  return paths.map((path, index) => found.get(isPlain(path) ? `./${path}` : String(index)) ?? null);
}

function unreadable(path: string): Failure {
  // A mismatch is this file's own: an outage would hold all others.
  return failure(CAUSES.not_read_back, `Cannot read "${printable(path)}" back at the destination, though it is there`);
}
