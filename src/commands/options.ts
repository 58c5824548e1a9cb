/**
 * Options that several commands share, each declared once.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { choice, string, type ValueParser } from "@optique/core/valueparser";
import { plain } from "./command.ts";

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

/** `-c FILE`, `--config FILE`; undefined when not given: the usual places are searched then. */
export const configOption = optional(
  option("-c", "--config", pathValue("FILE"), {
    description: plain("Configuration file (default: the first one found in the usual places)"),
  }),
);

/** `--json`: data for programs on standard output. */
export const jsonOption = option("--json", { description: plain("Print JSON") });

const LOG_LEVELS = ["trace", "debug", "info", "warning", "error"] as const;

/** `--log-level L`; undefined leaves the configured one. */
const logLevelOption = optional(
  option("--log-level", choice([...LOG_LEVELS, "warn"], { caseInsensitive: true, metavar: "LEVEL" }), {
    description: plain("Log level: trace, debug, info, warning or error"),
  }),
);

/** Options of `run` (also without its name) and `start`. */
export interface RunInput {
  readonly config: string | undefined;
  readonly verbose: boolean;
  readonly dryRun: boolean;
  readonly once: boolean;
  readonly logLevel: (typeof LOG_LEVELS)[number] | "warn" | undefined;
}

/** What `run`, `watch` and `copy` have in common. */
export const runningOptions = {
  verbose: option("-v", "--verbose", { description: plain("Log in detail (level debug)") }),
  dryRun: option("--dry-run", { description: plain("Show what would be sent, without changing anything") }),
  logLevel: logLevelOption,
} as const;

/** The options of `run`, which also work without `run`: `image-transfer -c FILE -v`. */
export const runOptions = object({
  config: configOption,
  verbose: runningOptions.verbose,
  dryRun: runningOptions.dryRun,
  once: option("--once", {
    description: plain("Deliver the files that are there, then exit: 0 if all were delivered, 1 if not"),
  }),
  logLevel: logLevelOption,
});
