/**
 * `retry`: puts failed deliveries back into the queue; also while no daemon runs.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { multiple } from "@optique/core/modifiers";
import { argument, option } from "@optique/core/primitives";
import { integer } from "@optique/core/valueparser";
import { openLedger } from "../ledger/open_ledger.ts";
import { defineCommand, EXIT, plain } from "./command.ts";
import { configOption } from "./options.ts";
import { seekDaemon } from "./seek_daemon.ts";

/** By the daemon, else in the ledger. Exit code 1 where none of the named ones can be retried. */
export const retry = defineCommand({
  name: "retry",
  help: "Try failed deliveries again: by their ids, or all",
  description: "The ids are those of history --failed. Files that wait for their next try are tried at once when named.",
  parser: object({
    config: configOption,
    ids: multiple(argument(integer({ metavar: "ID", min: 1 }), { description: plain("A delivery, see history --failed") })),
    all: option("--all", { description: plain("Everything that failed") }),
  }),
  async run({ config, ids, all }, tools) {
    if (all === (ids.length > 0)) {
      tools.stderr("Name deliveries by their ids (image-transfer history --failed shows them), or say --all.\n");
      return EXIT.usage;
    }
    const { settings, daemon } = await seekDaemon(config, tools);
    const chosen = all ? null : [...new Set(ids)];
    let count: number;
    if (daemon !== null) count = await daemon.retry(chosen);
    else {
      using ledger = openLedger(settings.stateDirectory, { onNotice: (notice) => tools.stderr(`${notice}\n`) });
      count = ledger.requeue(chosen, tools.system.now());
    }
    const when = daemon === null ? "; no daemon runs, they are tried when one does" : "";
    tools.stderr(`${count === 1 ? "1 delivery is" : `${count} deliveries are`} tried again${count > 0 ? when : ""}.\n`);
    if (chosen === null || count === chosen.length) return EXIT.done;
    tools.stderr(
      "The others are delivered already, are being sent, have been replaced by a newer version of their file, or do not exist.\n",
    );
    return count === 0 ? EXIT.notDelivered : EXIT.done;
  },
});
