/**
 * The three looks of a log line: plain text (`YYYY-MM-DD HH:MM:SS LEVEL message`, local time, so that
 * `grep $(date +%F)` works), JSON lines, and colours for a terminal.
 *
 * @module
 */
import { localTime } from "../domain/local_time.ts";
import { type LogRecord, sanitizeControlSequences } from "@logtape/logtape";
import { bold, cyan, dim, green, red, yellow } from "@std/fmt/colors";
import { printable } from "../domain/names/printable.ts";

/**
 * `2026-11-21 04:12:07 INFO Successfully transferred /data/a.fits`; where the destination is named, before the phrase:
 * `… INFO [freya] Successfully transferred /data/a.fits`. Scripts read the last field as the path.
 */
export function textLine(record: LogRecord, namesDestinations: boolean): string {
  const { destination } = record.properties;
  const message = messageOf(record);
  const named = namesDestinations && typeof destination === "string" && PHRASE.test(message);
  const name = named ? `[${printable(destination)}] ` : "";
  return `${localTime(record.timestamp)} ${LEVELS[record.level]} ${name}${message}\n${stackOf(record)}`;
}

/** One JSON object: `time` (ISO 8601, UTC), `level`, `message`, and the fields of the event. */
export function jsonLine(record: LogRecord): string {
  const { error, ...fields } = record.properties;
  const stack = error instanceof Error ? { stack: error.stack ?? error.message } : {};
  return JSON.stringify({
    time: new Date(record.timestamp).toISOString(),
    level: LEVELS[record.level],
    message: messageOf(record),
    ...fields,
    ...stack,
  }) + "\n";
}

/** The text line in colours, the time without its date; of what was delivered also where to. */
export function prettyLine(record: LogRecord): string {
  const message = messageOf(record);
  const { destination } = record.properties;
  const text = ARRIVED.test(message)
    ? `${green("✓")} ${message}${typeof destination === "string" ? dim(` → ${printable(destination)}`) : ""}`
    : `${MARKS[record.level]()} ${record.level === "debug" || record.level === "trace" ? dim(message) : message}`;
  return `${dim(localTime(record.timestamp).slice(11))} ${text}\n${stackOf(record)}`;
}

function messageOf(record: LogRecord): string {
  return record.message.map((part) => typeof part === "string" ? part : printable(String(part))).join("");
}

/** The stack of an internal error; what a person can act on has none. */
function stackOf(record: LogRecord): string {
  const { error } = record.properties;
  if (!(error instanceof Error) || error.name === "Failure") return "";
  return `${(error.stack ?? error.message).split("\n").map((line) => `    ${sanitizeControlSequences(line)}`).join("\n")}\n`;
}

const ARRIVED = /^(?:Successfully transferred|Already at the destination, verified:) /;
const PHRASE = /^(?:Successfully transferred|Already at the destination, verified:|Failed to transfer) /;
const LEVELS: Readonly<Record<LogRecord["level"], string>> = {
  trace: "TRACE",
  debug: "DEBUG",
  info: "INFO",
  warning: "WARNING",
  error: "ERROR",
  fatal: "ERROR",
};
const MARKS: Readonly<Record<LogRecord["level"], () => string>> = {
  trace: () => dim("·"),
  debug: () => dim("·"),
  info: () => cyan("•"),
  warning: () => yellow("!"),
  error: () => bold(red("✗")),
  fatal: () => bold(red("✗")),
};
