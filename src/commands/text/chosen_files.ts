/**
 * Files that a person names on the command line: by path, by a folder above them, or by a pattern, as `file_patterns` are read.
 */
import { multiple } from "@optique/core/modifiers";
import { absolutePath } from "../../config/read/find_config.ts";
import type { Delivery } from "../../domain/delivery.ts";
import { Failure, isTrouble } from "../../domain/failure.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import { matcher } from "../../intake/patterns.ts";
import { relativePathOf } from "../../intake/source_path.ts";
import type { DeliveryQuery, History } from "../../ledger/history.ts";
import type { Tools } from "../command.ts";
import { pathValue, word } from "../options.ts";

/** Words that name files; shells complete paths. */
export function filesArgument(help: string) {
  return multiple(word(pathValue("FILE", "any"), help));
}

type Chooses = (source: Pick<SourceFile, "path" | "absolutePath">) => boolean;

/** A word means a file, all files below a folder, or those that match it as a pattern; paths begin here or at the watched folder. */
export function choosing(word: string, { cwd, system }: Pick<Tools, "cwd" | "system">): Chooses {
  const { separator, platform } = system;
  const same = (path: string) => platform === "windows" ? path.replaceAll("\\", "/").toLowerCase() : path;
  const named = same(absolutePath(word, cwd, system));
  const relative = same(word.replace(/^\.[\\/]/, "").replace(/(?<=.)[\\/]+$/s, ""));
  const isOrHolds = (folder: string, path: string) => path === folder || path.startsWith(`${folder.replace(/\/$/, "")}/`);
  const matches = matcher([platform === "windows" ? word.replaceAll("\\", "/") : word]);
  return ({ path, absolutePath }) => {
    const whole = same(absolutePath);
    if (isOrHolds(named, whole) || isOrHolds(relative, same(path)) || matches(path)) return true;
    const fromHere = relativePathOf(same(cwd), whole, separator === "\\" ? "/" : separator);
    return (fromHere !== null && matches(fromHere)) || matches(whole.replace(/^\//, ""));
  };
}

/** Whether a word is a pattern, not the name of one file or folder. */
export function isPattern(word: string): boolean {
  return /[*?[{]/.test(word);
}

/** The deliveries whose files a word names, among those of the query. */
export function* deliveriesOf(
  word: string,
  query: Omit<DeliveryQuery, "search" | "sort" | "offset">,
  ledger: Pick<History, "each">,
  tools: Pick<Tools, "cwd" | "system">,
): Generator<Delivery> {
  const chooses = choosing(word, tools);
  for (const { delivery } of ledger.each({ ...query, ...searchFor(word) })) if (chooses(delivery.source)) yield delivery;
}

/**
 * The ids of the deliveries whose files the words name, among those of a night.
 *
 * @throws {Failure} `configuration` for a word that names none.
 */
export function chosenDeliveries(
  words: readonly string[],
  { night, isWanted = () => true }: { readonly night?: string | undefined; readonly isWanted?: (delivery: Delivery) => boolean },
  ledger: Pick<History, "each">,
  tools: Pick<Tools, "cwd" | "system">,
): ReadonlySet<number> {
  const chosen = new Set<number>();
  for (const word of words) {
    let found = false;
    for (const delivery of deliveriesOf(word, { night }, ledger, tools)) {
      found = true;
      if (isWanted(delivery)) chosen.add(delivery.id);
    }
    if (!found) throw new Failure("configuration", `No delivery of "${word}" is known`, { hint: HINT });
  }
  return chosen;
}

/** Whether it failed, or waits for its next attempt. */
export function isRetryable({ state }: Delivery): boolean {
  return state.state === "deferred" || (state.state === "failed" && isTrouble(state.failure));
}

const HINT = 'To find its name: image-transfer history --search TEXT. A pattern must be quoted, like "20261120/*.fits".';

/** The ledger finds candidates by what the last part of the word says literally; most files are never looked at. */
function searchFor(word: string): Pick<DeliveryQuery, "search"> {
  const last = word.replaceAll(/\[[^\]]*\]|\{[^}]*\}|\([^)]*\)/g, "*").split(/[\\/]/).findLast((part) => part !== "") ?? "";
  const literals = last.split(/[*?[\](){}!+@|\\]+/);
  const longest = literals.reduce((best, part) => part.length > best.length ? part : best, "");
  return ["", ".", "..", "~"].includes(longest) ? {} : { search: longest };
}
