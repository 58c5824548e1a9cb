/**
 * `pause` and `resume`: a destination gets nothing until a person wants it to; remembered over restarts, and also
 * ordered while no daemon runs.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import { argument, option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import type { FormerFiles } from "../domain/destination_state.ts";
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import { openLedger } from "../ledger/sqlite/open_ledger.ts";
import { shellQuote } from "../methods/shell/shell_quote.ts";
import { defineCommand, EXIT, plain, type Tools } from "./command.ts";
import { checkName } from "./text/known_name.ts";
import { configOption } from "./options.ts";
import { sayNoDaemon, seekDaemon, type Sought, whoAsks } from "./seek_daemon.ts";

const destinationArgument = optional(
  argument(string({ metavar: "DEST" }), { description: plain("The destination by its name; all when not given") }),
);

/** By the daemon, else in the ledger. Exit code 0 also where it was paused already. */
export const pause = defineCommand({
  name: "pause",
  help: "Send nothing to a destination, or to all, until it is resumed",
  parser: object({ config: configOption, destination: destinationArgument }),
  async run({ config, destination = null }, tools) {
    const sought = await seekDaemon(config, tools);
    const by = whoAsks(tools);
    const names = await sought.daemon?.pause(destination, by) ?? setPaused(sought, destination, by, tools);
    tools.stderr(`Paused: ${names.map(printable).join(", ")}. Files are still collected; resume sends them.\n`);
    return EXIT.done;
  },
});

/**
 * By the daemon, which then tries at once also where it holds or waits; else in the ledger. Another disk is accepted only where a
 * person says what becomes of the files of the former one: exit code 2 where nobody does.
 */
export const resume = defineCommand({
  name: "resume",
  help: "Send to a paused destination again, or to all",
  description:
    "A destination that is named here while it holds because its disk is missing or another one takes the folder that is there now " +
    "for the right one. What was delivered to the former disk is then sent again (--send-again), or stays on that disk only (--keep).",
  parser: object({
    config: configOption,
    destination: destinationArgument,
    sendAgain: option("--send-again", {
      description: plain("Send again what was delivered to the former disk, or is known to be gone from the destination"),
    }),
    keep: option("--keep", { description: plain("Leave what was delivered to the former disk on that disk only") }),
  }),
  async run({ config, destination = null, sendAgain, keep }, tools) {
    if ((sendAgain || keep) && (destination === null || (sendAgain && keep))) {
      tools.stderr("Name one destination, and either --send-again or --keep: image-transfer resume DEST --send-again\n");
      return EXIT.usage;
    }
    const sought = await seekDaemon(config, tools);
    const { settings, daemon } = sought;
    const former = sendAgain ? "send_again" : keep ? "keep" : "ask";
    if (daemon === null) {
      if (former !== "ask") return sayNoDaemon(tools, settings);
      const names = setPaused(sought, destination, null, tools);
      tools.stderr(`Resumed: ${names.map(printable).join(", ")}. No daemon runs: files are sent when one does.\n`);
      return EXIT.done;
    }
    const { names, undecided } = await daemon.resume(destination, former);
    const images = undecided.reduce((sum, one) => sum + one.images, 0);
    if (images > 0 && destination !== null) {
      const chosen = await askFormer(destination, images, tools);
      if (chosen === null) return EXIT.usage;
      await daemon.resume(destination, chosen);
    }
    tools.stderr(`Resumed: ${names.map(printable).join(", ")}.\n`);
    return EXIT.done;
  },
});

/** What becomes of the files of a former disk; null where nobody says, and then it is said how to. */
async function askFormer(destination: string, images: number, tools: Tools): Promise<FormerFiles | null> {
  const which = `${images === 1 ? "1 image was" : `${images} images were`} delivered to the former disk of ${
    printable(destination)
  }`;
  const answer = await tools.prompt?.(`${which}. Send again what is not on this one? (yes or no)`);
  tools.signal.throwIfAborted();
  const word = answer?.trim().toLowerCase() ?? "";
  if (word === "yes" || word === "y") return "send_again";
  if (word === "no" || word === "n") return "keep";
  const command = `image-transfer resume ${shellQuote(destination)}`;
  tools.stderr(
    `${which}. The disk that is there now is not accepted before you say what becomes of those that are not on it:\n` +
      `  ${command} --send-again   sends them again, where their sources are still here\n` +
      `  ${command} --keep         leaves them on the former disk only, and lists them as gone\n`,
  );
  return null;
}

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
