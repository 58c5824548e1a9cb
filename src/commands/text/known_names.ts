/**
 * Names that a shell completes: of jobs, destinations and nights. A missing or broken configuration only means that there are none.
 *
 * @module
 */
import type { Suggestion } from "@optique/core/parser";
import { string, type ValueParser } from "@optique/core/valueparser";
import { partialSettings } from "../../config/read/partial_settings.ts";
import { orphans } from "../../ledger/orphans.ts";
import type { Tools } from "../command.ts";

/** What is named; `FORMER`: a destination that is no longer configured. */
type NameKind = "JOB" | "DEST" | "FORMER" | "NIGHT";

/** The names of a kind for a command line. */
export type KnownNames = (kind: NameKind, words: readonly string[]) => Promise<readonly string[]>;

/** A word that is a name of this kind; shells complete it. */
export function nameValue(kind: NameKind, metavar: "JOB" | "DEST" | "NIGHT"): ValueParser<"sync", string> {
  return { ...string({ metavar }), suggest: () => [placeholder(kind)] };
}

/** Stands for names among suggestions, which must be made without waiting. No argument can hold a NUL. */
export function placeholder(kind: NameKind): Suggestion {
  return { kind: "literal", text: `\0${kind}` };
}

/** The same suggestions, with the names that begin with `current` where a placeholder was. */
export async function withNames(
  found: readonly Suggestion[],
  current: string,
  namesOf: (kind: NameKind) => Promise<readonly string[]>,
): Promise<Suggestion[]> {
  const all = found.map(async (one): Promise<readonly Suggestion[]> => {
    if (one.kind !== "literal" || !one.text.startsWith("\0")) return [one];
    const names = await namesOf(one.text.slice(1) as NameKind);
    return names.filter((name) => name.startsWith(current) && PLAIN.test(name)).map((text) => ({ kind: "literal", text }));
  });
  return (await Promise.all(all)).flat();
}

/** Names that every shell takes as they are. */
const PLAIN = /^[\p{L}\p{N}_@%+=:,./-]+$/u;

/** From the configuration of the command line and its ledger, which is only read. */
export async function knownNames(
  kind: NameKind,
  words: readonly string[],
  { system, cwd, readLedger }: Pick<Tools, "system" | "cwd" | "readLedger">,
): Promise<readonly string[]> {
  try {
    const joined = words.find((word) => word.startsWith("--config="));
    const at = words.findIndex((word) => word === "-c" || word === "--config");
    const config = joined?.slice("--config=".length) ?? (at < 0 ? undefined : words[at + 1]);
    const { settings: { jobs, stateDirectory } } = await partialSettings(config, cwd, system);
    if (kind === "JOB") return jobs.map(({ name }) => name);
    if (kind === "DEST") return [...new Set(jobs.flatMap(({ destinations }) => destinations.map(({ name }) => name)))];
    using ledger = readLedger(stateDirectory);
    if (kind === "NIGHT") return ["last", ...ledger.nights().slice(-MOST_NIGHTS).toReversed()];
    return [...new Set(orphans(ledger, jobs).map(({ destination }) => destination))];
  } catch {
    // A person is typing: an error would be printed into the line.
    return [];
  }
}

const MOST_NIGHTS = 20;
