/**
 * `history`: what was delivered and what was not, from the ledger; with and without a daemon. Memory stays small
 * however long the history is.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { integer, string } from "@optique/core/valueparser";
import { partialSettings } from "../config/read/partial_settings.ts";
import type { DeliveryQuery, DeliveryRow, History } from "../ledger/history.ts";
import { CSV_HEAD, csvLine } from "../reports/delivery/delivery_csv.ts";
import { deliveryJson } from "../reports/delivery/delivery_json.ts";
import type { NotSent } from "../reports/overview/status_json.ts";
import { columnsOf, defineCommand, EXIT, notices, plain, type Tools } from "./command.ts";
import { failureText } from "./text/failure_text.ts";
import { historyLine } from "./text/history_text.ts";
import { checkName } from "../daemon/known_name.ts";
import { emptyNight, nightOf, nightOption } from "./text/night.ts";
import { notSentLines, notSentNow } from "./text/not_sent.ts";
import { configOption, jsonOption } from "./options.ts";

const textOption = (name: "--job" | "--destination" | "--search", metavar: "JOB" | "DEST" | "TEXT", help: string) =>
  optional(option(name, string({ metavar }), { description: plain(help) }));

/**
 * `--json` and `--csv` print the shape of `DeliveryJson`. Exit code 0 also if nothing is found. Jobs and destinations
 * may be former ones; unknown ones are rejected.
 */
export const history = defineCommand({
  name: "history",
  help: "Show what was delivered and what was not",
  description: "In the order of queueing, newest last. Works with and without a running daemon.",
  parser: object({
    config: configOption,
    night: nightOption,
    failed: option("--failed", { description: plain("Only failed deliveries, with the reason") }),
    job: textOption("--job", "JOB", "Only this job"),
    destination: textOption("--destination", "DEST", "Only this destination"),
    search: textOption("--search", "TEXT", "Only paths that contain this text, ignoring case"),
    limit: optional(
      option("--limit", integer({ metavar: "N", min: 1 }), {
        description: plain("Only the newest N (default: 100; with --json or --csv, all)"),
      }),
    ),
    json: jsonOption,
    csv: option("--csv", { description: plain("Print CSV") }),
  }),
  async run(input, tools) {
    if (input.json && input.csv) {
      tools.stderr("Use --json or --csv, not both.\n");
      return EXIT.usage;
    }
    const { settings: { stateDirectory, jobs }, fault } = await partialSettings(input.config, tools.cwd, tools.system);
    if (fault !== null) tools.stderr(`Warning: ${failureText(fault).text}\n`);
    using ledger = tools.readLedger(stateDirectory, notices(tools));
    const { job, destination, search } = input;
    const places = ledger.places();
    if (job !== undefined) checkName("job", job, [...jobs.map(({ name }) => name), ...places.map(({ job }) => job)]);
    if (destination !== undefined) {
      const configured = jobs.flatMap((job) => job.destinations.map(({ name }) => name));
      checkName("destination", destination, [...configured, ...places.map(({ destination }) => destination)]);
    }
    const night = nightOf(input.night, ledger);
    const query: DeliveryQuery = {
      ...(job === undefined ? {} : { job }),
      ...(destination === undefined ? {} : { destination }),
      ...(search === undefined ? {} : { search }),
      ...(night === undefined ? {} : { night }),
      ...(input.failed ? { trouble: true } : {}),
    };
    const isData = input.json || input.csv;
    const limit = input.limit ?? (isData ? undefined : FOR_PEOPLE);
    const { rows, left } = newest(ledger, query, limit);
    const empty = night === undefined ? null : emptyNight(night, "history", ledger);
    if (empty !== null) tools.stderr(empty);
    const notSent = input.failed ? await notSentNow(query, stateDirectory, tools) : [];
    if (input.json) printJson(rows, tools.stdout);
    else if (input.csv) printLines([CSV_HEAD], rows, csvLine, tools.stdout);
    else {
      const columns = columnsOf(tools);
      const printed = printLines([], rows, (delivery) => historyLine(delivery, columns), tools.stdout);
      if (left > 0 && input.limit === undefined) tools.stderr(`${left} older ones are not shown: --limit N shows more.\n`);
      if (printed === 0 && empty === null && !notSent?.length) {
        tools.stderr(input.failed ? "Nothing failed.\n" : "Nothing found.\n");
      }
    }
    sayNotSent(notSent, isData, tools);
    return EXIT.done;
  },
});

/** Files that were never admitted have no delivery, so night and destination do not filter them. JSON and CSV keep their shape. */
function sayNotSent(files: readonly NotSent[] | null, isData: boolean, tools: Tools): void {
  if (files === null && !isData) {
    tools.stderr("No daemon is running, so files that are incomplete or would be rejected are not listed.\n");
  }
  if (files === null || files.length === 0) return;
  const count = files.length === 1 ? "1 file is" : `${files.length} files are`;
  tools.stderr(`${count} not sent, incomplete or rejected${isData ? ": image-transfer status --json names them" : ""}.\n`);
  const columns = columnsOf(tools);
  if (!isData) tools.stdout(notSentLines(files, columns, FOR_PEOPLE).map((line) => `${line}\n`).join(""));
}

/** How many rows to show a person. */
const FOR_PEOPLE = 100;
/** How many rows are printed at a time. */
const AT_ONCE = 500;

/** The newest `limit` rows, the newest last, and how many older ones there are. */
function newest(
  ledger: Pick<History, "query" | "each" | "count">,
  query: DeliveryQuery,
  limit: number | undefined,
): { readonly rows: Iterable<DeliveryRow>; readonly left: number } {
  if (limit === undefined) return { rows: ledger.each(query), left: 0 };
  const left = Math.max(0, ledger.count(query) - limit);
  if (limit <= AT_ONCE) return { rows: ledger.query({ ...query, descending: true, limit }).toReversed(), left };
  return { rows: without(left, ledger.each(query)), left };
}

function* without<T>(first: number, items: Iterable<T>): Generator<T> {
  let index = 0;
  for (const item of items) if (index++ >= first) yield item;
}

function printJson(rows: Iterable<DeliveryRow>, print: (text: string) => void): void {
  let before = "[";
  const line = (delivery: unknown) => {
    const text = `${before}\n  ${JSON.stringify(delivery)}`;
    before = ",";
    return text;
  };
  printLines([], rows, line, print);
  print(before === "[" ? "[]\n" : "\n]\n");
}

/** Prints in pieces; returns how many rows there were. */
function printLines(
  head: readonly string[],
  rows: Iterable<DeliveryRow>,
  line: (delivery: ReturnType<typeof deliveryJson>) => string,
  print: (text: string) => void,
): number {
  let lines = [...head];
  let count = 0;
  for (const row of rows) {
    lines.push(line(deliveryJson(row)));
    if (++count % AT_ONCE === 0) {
      print(lines.join(""));
      lines = [];
    }
  }
  if (lines.length > 0) print(lines.join(""));
  return count;
}
