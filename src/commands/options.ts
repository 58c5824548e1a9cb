/** How options and words of the command line are declared, and those that several commands share. */
import { object } from "@optique/core/constructs";
import { multiple, optional, withDefault } from "@optique/core/modifiers";
import { argument, option } from "@optique/core/primitives";
import { choice, string, type ValueParser } from "@optique/core/valueparser";
import type { NonEmptyString } from "@optique/core/nonempty";
import type { InferValue, Parser, Suggestion } from "@optique/core/parser";
import type { OptionName } from "@optique/core/usage";
import { plain } from "./command.ts";

type Names = OptionName | readonly [OptionName, OptionName];

function all(names: Names): readonly [OptionName, ...OptionName[]] {
  return typeof names === "string" ? [names] : names;
}

/** An option that is given or not. */
export function flag(names: Names, help: string): Parser<"sync", boolean, unknown> {
  return option(...all(names), { description: plain(help) });
}

/** An option with a value; undefined when not given. */
export function given<T>(names: Names, value: ValueParser<"sync", T>, help: string): Parser<"sync", T | undefined, unknown> {
  return optional(option(...all(names), value, { description: plain(help) }));
}

/** An option with a value that has a default. */
export function usually<T>(names: Names, value: ValueParser<"sync", T>, help: string, usual: T): Parser<"sync", T, unknown> {
  return withDefault(option(...all(names), value, { description: plain(help) }), usual);
}

/** An option with a value that may be repeated. */
export function several<T>(names: Names, value: ValueParser<"sync", T>, help: string): Parser<"sync", readonly T[], unknown> {
  return multiple(option(...all(names), value, { description: plain(help) }));
}

export function word<T>(value: ValueParser<"sync", T>, help: string): Parser<"sync", T, unknown> {
  return argument(value, { description: plain(help) });
}

export function text(metavar: NonEmptyString): ValueParser<"sync", string> {
  return string({ metavar });
}

/** What is named; `FORMER`: a destination that is no longer configured. */
export type NameKind = "JOB" | "DEST" | "FORMER" | "NIGHT";

/** A word that is a name of this kind; shells complete it. */
export function nameValue(kind: NameKind, metavar: "JOB" | "DEST" | "NIGHT"): ValueParser<"sync", string> {
  return { ...string({ metavar }), suggest: () => [placeholder(kind)] };
}

/** Stands for names among suggestions, which must be made without waiting. No argument can hold a NUL. */
export function placeholder(kind: NameKind): Suggestion {
  return { kind: "literal", text: `\0${kind}` };
}

/** A path of this computer, which shells complete. */
export function pathValue(
  metavar: "FILE" | "DIR" | "SOURCE" | "ID|FILE" | "JOB|FILE",
  type: "file" | "directory" | "any" = metavar === "DIR" ? "directory" : metavar === "FILE" ? "file" : "any",
): ValueParser<"sync", string> {
  return {
    ...string({ metavar }),
    *suggest(prefix) {
      yield {
        kind: "file",
        type,
        pattern: prefix,
        includeHidden: prefix.includes("/."),
      };
    },
  };
}

/** Where it is not given, the usual places are searched. */
export const configOption = given(
  ["-c", "--config"],
  pathValue("FILE"),
  "Configuration file (default: the first one found in the usual places)",
);

export const jsonOption = flag("--json", "Print JSON");

/** What `run`, `watch` and `copy` have in common. */
export const runningOptions = {
  verbose: flag(["-v", "--verbose"], "Log in detail (level debug)"),
  dryRun: flag("--dry-run", "Show what would be sent, without changing anything"),
  /** Where it is not given, as configured. */
  logLevel: given(
    "--log-level",
    choice(["trace", "debug", "info", "warning", "error", "warn"], { caseInsensitive: true, metavar: "LEVEL" }),
    "Log level: trace, debug, info, warning or error",
  ),
} as const;

/** The options of `run` and `start`, which also work without their names: `image-transfer -c FILE -v`. */
export const runOptions = object({
  config: configOption,
  verbose: runningOptions.verbose,
  dryRun: runningOptions.dryRun,
  once: flag("--once", "Deliver the files that are there, then exit: 0 if all were delivered, 1 if not"),
  logLevel: runningOptions.logLevel,
});

export type RunInput = Readonly<InferValue<typeof runOptions>>;
