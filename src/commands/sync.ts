/**
 * `sync`: has the running daemon list the watched folders at once and deliver what is new.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import { argument } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { printable } from "../domain/names/printable.ts";
import { defineCommand, EXIT, plain } from "./command.ts";
import { configOption, jsonOption } from "./options.ts";
import { sayNoDaemon, seekDaemon } from "./seek_daemon.ts";

/** Asks, and does not wait for the listing. Exit code 4 without a daemon. */
export const sync = defineCommand({
  name: "sync",
  help: "Scan for new files and deliver them now",
  parser: object({
    config: configOption,
    json: jsonOption,
    job: optional(argument(string({ metavar: "JOB" }), { description: plain("Only this job") })),
  }),
  async run({ config, json, job }, tools) {
    const { settings, daemon } = await seekDaemon(config, tools);
    if (daemon === null) {
      const code = sayNoDaemon(tools, settings);
      tools.stderr("Without a daemon, image-transfer run --once delivers the files that are there and exits.\n");
      return code;
    }
    const jobs = await daemon.sync(job);
    if (json) tools.stdout(`${JSON.stringify({ jobs })}\n`);
    else tools.stderr(`Scanning for new files: ${jobs.map(printable).join(", ")}\n`);
    return EXIT.done;
  },
});
