/**
 * Gives staged files their final names through a remote shell, durably: flush, name, flush the folders. One perl for the
 * whole batch; where there is none, sh with `ln` and `mv`.
 *
 * @module
 */
import { CAUSES, failure, filled } from "../../domain/causes.ts";
import { type Failure, failureRecord } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { printable } from "../../domain/names/printable.ts";
import { keyedMutex, perOwner } from "../../async/mutex.ts";
import { formerName, formerNameParts } from "../../domain/names/former_name.ts";
import type { MethodContext, Publication, PublishOutcome } from "../method.ts";
import { cannotWrite, folderDenied, nameTaken } from "../naming.ts";
import { linkRefused } from "../staging.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import { PUBLISH_PERL } from "./publish_perl.ts";
import { deviceFunction, PUBLISH_SH } from "./publish_sh.ts";
import { flushScript, orRemove } from "./shell_flush.ts";
import { shellQuote, shellWords } from "./shell_quote.ts";
import type { RunInBase } from "./remote_shell.ts";
import { linkIn, strangeFunction } from "./shell_staging.ts";
import { nulList } from "./shell_survey.ts";
import type { ShellTools } from "./shell_tools.ts";

/** From how many files on a `sync -f` before each is asked beats an fsync for each; it also waits for what others write there. */
const MANY = 24;

/** So many files are named on a command line. */
const FEW = 4;

/** Where names are given. */
interface NamingPlace {
  /** The destination, for messages. */
  readonly where: string;
  /** `follow_links`. */
  readonly follow: boolean;
  /** The same for all destinations that give names in the same folder. */
  readonly place: string;
  readonly system: MethodContext["system"];
}

/** Makes `Session.publish`. */
export function shellPublish(inBase: RunInBase, tools: ShellTools, { where, follow, place, system }: NamingPlace) {
  return async (items: readonly Publication[], signal: AbortSignal): Promise<PublishOutcome[]> => {
    if (items.length === 0) return [];
    const script = tools.perl ? perlScript(items, tools, follow) : shScript(items, tools, follow);
    const output = await nameLock(system)(place, () => inBase(`publish files below ${where}`, script, signal));
    // Something that runs there may print into the answer: a line more would give each file its neighbour's.
    const lines = output.split("\n").filter((line) => ANSWER.test(line));
    if (lines.length !== items.length) {
      throw failure(CAUSES.noisy_shell, `Unexpected response while publishing files below ${where}`);
    }
    return items.map((item, index) => outcomeOf(lines[index]!, item, where));
  };
}

/** What the programs say of one file. */
const ANSWER = /^(?:ok|exists|folder|former \d+|link \d+|denied \d+|fail .*)$/s;

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

function outcomeOf(line: string, item: Publication, where: string): PublishOutcome {
  if (line === "ok") return { published: true };
  const number = /^former (\d+)$/.exec(line)?.[1];
  if (number) return { published: true, former: formerName(item.target, Number(number)) };
  return { published: false, failure: failureRecord(refusal(line, item, where)) };
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
