/**
 * `retry` puts failed deliveries back into the queue; `forget` gives up what waits for a destination that is not configured any more. Both
 * also while no daemon runs.
 */
import type { Settings } from "../config/settings.ts";
import { counted } from "../domain/words.ts";
import { object } from "@optique/core/constructs";
import { multiple } from "@optique/core/modifiers";
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import { waitingOf } from "../ledger/orphans.ts";
import { defineCommand, EXIT, notices, refused, tell, type Tools } from "./command.ts";
import { configOption, flag, jsonOption, nameValue, pathValue, word } from "./options.ts";
import { askOrChange, seekDaemon } from "./seek_daemon.ts";
import { chosenDeliveries, isRetryable } from "./text/chosen_files.ts";

/** By the daemon, else in the ledger. Exit code 1 where not all of the named IDs can be retried, 2 where something named does not exist. */
export const retry = defineCommand({
  name: "retry",
  help: "Retry failed deliveries: by ID, path or pattern, or all",
  description:
    "history --failed lists the IDs. A delivery that is waiting for its next attempt is retried at once if it is named here.",
  parser: object({
    config: configOption,
    json: jsonOption,
    words: multiple(
      word(pathValue("ID|FILE"), 'IDs of deliveries from history --failed; or files, folders, or patterns like "*.fits"'),
    ),
    all: flag("--all", "All failed deliveries"),
  }),
  async run({ config, json, words, all }, tools) {
    if (all === (words.length > 0)) {
      return refused("Specify IDs (image-transfer history --failed lists them), files, patterns or --all.", tools);
    }
    const sought = await seekDaemon(config, tools);
    const { daemon } = sought;
    const chosen = all ? null : chosenIds(words, sought.settings, tools);
    const before = all ? await daemon?.ask("status") : undefined;
    const { count } = await askOrChange("retry", { ids: chosen }, sought, tools);
    const code = chosen === null || count === chosen.length ? EXIT.done : EXIT.notDelivered;
    if (json) tools.stdout(`${JSON.stringify({ queued: count })}\n`);
    else if (chosen?.length === 0) {
      tools.stderr("Nothing to retry: none of these deliveries failed or is waiting for its next attempt.\n");
    } else {
      const when = daemon === null ? "; no daemon is running, so they are sent when one starts" : "";
      tools.stderr(`${counted(count, "delivery", "deliveries")} queued for retry${count > 0 ? when : ""}.\n`);
      const now = count > 0 ? await daemon?.ask("status") : undefined;
      for (const one of now?.destinations ?? []) {
        if ((one.state !== "closed" && one.state !== "paused") || waitingOf(one) === 0) continue;
        tools.stderr(`Nothing is sent to ${printable(one.name)} yet: ${printable(one.reason ?? "")}.\n`);
      }
      const away = before?.destinations.filter(({ state }) => state === "on_hold" || state === "backing_off") ?? [];
      const names = [...new Set(away.map(({ name }) => printable(name)))];
      if (names.length > 0) tools.stderr(`Checking unavailable destinations again: ${names.join(", ")}.\n`);
      if (code === EXIT.notDelivered) {
        tools.stderr("The others are already delivered, are being sent, or were replaced by a newer version of the file.\n");
      }
    }
    return code;
  },
});

/**
 * Those that are named by their IDs, and those of named files that failed or wait. If one word is wrong, nothing is retried: the
 * others may be wrong, too.
 */
function chosenIds(words: readonly string[], { stateDirectory }: Settings, tools: Tools): number[] {
  using ledger = tools.readLedger(stateDirectory, notices(tools));
  const numbers = words.filter((word) => /^\d{1,15}$/.test(word)).map(Number);
  const ids = new Set(ledger.query({ ids: numbers }).map(({ delivery }) => delivery.id));
  const files = words.filter((word) => !/^\d{1,15}$/.test(word));
  const unknown = numbers.filter((id) => !ids.has(id));
  if (unknown.length > 0) {
    throw new Failure("configuration", `Unknown delivery ${unknown.join(", ")}; nothing was retried`, {
      hint: `To list the IDs of failed deliveries: image-transfer history --failed. If you mean a folder: ./${unknown[0]}`,
    });
  }
  return [...ids.union(chosenDeliveries(files, { isWanted: isRetryable }, ledger, tools))];
}

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
      return refused("Nothing was given up: the configured destinations are unknown. Correct the configuration first.", tools);
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
