/**
 * `start`: another name for `run`, as seed 2 has it.
 *
 * @module
 */
import { merge, object } from "@optique/core/constructs";
import { option } from "@optique/core/primitives";
import { defineCommand, plain } from "./command.ts";
import { runOptions } from "./options.ts";
import { runDaemon } from "./run.ts";

/** As {@linkcode runDaemon}; `--foreground` changes nothing. */
export const start = defineCommand({
  name: "start",
  help: "Same as run; to run in the background, use install-service",
  parser: merge(
    runOptions,
    object({ foreground: option("--foreground", { description: plain("Run in the foreground (always the case)") }) }),
  ),
  run: runDaemon,
});
