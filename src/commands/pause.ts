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
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/printable.ts";
import { openLedger } from "../ledger/open_ledger.ts";
import { defineCommand, EXIT, plain, type Tools } from "./command.ts";
import { checkName } from "./known_name.ts";
import { configOption } from "./options.ts";
import { seekDaemon, type Sought, whoAsks } from "./seek_daemon.ts";

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
    const sought = await seekDaemon(config, tools);
    const by = whoAsks(tools);
    const names = await sought.daemon?.pause(destination, by) ?? setPaused(sought, destination, by, tools);
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
    const sought = await seekDaemon(config, tools);
    const names = await sought.daemon?.resume(destination) ?? setPaused(sought, destination, null, tools);
    const when = sought.daemon === null ? " No daemon runs: files are sent when one does." : "";
    tools.stderr(`Resumed: ${names.map(printable).join(", ")}.${when}\n`);
    return EXIT.done;
  },
});

/** Without a daemon: in the ledger, where the next one finds it. */
function setPaused(sought: Sought, destination: string | null, by: string | null, tools: Tools): readonly string[] {
  const known = destinationsOf(sought);
  if (destination !== null) checkName("destination", destination, known);
  const names = destination === null ? known : [destination];
  using ledger = openLedger(sought.settings.stateDirectory, { onNotice: (notice) => tools.stderr(`${notice}\n`) });
  for (const name of names) ledger.setPaused(name, by);
  return names;
}

/** Their names; what cannot be read of a configuration with a fault is known from what was sent. */
function destinationsOf({ settings: { jobs, stateDirectory }, fault }: Sought): readonly string[] {
  const configured = jobs.flatMap((job) => job.destinations).map(({ name }) => name);
  if (fault === null) return [...new Set(configured)];
  using ledger = openLedger(stateDirectory, { readOnly: true });
  const known = [...new Set([...configured, ...ledger.places().map((place) => place.destination)])];
  if (known.length > 0) return known;
  throw new Failure("configuration", "No destination is known", { hint: "Mend the configuration first." });
}
