/** `forget`: gives up what waits for a destination that is not configured any more; also while no daemon runs. */
import { counted } from "../domain/words.ts";
import { object } from "@optique/core/constructs";
import { printable } from "../domain/names/printable.ts";
import { defineCommand, EXIT, tell } from "./command.ts";
import { configOption, jsonOption, nameValue, word } from "./options.ts";
import { askOrChange, seekDaemon } from "./seek_daemon.ts";

/** By the daemon, else in the ledger. Exit code 2 where the destination is configured, or nothing waits for it. */
export const forget = defineCommand({
  name: "forget",
  help: "Give up deliveries to a destination that is no longer configured",
  description: "status lists such destinations. Completed deliveries stay in the history; no file is changed.",
  parser: object({
    config: configOption,
    json: jsonOption,
    destination: word(nameValue("FORMER", "DEST"), "Name of the former destination"),
  }),
  async run({ config, json, destination }, tools) {
    const sought = await seekDaemon(config, tools);
    const { settings, daemon, fault } = sought;
    if (daemon === null && fault !== null) {
      tools.stderr("Nothing was given up: the configured destinations are unknown. Correct the configuration first.\n");
      return EXIT.usage;
    }
    const { count, jobs } = await askOrChange("forget", { destination }, sought, tools);
    const elsewhere = settings.jobs.some((job) => job.destinations.some(({ name }) => name === destination));
    const of = jobs.length > 1 || elsewhere ? ` of job ${jobs.map(printable).join(" and ")}` : "";
    const deliveries = counted(count, "delivery", "deliveries");
    const text = `${deliveries} to ${printable(destination)}${of} ${count === 1 ? "was" : "were"} given up.\n`;
    tell(json, { given_up: count, jobs }, text, tools);
    return EXIT.done;
  },
});
