/**
 * `forget`: gives up what waits for a destination that is not configured any more; also while no daemon runs.
 *
 * @module
 */
import { counted } from "../domain/names/counted.ts";
import { object } from "@optique/core/constructs";
import { argument } from "@optique/core/primitives";
import { printable } from "../domain/names/printable.ts";
import type { Settings } from "../config/settings.ts";
import { forgetOrphans, type Forgotten } from "../ledger/orphans.ts";
import { defineCommand, EXIT, plain, type Tools } from "./command.ts";
import { configOption, jsonOption } from "./options.ts";
import { nameValue } from "./text/known_names.ts";
import { ledgerToChange, seekDaemon } from "./seek_daemon.ts";

/** By the daemon, else in the ledger. Exit code 2 where the destination is configured, or nothing waits for it. */
export const forget = defineCommand({
  name: "forget",
  help: "Give up deliveries to a destination that is no longer configured",
  description: "status lists such destinations. Completed deliveries stay in the history; no file is changed.",
  parser: object({
    config: configOption,
    json: jsonOption,
    destination: argument(nameValue("FORMER", "DEST"), { description: plain("Name of the former destination") }),
  }),
  async run({ config, json, destination }, tools) {
    const { settings, daemon, fault } = await seekDaemon(config, tools);
    if (daemon === null && fault !== null) {
      tools.stderr("Nothing was given up: the configured destinations are unknown. Correct the configuration first.\n");
      return EXIT.usage;
    }
    const { count, jobs } = await daemon?.ask("forget", { destination }) ?? forgetHere(settings, destination, tools);
    if (json) {
      tools.stdout(`${JSON.stringify({ given_up: count, jobs })}\n`);
      return EXIT.done;
    }
    const elsewhere = settings.jobs.some((job) => job.destinations.some(({ name }) => name === destination));
    const of = jobs.length > 1 || elsewhere ? ` of job ${jobs.map(printable).join(" and ")}` : "";
    const deliveries = counted(count, "delivery", "deliveries");
    tools.stderr(`${deliveries} to ${printable(destination)}${of} ${count === 1 ? "was" : "were"} given up.\n`);
    return EXIT.done;
  },
});

/** Without a daemon: in the ledger. */
function forgetHere(settings: Settings, destination: string, tools: Tools): Forgotten {
  using ledger = ledgerToChange(settings, tools);
  return forgetOrphans(ledger, settings.jobs, destination, tools.system.now());
}
