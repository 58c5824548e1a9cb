/** `run`, also called `start`, as words of the command line; what they do is in `run/run_daemon.ts`. */
import { merge, object } from "@optique/core/constructs";
import { POCKETBASE_URL } from "../config/read/parse_settings.ts";
import { defineCommand } from "./command.ts";
import { flag, given, runOptions, text } from "./options.ts";
import { runDaemon } from "./run/run_daemon.ts";

/**
 * Exit code 3 where another instance has the state directory, 1 after an internal error or, with `--once`, where anything is
 * left.
 */
export const run = defineCommand({
  name: "run",
  help: "Watch and deliver in the foreground",
  description: "Watches the configured folders and delivers every finished file until it is stopped (Ctrl+C, SIGTERM). " +
    "SIGHUP reloads the configuration.",
  parser: runOptions,
  run: runDaemon,
});

/** Another name for it, as seed 2 has it; `--foreground` changes nothing. */
export const start = defineCommand({
  name: "start",
  help: "Same as run; to run in the background, use install-service",
  parser: merge(
    runOptions,
    object({
      foreground: flag("--foreground", "Run in the foreground (always the case)"),
      pocketbaseUrl: given("--pocketbase-url", text("URL"), "PocketBase server that keeps the jobs, in place of pocketbase.url"),
    }),
  ),
  async run({ pocketbaseUrl, ...input }, tools) {
    const { system } = tools;
    // Every reading of the configuration from now on finds this URL.
    const env = (name: string) => name === POCKETBASE_URL ? pocketbaseUrl ?? system.env(name) : system.env(name);
    return await runDaemon(input, { ...tools, system: { ...system, env } });
  },
});
