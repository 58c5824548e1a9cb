/**
 * `pause` and `resume`: a destination gets nothing until a person wants it to; remembered over restarts, and also
 * ordered while no daemon runs.
 */
import { object } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import type { FormerFiles } from "../domain/delivery.ts";
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import { shellQuote } from "../methods/shell/shell_quote.ts";
import { defineCommand, EXIT, refused, tell, type Tools } from "./command.ts";
import { checkName } from "../daemon/known_name.ts";
import { resumedText } from "../reports/daemon_control.ts";
import { configOption, flag, jsonOption, nameValue, word } from "./options.ts";
import { ledgerToChange, sayNoDaemon, seekDaemon, type Sought, whoAsks } from "./seek_daemon.ts";

const destinationArgument = optional(word(nameValue("DEST", "DEST"), "Name of the destination (default: all)"));

/** By the daemon, else in the ledger. Exit code 0 also where it was paused already. */
export const pause = defineCommand({
  name: "pause",
  help: "Pause delivery to a destination, or to all",
  parser: object({ config: configOption, json: jsonOption, destination: destinationArgument }),
  async run({ config, json, destination = null }, tools) {
    const sought = await seekDaemon(config, tools);
    const by = whoAsks(tools);
    const names = sought.daemon === null
      ? setPaused(sought, destination, by, tools)
      : (await sought.daemon.ask("pause", { destination, by })).destinations;
    const text = `Paused: ${names.map(printable).join(", ")}. New files are still queued; resume sends them.\n`;
    tell(json, { paused: names }, text, tools);
    return EXIT.done;
  },
});

/**
 * By the daemon, which then tries at once even if it is on hold or waiting; else in the ledger. Another disk is accepted only if a
 * person says what becomes of the files of the former one: exit code 2 where nobody does.
 */
export const resume = defineCommand({
  name: "resume",
  help: "Resume delivery to a destination, or to all",
  description:
    "If the destination is on hold because its disk is missing or was replaced, or because remote_base_path was changed, naming it here " +
    "accepts the folder that is there now. Files delivered to the former one are then sent again (--send-again) or stay there only (--keep). " +
    "--accept lets a mirror (delete_destination_files) remove what was deleted here.",
  parser: object({
    config: configOption,
    json: jsonOption,
    destination: destinationArgument,
    sendAgain: flag(
      "--send-again",
      "Send again the files that were delivered to the former disk or folder, or are missing at the destination",
    ),
    accept: flag("--accept", "Let a mirror remove what was deleted here, where it asks first (max_delete); DEST may be JOB/DEST"),
    keep: flag("--keep", "Leave files delivered to the former disk or folder there only"),
  }),
  async run({ config, json, destination = null, sendAgain, keep, accept }, tools) {
    if (accept && (sendAgain || keep)) return refused("Specify --accept alone: image-transfer resume --accept JOB/DEST", tools);
    if ((sendAgain || keep) && (destination === null || (sendAgain && keep))) {
      return refused("Specify one destination and either --send-again or --keep: image-transfer resume DEST --send-again", tools);
    }
    const sought = await seekDaemon(config, tools);
    const { settings, daemon } = sought;
    if (accept) {
      // Only a daemon knows what is missing now.
      if (daemon === null) return sayNoDaemon(tools, settings);
      const { destinations: names } = await daemon.ask("accept-removals", { destination });
      const text = names.length === 0
        ? "No removals are waiting to be accepted.\n"
        : `Accepted: what was deleted here is now removed at ${names.map(printable).join(", ")}.\n`;
      tell(json, { accepted: names }, text, tools);
      return EXIT.done;
    }
    const former = sendAgain ? "send_again" : keep ? "keep" : "ask";
    if (daemon === null) {
      if (former !== "ask") return sayNoDaemon(tools, settings);
      const names = setPaused(sought, destination, null, tools);
      const text = `Resumed: ${names.map(printable).join(", ")}. No daemon is running; files are sent when one starts.\n`;
      tell(json, { resumed: names }, text, tools);
      return EXIT.done;
    }
    // A daemon of an older version does not tell all of this.
    const { destinations, retrying = [], undecided = [] } = await daemon.ask("resume", { destination, former });
    const images = undecided.reduce((sum, one) => sum + one.images, 0);
    const isAsked = images > 0 && destination !== null;
    const decided = isAsked ? await askFormer(destination, images, tools) : former;
    if (decided === null) return EXIT.usage;
    if (isAsked) await daemon.ask("resume", { destination, former: decided });
    if (json) tools.stdout(`${JSON.stringify({ resumed: destinations, ...retrying.length === 0 ? {} : { retrying } })}\n`);
    // What it was on hold for is decided.
    else if (decided !== "ask" && retrying.length > 0) {
      tools.stderr(`Retrying ${retrying.map(printable).join(", ")} now; ${FORMER[decided]}.\n`);
    } else tools.stderr(`${resumedText({ destinations, retrying })}.\n`);
    return EXIT.done;
  },
});

const FORMER: Readonly<Record<FormerFiles, string>> = {
  send_again: "what is missing in the new disk or folder is sent again",
  keep: "what is only in the former disk or folder stays there",
};

/** What becomes of the files of a former disk; null where nobody says, and then it is said how to. */
async function askFormer(destination: string, images: number, tools: Tools): Promise<FormerFiles | null> {
  const were = images === 1 ? "1 image was" : `${images} images were`;
  const which = `${were} delivered to the former disk or folder of ${printable(destination)}`;
  const answer = await tools.prompt?.(`${which}. Send again those that are missing in the new one? (yes or no)`);
  tools.signal.throwIfAborted();
  const word = answer?.trim().toLowerCase() ?? "";
  if (word === "yes" || word === "y") return "send_again";
  if (word === "no" || word === "n") return "keep";
  const command = `image-transfer resume ${shellQuote(destination)}`;
  tools.stderr(
    `${which}. The new one is not accepted until you choose what to do with those that are missing there:\n` +
      `  ${command} --send-again   sends them again if their source files still exist\n` +
      `  ${command} --keep         leaves them on the former one only and lists them as gone\n`,
  );
  return null;
}

/** Without a daemon: in the ledger, where the next one finds it. */
function setPaused({ settings, fault }: Sought, destination: string | null, by: string | null, tools: Tools): readonly string[] {
  const known = new Set(settings.jobs.flatMap((job) => job.destinations).map(({ name }) => name));
  if (fault !== null) {
    // What cannot be read of a configuration with a fault is known from what was sent.
    using sent = tools.readLedger(settings.stateDirectory);
    for (const place of sent.places()) known.add(place.destination);
    if (known.size === 0) {
      throw new Failure("configuration", "No destinations are known", { hint: "Correct the configuration first." });
    }
  }
  if (destination !== null) checkName("destination", destination, [...known]);
  const names = destination === null ? [...known] : [destination];
  using ledger = ledgerToChange(settings, tools);
  for (const name of names) ledger.setPaused(name, by);
  return names;
}
