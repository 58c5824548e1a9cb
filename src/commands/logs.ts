/**
 * `logs`: the end of the daemon's log file, and what is added to it, whether it runs as a service or in a terminal.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { withDefault } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { integer } from "@optique/core/valueparser";
import { logFileOf } from "../events/log.ts";
import { defineCommand, EXIT, plain } from "./command.ts";
import { configOption } from "./options.ts";
import { seekDaemon, settingsMeant } from "./seek_daemon.ts";
import { followFile, lastLines } from "./text/log_file.ts";

/** Exit code 0 also where nothing was logged yet. */
export const logs = defineCommand({
  name: "logs",
  help: "Show the log, and follow it with -f",
  parser: object({
    config: configOption,
    follow: option("-f", "--follow", { description: plain("Keep printing what is added, until Ctrl+C") }),
    lines: withDefault(
      option("-n", "--lines", integer({ metavar: "N", min: 0, max: 100_000 }), {
        description: plain("How many lines (default: 50)"),
      }),
      50,
    ),
  }),
  async run({ config, follow, lines }, tools) {
    const { settings, fault } = await settingsMeant(config, tools);
    // Where a daemon that still runs writes to is known to it alone.
    const { log } = fault === null ? settings : (await seekDaemon(config, tools)).settings;
    const path = logFileOf(log);
    const { text, readTo } = await lastLines(path, lines, tools.system);
    if (text === "" && lines > 0) tools.stderr(`Nothing is logged in ${path} yet.\n`);
    const isRead = tools.stdout(text);
    if (follow && isRead) await followFile(path, readTo, tools);
    return EXIT.done;
  },
});
