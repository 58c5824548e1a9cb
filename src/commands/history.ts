/**
 * `history`: what was delivered and what was not, from the ledger; with and without a daemon. Memory stays small
 * however long the history is.
 */
import { object } from "@optique/core/constructs";
import { choice, integer, type ValueParser } from "@optique/core/valueparser";
import { format as formatBytes } from "@std/fmt/bytes";
import { checkName } from "../daemon/known_name.ts";
import { chunks } from "../domain/chunks.ts";
import { localTime } from "../domain/words.ts";
import { wrapped } from "../domain/wrapped.ts";
import { nearestKey } from "../domain/names/nearest_key.ts";
import { pathField, printable } from "../domain/names/printable.ts";
import type { DeliveryQuery, DeliveryRow, History } from "../ledger/history.ts";
import { CSV_HEAD, csvLine } from "../reports/delivery/delivery_export.ts";
import { type DeliveryJson, deliveryJson } from "../reports/delivery/delivery_json.ts";
import { columnsOf, defineCommand, EXIT, notices, plain, refused } from "./command.ts";
import { configOption, flag, given, jsonOption, nameValue, text } from "./options.ts";
import { settingsMeant } from "./seek_daemon.ts";
import { failureText } from "./text/failure_text.ts";
import { emptyNight, nightOf, nightOption, notSentLines, notSentNow } from "./text/night.ts";

const STATES = ["queued", "sending", "deferred", "delivered", "failed"] as const;
type States = "trouble" | readonly (typeof STATES)[number][];

/** `trouble`, or one or more states, as in the API. */
const statesValue: ValueParser<"sync", States> = {
  mode: "sync",
  metavar: "STATE",
  placeholder: [],
  parse(input) {
    if (input === "trouble") return { success: true, value: input };
    const states = input.split(",");
    const wrong = states.find((state) => !STATES.includes(state as typeof STATES[number]));
    if (wrong === undefined) return { success: true, value: states as typeof STATES[number][] };
    const nearest = nearestKey(wrong, [...STATES, "trouble"]);
    const meant = nearest === undefined ? `Use ${STATES.join(", ")} or trouble.` : `Did you mean "${nearest}"?`;
    return { success: false, error: plain(`Unknown state "${wrong}". ${meant}`) };
  },
  format: (states) => typeof states === "string" ? states : states.join(","),
  *suggest(prefix) {
    for (const text of [...STATES, "trouble"]) if (text.startsWith(prefix)) yield { kind: "literal", text };
  },
};

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
    failed: flag("--failed", "Only failed deliveries, with the reason"),
    job: given("--job", nameValue("JOB", "JOB"), "Only this job"),
    destination: given("--destination", nameValue("DEST", "DEST"), "Only this destination"),
    search: given("--search", text("TEXT"), "Only paths that contain this text, ignoring case"),
    target: given("--target", text("TEXT"), "Only images of this object, as named in their headers; - for none"),
    filter: given("--filter", text("TEXT"), "Only images taken through this filter, as named in their headers; - for none"),
    state: given(
      "--state",
      statesValue,
      "Only these states, separated by commas: queued, sending, deferred, delivered, failed; or trouble",
    ),
    sort: given(
      "--sort",
      choice(["queued_at", "delivered_at", "path", "size"], { metavar: "KEY" }),
      "Sort by queued_at (default), delivered_at, path or size, ascending",
    ),
    order: given("--order", choice(["asc", "desc"]), "asc, or desc to reverse the order"),
    limit: given(
      "--limit",
      integer({ metavar: "N", min: 1 }),
      "Only the newest N; with --sort or --order, the first N (default: 100; with --json or --csv, all)",
    ),
    offset: given("--offset", integer({ metavar: "N", min: 0 }), "Skip the first N of these"),
    json: jsonOption,
    csv: flag("--csv", "Print CSV"),
  }),
  async run(input, tools) {
    if (input.json && input.csv) return refused("Use --json or --csv, not both.", tools);
    if (input.failed && input.state !== undefined) {
      return refused("Use --failed or --state, not both: --failed means --state trouble.", tools);
    }
    const isFailed = input.failed || input.state === "trouble";
    const { settings: { stateDirectory, jobs }, fault } = await settingsMeant(input.config, tools);
    if (fault !== null) tools.stderr(`Warning: ${failureText(fault).text}\n`);
    using ledger = tools.readLedger(stateDirectory, notices(tools));
    const { job, destination, search, target, filter } = input;
    const places = ledger.places();
    if (job !== undefined) checkName("job", job, [...jobs.map(({ name }) => name), ...places.map(({ job }) => job)]);
    if (destination !== undefined) {
      const configured = jobs.flatMap((job) => job.destinations.map(({ name }) => name));
      checkName("destination", destination, [...configured, ...places.map(({ destination }) => destination)]);
    }
    const night = nightOf(input.night, ledger);
    const states = input.state === "trouble" ? undefined : input.state;
    const query: DeliveryQuery = { job, destination, search, target, filter, night, trouble: isFailed, states };
    const isData = input.json || input.csv;
    const { rows, left } = rowsOf(ledger, query, { ...input, limit: input.limit ?? (isData ? Infinity : FOR_PEOPLE) });
    const empty = night === undefined ? null : emptyNight(night, "history", ledger);
    if (empty !== null) tools.stderr(empty);
    const notSent = isFailed ? await notSentNow(query, stateDirectory, tools) : [];
    let printed = 0;
    const print = (line: (delivery: DeliveryJson) => string) => {
      for (const some of chunks(rows, AT_ONCE)) {
        tools.stdout(some.map((row) => line(deliveryJson(row))).join(""));
        printed += some.length;
      }
    };
    if (input.json) {
      let before = "[";
      print((delivery) => {
        const text = `${before}\n  ${JSON.stringify(delivery)}`;
        before = ",";
        return text;
      });
      tools.stdout(printed === 0 ? "[]\n" : "\n]\n");
    } else if (input.csv) {
      tools.stdout(CSV_HEAD);
      print(csvLine);
    } else {
      const columns = columnsOf(tools);
      print((delivery) => historyLine(delivery, columns));
      if (left > 0 && input.limit === undefined) {
        const what = input.sort !== undefined || input.order !== undefined ? "more" : "older ones";
        tools.stderr(`${left} ${what} are not shown: --limit N shows more.\n`);
      }
      if (printed === 0 && empty === null && !notSent?.length) {
        tools.stderr(isFailed ? "Nothing failed.\n" : "Nothing found.\n");
      }
    }
    // Files that were never admitted have no delivery, so night and destination do not filter them. JSON and CSV keep their shape.
    if (notSent === null && !isData) {
      tools.stderr("No daemon is running, so files that are incomplete or would be rejected are not listed.\n");
    }
    if (notSent !== null && notSent.length > 0) {
      const count = notSent.length === 1 ? "1 file is" : `${notSent.length} files are`;
      tools.stderr(`${count} not sent, incomplete or rejected${isData ? ": image-transfer status --json names them" : ""}.\n`);
      const lines = isData ? [] : notSentLines(notSent, columnsOf(tools), FOR_PEOPLE);
      if (lines.length > 0) tools.stdout(lines.map((line) => `${line}\n`).join(""));
    }
    return EXIT.done;
  },
});

const FOR_PEOPLE = 100;
const AT_ONCE = 500;
/** How many are read at a time where each page sorts anew. */
const SORTED_AT_ONCE = 10_000;

/** The rows that are asked for, and how many are left behind them: the newest `limit`, the newest last; of an order, the first. */
function rowsOf(
  ledger: Pick<History, "query" | "each" | "count">,
  query: DeliveryQuery,
  { sort, order, limit, offset = 0 }: Order,
): { readonly rows: Iterable<DeliveryRow>; readonly left: number } {
  const total = Math.max(0, ledger.count(query) - offset);
  const shown = Math.min(total, limit);
  const left = total - shown;
  if (sort !== undefined || order !== undefined) {
    const ordered = { ...query, sort: sort ?? "queued_at", descending: order === "desc" };
    const pages = function* () {
      for (let at = 0; at < shown; at += SORTED_AT_ONCE) {
        yield* ledger.query({ ...ordered, offset: offset + at, limit: Math.min(SORTED_AT_ONCE, shown - at) });
      }
    };
    return { rows: pages(), left };
  }
  if (shown > AT_ONCE) return { rows: Iterator.from(ledger.each(query)).take(total).drop(left), left };
  return { rows: ledger.query({ ...query, descending: true, limit: shown, offset }).toReversed(), left };
}

interface Order {
  readonly sort: "queued_at" | "delivered_at" | "path" | "size" | undefined;
  readonly order: "asc" | "desc" | undefined;
  readonly limit: number;
  readonly offset: number | undefined;
}

/** What was delivered and is no longer as it was. */
const LOST: ReadonlySet<string> = new Set(["gone", "damaged", "vanished"]);

/** The line, with its end; the path comes last. Longer than `columns`, it is wrapped. */
function historyLine(delivery: DeliveryJson, columns = Infinity): string {
  const { id, state, proof, size, destination, path, error, warning } = delivery;
  const time = localTime(Date.parse(delivery.delivered_at ?? delivery.queued_at));
  const proven = state === "delivered" ? proof ?? "unproven" : "";
  const fields = [
    String(id).padStart(6),
    time,
    (error !== null && LOST.has(error.code) ? error.code : state).padEnd(9),
    proven.padEnd(9),
    formatBytes(size).padStart(9),
    printable(destination),
    pathField(path),
  ];
  const lines = wrapped(fields.join("  "), columns, "", HANGING);
  const why = error === null ? "" : printable([error.message, error.hint].filter((part) => part !== "").join(". "));
  if (why !== "") lines.push(...wrapped(why, columns, HANGING, HANGING));
  if (warning !== null) lines.push(...wrapped(`Warning: ${printable(warning)}`, columns, HANGING, HANGING));
  return lines.map((line) => `${line}\n`).join("");
}

const HANGING = " ".repeat(8);
