/**
 * `retry`: puts failed deliveries back into the queue; also while no daemon runs.
 *
 * @module
 */
import type { Settings } from "../config/settings.ts";
import { counted } from "../domain/names/counted.ts";
import { object } from "@optique/core/constructs";
import { multiple } from "@optique/core/modifiers";
import { argument, option } from "@optique/core/primitives";
import { integer } from "@optique/core/valueparser";
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import type { StatusReport } from "../reports/overview/status_json.ts";
import { defineCommand, EXIT, notices, plain, type Tools } from "./command.ts";
import { configOption, jsonOption } from "./options.ts";
import { seekDaemon } from "./seek_daemon.ts";

/** By the daemon, else in the ledger. Exit code 1 where not all of the named ones can be retried, 2 where one does not exist. */
export const retry = defineCommand({
  name: "retry",
  help: "Retry failed deliveries, by ID or all",
  description:
    "history --failed lists the IDs. A delivery that is waiting for its next attempt is retried at once if its ID is given.",
  parser: object({
    config: configOption,
    json: jsonOption,
    ids: multiple(
      argument(integer({ metavar: "ID", min: 1 }), { description: plain("ID of a delivery, from history --failed") }),
    ),
    all: option("--all", { description: plain("All failed deliveries") }),
  }),
  async run({ config, json, ids, all }, tools) {
    if (all === (ids.length > 0)) {
      tools.stderr("Specify the IDs of deliveries (image-transfer history --failed lists them) or --all.\n");
      return EXIT.usage;
    }
    const { settings, daemon } = await seekDaemon(config, tools);
    const chosen = all ? null : [...new Set(ids)];
    if (chosen !== null) checkIds(chosen, settings, tools);
    let count: number;
    let away: readonly string[] = [];
    if (daemon !== null) {
      if (chosen === null) away = namesAway(await daemon.status());
      count = await daemon.retry(chosen);
    } else {
      using ledger = tools.openLedger(settings.stateDirectory, notices(tools));
      count = ledger.requeue(chosen, tools.system.now());
    }
    if (json) {
      tools.stdout(`${JSON.stringify({ queued: count })}\n`);
      return chosen === null || count === chosen.length ? EXIT.done : EXIT.notDelivered;
    }
    const when = daemon === null ? "; no daemon is running, so they are sent when one starts" : "";
    tools.stderr(`${counted(count, "delivery", "deliveries")} queued for retry${count > 0 ? when : ""}.\n`);
    if (away.length > 0) tools.stderr(`Checking unavailable destinations again: ${away.join(", ")}.\n`);
    if (chosen === null || count === chosen.length) return EXIT.done;
    tools.stderr("The others are already delivered, are being sent, or were replaced by a newer version of the file.\n");
    return EXIT.notDelivered;
  },
});

/** The names of destinations that are on hold or unavailable, each once. */
function namesAway({ destinations }: StatusReport): string[] {
  return [...new Set(destinations.filter(({ state }) => AWAY.has(state)).map(({ name }) => printable(name)))];
}

const AWAY: ReadonlySet<string> = new Set(["on_hold", "backing_off"]);

/** If one ID is wrong, nothing is retried: the others may be wrong, too. */
function checkIds(ids: readonly number[], { stateDirectory }: Settings, tools: Tools): void {
  using ledger = tools.readLedger(stateDirectory, notices(tools));
  const there = new Set(ledger.query({ ids }).map(({ delivery }) => delivery.id));
  const unknown = ids.filter((id) => !there.has(id));
  if (unknown.length === 0) return;
  throw new Failure("configuration", `Unknown delivery ${unknown.join(", ")}; nothing was retried`, {
    hint: "To list the IDs of failed deliveries: image-transfer history --failed",
  });
}
