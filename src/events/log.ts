/**
 * The log: one stream of events and notices to a rotating file and the console, as plain text, JSON lines, or colours for a terminal. A log
 * that cannot be written is said on the console, once in a while, and never stops a delivery.
 */
import { getRotatingFileSink } from "@logtape/file";
import { configure, dispose, getLogger, type LogRecord, sanitizeControlSequences, type Sink } from "@logtape/logtape";
import { bold, cyan, dim, green, red, yellow } from "@std/fmt/colors";
import { join } from "@std/path";
import type { LogSettings } from "../config/settings.ts";
import { localTime } from "../domain/words.ts";
import { printable } from "../domain/names/printable.ts";
import { reasonOf } from "../domain/names/reason.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import type { System } from "../system/system.ts";
import { type LogLine, logLine } from "./log_line.ts";

const GATHER_MS = 500;
const MOST_GATHERED = 500;
const TELL_AGAIN_MS = 10 * 60_000;
const ARRIVED = /^(?:Successfully transferred|Already at the destination, verified:) /;
const PHRASE = /^(?:Successfully transferred|Already at the destination, verified:|Failed to transfer) /;
/** How a level is written, and marked in colours. */
const LEVELS: Readonly<Record<LogRecord["level"], readonly [name: string, mark: () => string]>> = {
  trace: ["TRACE", () => dim("·")],
  debug: ["DEBUG", () => dim("·")],
  info: ["INFO", () => cyan("•")],
  warning: ["WARNING", () => yellow("!")],
  error: ["ERROR", () => bold(red("✗"))],
  fatal: ["ERROR", () => bold(red("✗"))],
};

interface ConsoleOutput {
  write(text: string): void;
  /** Colours and bars, for a terminal. */
  readonly pretty: boolean;
}

/** One for the process, as LogTape has one configuration: a second one takes the place of the first. Disposing of it writes what waits. */
export interface Log extends AsyncDisposable {
  listen(event: TransferEvent): void;
  /** For what is no event. */
  write(line: LogLine): void;
}

/** Opens the log. If its folder cannot be created or its file not opened, `trouble` is called and only the console is written. */
export async function openLog(
  settings: LogSettings,
  output: ConsoleOutput | null,
  system: Pick<System, "makeFolder" | "sleep">,
  trouble: (message: string) => void,
): Promise<Log> {
  const plain = settings.format === "json" ? jsonLine : (record: LogRecord) => textLine(record, settings.namesDestinations);
  const file = await fileSink(settings, plain, system, trouble);
  const sinks: Record<string, Sink> = { trouble: troubleSink(settings, trouble, () => file?.reopen()) };
  if (output) {
    const format = output.pretty && settings.format !== "json" ? prettyLine : plain;
    sinks.console = (record) => output.write(format(record));
  }
  if (file) sinks.file = file;
  await configure({
    reset: true,
    sinks,
    loggers: [
      {
        category: ["image-transfer"],
        sinks: Object.keys(sinks).filter((name) => name !== "trouble"),
        lowestLevel: settings.level,
      },
      { category: ["logtape", "meta"], sinks: ["trouble"], lowestLevel: "warning" },
    ],
  });
  const logger = getLogger(["image-transfer"]);
  const write = (line: LogLine): void => {
    // LogTape reads braces in a message as placeholders; names may hold any.
    const message = line.message.replaceAll("{", "{{").replaceAll("}", "}}");
    logger[line.level](message, { ...line.fields, ...(line.error === undefined ? {} : { error: line.error }) });
  };
  return {
    write,
    listen(event) {
      const line = logLine(event, settings.level);
      if (line) write(line);
    },
    [Symbol.asyncDispose]: () => dispose(),
  };
}

async function fileSink(
  settings: LogSettings,
  formatter: (record: LogRecord) => string,
  system: Pick<System, "makeFolder" | "sleep">,
  trouble: (message: string) => void,
): Promise<FileSink | null> {
  const open = () =>
    getRotatingFileSink(logFileOf(settings), {
      formatter,
      maxSize: settings.maxBytes,
      maxFiles: settings.backupCount,
      nonBlocking: true,
      // Writes what it is handed at once, without a timer of its own.
      bufferSize: 1,
      flushInterval: 0,
    });
  try {
    await system.makeFolder(settings.directory);
    return gathered(open(), open, system);
  } catch (error) {
    trouble(`${cannotWrite(settings, error)}. Set log_directory to a folder that this account can write to.`);
    return null;
  }
}

/** `reopen` has the next line opened a file anew: LogTape writes nothing more to one that it could not rotate. */
type FileSink = Sink & AsyncDisposable & { readonly reopen: () => void };

/** Hands lines on together, a moment after the first of them: every write is flushed. An idle night has no timer that wakes the processor. */
function gathered(first: RotatingSink, open: () => RotatingSink, clock: Pick<System, "sleep">): FileSink {
  let sink = first;
  let isBroken = false;
  let waiting: LogRecord[] = [];
  const end = new AbortController();
  const write = (record: LogRecord) => {
    if (isBroken) sink = opened() ?? sink;
    sink(record);
  };
  const opened = (): RotatingSink | null => {
    try {
      const fresh = open();
      void closed(sink);
      isBroken = false;
      return fresh;
    } catch {
      // The folder is still not there: the sink that is broken reports what it loses.
      return null;
    }
  };
  const handOn = () => {
    const records = waiting;
    waiting = [];
    records.forEach(write);
  };
  const gather = (record: LogRecord) => {
    waiting.push(record);
    if (waiting.length === 1) void clock.sleep(GATHER_MS, end.signal).then(handOn);
    else if (waiting.length >= MOST_GATHERED) handOn();
  };
  return Object.assign(gather, {
    reopen: () => void (isBroken = true),
    async [Symbol.asyncDispose]() {
      end.abort();
      handOn();
      await closed(sink);
    },
  });
}

type RotatingSink = Sink & (Disposable | AsyncDisposable);

async function closed(sink: RotatingSink): Promise<void> {
  await using _sink = sink;
}

/** Learns from LogTape that lines did not reach the file (its disk is full, say): reported at once, then every ten minutes. */
function troubleSink(settings: LogSettings, trouble: (message: string) => void, onLoss: () => void): Sink {
  let toldAt = -Infinity;
  return ({ timestamp, properties }) => {
    onLoss();
    if (timestamp - toldAt < TELL_AGAIN_MS) return;
    toldAt = timestamp;
    trouble(
      `${cannotWrite(settings, properties["error"])}. Delivery continues; image-transfer history has what the log lacks.`,
    );
  };
}

function cannotWrite(settings: LogSettings, error: unknown): string {
  return `Cannot write the log file "${logFileOf(settings)}": ${reasonOf(error)}`;
}

export function logFileOf(settings: LogSettings): string {
  return join(settings.directory, settings.file);
}

/**
 * `2026-11-21 04:12:07 INFO Successfully transferred /data/a.fits`; where the destination is named, before the phrase:
 * `… INFO [freya] Successfully transferred /data/a.fits`. Scripts read the last field as the path.
 */
function textLine(record: LogRecord, namesDestinations: boolean): string {
  const { destination } = record.properties;
  const message = messageOf(record);
  const named = namesDestinations && typeof destination === "string" && PHRASE.test(message);
  const name = named ? `[${printable(destination)}] ` : "";
  return `${localTime(record.timestamp)} ${LEVELS[record.level][0]} ${name}${message}\n${stackOf(record)}`;
}

/** One JSON object: `time` (ISO 8601, UTC), `level`, `message`, and the fields of the event. */
function jsonLine(record: LogRecord): string {
  const { error, ...fields } = record.properties;
  const stack = error instanceof Error ? { stack: error.stack ?? error.message } : {};
  return JSON.stringify({
    time: new Date(record.timestamp).toISOString(),
    level: LEVELS[record.level][0],
    message: messageOf(record),
    ...fields,
    ...stack,
  }) + "\n";
}

/** The text line in colours, the time without its date; of what was delivered also where to. */
function prettyLine(record: LogRecord): string {
  const message = messageOf(record);
  const { destination } = record.properties;
  const text = ARRIVED.test(message)
    ? `${green("✓")} ${message}${typeof destination === "string" ? dim(` → ${printable(destination)}`) : ""}`
    : `${LEVELS[record.level][1]()} ${record.level === "debug" || record.level === "trace" ? dim(message) : message}`;
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
