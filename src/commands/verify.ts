/**
 * `verify`: hashes at the destinations, once more, what the ledger says is delivered there, and lists what is
 * missing or differs.
 *
 * @module
 */
import { counted } from "../domain/names/counted.ts";
import { object } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { Failure } from "../domain/failure.ts";
import type { Destination } from "../config/settings.ts";
import { pathField, printable } from "../domain/names/printable.ts";
import type { ReadLedger } from "../ledger/ledger.ts";
import { shellQuote } from "../methods/shell/shell_quote.ts";
import { WIPE } from "./text/asking_line.ts";
import { defineCommand, EXIT, notices, plain, say, type Tools } from "./command.ts";
import { checkName } from "../daemon/known_name.ts";
import { emptyNight, nightOf, nightOption, nightText } from "./text/night.ts";
import { configOption, jsonOption } from "./options.ts";
import { chosenDeliveries, filesArgument } from "./text/chosen_files.ts";
import { nameValue } from "./text/known_names.ts";
import { asServiceAccount } from "./service/meant.ts";
import { wholeSettings } from "./seek_daemon.ts";
import { markGone, sendAgain } from "./verify/send_again.ts";
import { type Verified, verifyDestination } from "./verify/verify_destination.ts";

/**
 * Exit code 1 for files that are missing, differ or cannot be asked; those of which only the size is known do not count.
 * If nothing was delivered, it says so; exit code 0.
 */
export const verify = defineCommand({
  name: "verify",
  help: "Hash delivered files at their destinations again",
  description:
    "Reads and hashes every delivered file at its destination and lists those that are missing or differ; exit code 1 if any. " +
    "Missing files are then listed as gone. " +
    "With --retry, these files are sent again; on_conflict determines what happens to files that differ.",
  parser: object({
    config: configOption,
    night: nightOption,
    destination: optional(option("--destination", nameValue("DEST", "DEST"), { description: plain("Only this destination") })),
    retry: option("--retry", { description: plain("Send missing or different files again if their source still exists") }),
    json: jsonOption,
    files: filesArgument('Only these files, folders, or patterns like "*.fits" (default: all)'),
  }),
  async run({ config, night: given, destination: name, json, retry, files }, tools) {
    const code = await asServiceAccount(config, tools);
    if (code !== null) return code;
    const settings = await wholeSettings(config, tools);
    using ledger = tools.readLedger(settings.stateDirectory, notices(tools));
    const all = settings.jobs.flatMap((job) => job.destinations);
    if (name !== undefined) checkDestination(name, all, ledger);
    const night = nightOf(given, ledger);
    const chosen = files.length === 0 ? null : chosenDeliveries(files, night === undefined ? {} : { night }, ledger, tools);
    const sheet = json ? jsonSheet(tools) : textSheet(tools);
    const count = { equal: 0, missing: 0, differs: 0, unproven: 0, unknown: 0 };
    const lost: number[] = [];
    const missing: number[] = [];
    const emit = (some: readonly Verified[]) => {
      for (const { verdict, id } of some) {
        count[verdict]++;
        if (verdict === "missing") missing.push(id);
        if (verdict === "missing" || verdict === "differs") lost.push(id);
      }
      sheet.add(some);
    };
    let stopped = false;
    try {
      for (const place of all.filter((place) => name === undefined || place.name === name)) {
        await verifyDestination(place, { night, chosen }, ledger, settings, tools, emit);
      }
    } catch (error) {
      if (!tools.signal.aborted) throw error;
      stopped = true;
    }
    sheet.end();
    const { equal, unproven } = count;
    const wrong = count.missing + count.differs + count.unknown;
    const total = equal + unproven + wrong;
    if (stopped) tools.stderr("Stopped: not everything was checked.\n");
    else if (total === 0) {
      tools.stderr(chosen === null ? nothing(night, name, ledger) : "None of these files has been delivered yet.\n");
    }
    if (!json && total > 0) {
      tools.stderr(`${total} checked, ${equal} equal, ${wrong} not${unproven > 0 ? `, ${unproven} by size only` : ""}\n`);
    }
    if (name === undefined && chosen === null) sayUnchecked(night, all, ledger, tools);
    await markGone(missing, settings, tools);
    if (retry && !stopped && total > 0) await sendAgain(lost, ledger, settings, tools);
    else if (lost.length > 0 && !json) {
      tools.stderr(`${again(files, night, name)} sends them again if their source still exists.\n`);
    }
    return wrong === 0 && !stopped ? EXIT.done : EXIT.notDelivered;
  },
});

/** The command that sends the missing files again. */
function again(files: readonly string[], night: string | undefined, destination: string | undefined): string {
  const which = [
    ...files.map(shellQuote),
    ...(night === undefined ? [] : ["--night", night]),
    ...(destination === undefined ? [] : ["--destination", shellQuote(destination)]),
  ];
  return ["image-transfer verify", ...which, "--retry"].join(" ");
}

function checkDestination(name: string, all: readonly Destination[], ledger: Pick<ReadLedger, "places">): void {
  const known = all.map((destination) => destination.name);
  if (!known.includes(name) && ledger.places().some(({ destination }) => destination === name)) {
    throw new Failure("configuration", `Cannot check "${name}": it is no longer configured`, {
      hint: `Known destinations: ${[...new Set(known)].join(", ")}.`,
    });
  }
  checkName("destination", name, known);
}

/** Why there was nothing to check, for people. */
function nothing(night: string | undefined, destination: string | undefined, ledger: Pick<ReadLedger, "nights">): string {
  const to = destination === undefined ? "" : ` to ${printable(destination)}`;
  if (night === undefined) return `Nothing has been delivered${to} yet.\n`;
  const empty = emptyNight(night, "verify", ledger);
  return empty ?? `Night ${nightText(night)}: nothing was delivered${to}. To list its files: history --night ${night}\n`;
}

/** A job or destination that was renamed or removed cannot be checked; without this line it would look as if all were checked. */
function sayUnchecked(night: string | undefined, all: readonly Destination[], ledger: ReadLedger, { stderr }: Tools): void {
  for (const { job, destination } of ledger.places()) {
    if (all.some((place) => place.job === job && place.name === destination)) continue;
    const count = ledger.count({ job, destination, states: ["delivered"], ...(night === undefined ? {} : { night }) });
    if (count === 0) continue;
    stderr(
      `Not checked: ${counted(count, "delivery", "deliveries")} of the job ${printable(job)} to ${
        printable(destination)
      }, which is no longer configured.\n`,
    );
  }
}

/** Prints results as they come; nothing is kept in memory. */
interface Sheet {
  add(some: readonly Verified[]): void;
  end(): void;
}

function textSheet(tools: Tools): Sheet {
  return {
    add(some) {
      const notable = some.filter(({ verdict }) => verdict !== "equal");
      if (notable.length === 0) return;
      // The progress line is drawn again.
      if (tools.system.isTerminal("stderr")) tools.stderr(WIPE);
      for (const one of notable) {
        say(`${one.verdict.padEnd(8)} ${one.destination}  ${pathField(one.target)}: ${one.reason}\n`, tools);
      }
    },
    end() {},
  };
}

/** All results as one array, as `JSON.stringify` with two spaces writes it. */
function jsonSheet({ stdout }: Tools): Sheet {
  let before = "[\n";
  return {
    add(some) {
      if (some.length === 0) return;
      stdout(before + some.map((one) => `  ${JSON.stringify(one, null, 2).replaceAll("\n", "\n  ")}`).join(",\n"));
      before = ",\n";
    },
    end: () => stdout(before === "[\n" ? "[]\n" : "\n]\n"),
  };
}
