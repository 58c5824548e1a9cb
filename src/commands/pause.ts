/**
 * `pause` and `resume`: a destination gets nothing until a person wants it to; remembered over restarts, and also
 * ordered while no daemon runs.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import { argument } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { printable } from "../domain/printable.ts";
import type { Settings } from "../domain/settings.ts";
import { openLedger } from "../ledger/open_ledger.ts";
import { defineCommand, EXIT, plain, type Tools } from "./command.ts";
import { checkName } from "./known_name.ts";
import { configOption } from "./options.ts";
import { seekDaemon, whoAsks } from "./seek_daemon.ts";

const parser = object({
  config: configOption,
  destination: optional(
    argument(string({ metavar: "DEST" }), { description: plain("The destination by its name; all when not given") }),
  ),
});

/** By the daemon, else in the ledger. Exit code 0 also where it was paused already. */
export const pause = defineCommand({
  name: "pause",
  help: "Send nothing to a destination, or to all, until it is resumed",
  parser,
  async run({ config, destination = null }, tools) {
    const { settings, daemon } = await seekDaemon(config, tools);
    const by = whoAsks(tools);
    const names = await daemon?.pause(destination, by) ?? setPaused(settings, destination, by, tools);
    tools.stderr(`Paused: ${names.map(printable).join(", ")}. Files are still collected; resume sends them.\n`);
    return EXIT.done;
  },
});

/** By the daemon, which then tries at once also where it holds or waits; else in the ledger. */
export const resume = defineCommand({
  name: "resume",
  help: "Send to a paused destination again, or to all",
  description:
    "A destination that is named here while it holds because its disk is missing takes the folder that is there now for the right one.",
  parser,
  async run({ config, destination = null }, tools) {
    const { settings, daemon } = await seekDaemon(config, tools);
    const names = await daemon?.resume(destination) ?? setPaused(settings, destination, null, tools);
    const when = daemon === null ? " No daemon runs: files are sent when one does." : "";
    tools.stderr(`Resumed: ${names.map(printable).join(", ")}.${when}\n`);
    return EXIT.done;
  },
});

/** Without a daemon: in the ledger, where the next one finds it. */
function setPaused(settings: Settings, destination: string | null, by: string | null, tools: Tools): readonly string[] {
  const known = [...new Set(settings.jobs.flatMap((job) => job.destinations).map(({ name }) => name))];
  if (destination !== null) checkName("destination", destination, known);
  const names = destination === null ? known : [destination];
  using ledger = openLedger(settings.stateDirectory, { onNotice: (notice) => tools.stderr(`${notice}\n`) });
  for (const name of names) ledger.setPaused(name, by);
  return names;
}
