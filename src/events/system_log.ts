/**
 * Start, stop and failures for the system's own log, where administrators look: Windows' Event Log, macOS' unified log, and syslog or the
 * journal on Linux. It never holds anything up, and a night full of failures does not fill it.
 */
import { deadline } from "../async/deadline.ts";
import { queue } from "../async/queue.ts";
import { isTrouble } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import type { System } from "../system/system.ts";
import { type LogLine, logLine } from "./log_line.ts";

type SystemLog = ReturnType<typeof systemLog>;

type Writing = Pick<System, "platform" | "run" | "monotonic" | "sleep">;

/**
 * Writes to it; disposing of it waits until everything is written. `trouble` is told once if the system's log cannot be written; it is tried
 * again ten minutes later.
 */
export function systemLog(system: Writing, trouble: (message: string) => void) {
  const lines = queue<LogLine>();
  const pace = paced(system);
  const ended = writeAll();

  async function writeAll(): Promise<void> {
    let told = false;
    let brokenAt = -Infinity;
    for await (const line of lines) {
      // What hangs must not keep the daemon from ending.
      if (system.monotonic() - brokenAt < SPAN_MS) continue;
      const problem = await write(line, system);
      if (problem !== null) brokenAt = system.monotonic();
      if (problem !== null && !told) {
        told = true;
        trouble(`Cannot write to the system's log: ${printable(problem)}. ${HINT[system.platform]}`);
      }
    }
  }

  return {
    listen(event: TransferEvent): void {
      const line = isForAdministrators(event) ? pace(logLine(event)) : null;
      if (line !== null) lines.push(line);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      lines.end();
      await ended;
    },
  };
}

const EVENT_SOURCE = ["/L", "APPLICATION", "/SO", "image-transfer"];

const HINT = {
  linux: "Install logger (bsdutils), or set system_log: false.",
  darwin: "To turn it off: system_log: false.",
  windows: "An administrator must create its source once: eventcreate /L APPLICATION /SO image-transfer /T INFORMATION " +
    '/ID 1 /D "image-transfer". To turn it off: system_log: false.',
} as const;

function isForAdministrators(event: TransferEvent): boolean {
  switch (event.type) {
    case "started":
    case "stopping":
    case "stopped":
    case "reload_refused":
    case "not_watching":
    case "refused":
      return true;
    case "failed":
      return event.delivery.state.state === "failed" && isTrouble(event.delivery.state.failure);
    case "destination":
      return event.now.state === "on_hold" && event.before.state !== "on_hold" ||
        event.now.state === "open" && event.before.state === "on_hold";
    case "notice":
      return event.level === "error";
    default:
      return false;
  }
}

/** So many lines in ten minutes; the next one after that says how many are left out. */
const MOST_LINES = 30;
const SPAN_MS = 10 * 60_000;

function paced({ monotonic }: Pick<System, "monotonic">): (line: LogLine | null) => LogLine | null {
  let [since, count, left] = [-Infinity, 0, 0];
  return (line) => {
    if (line === null) return null;
    if (monotonic() - since > SPAN_MS) [since, count] = [monotonic(), 0];
    if (line.level !== "info" && ++count > MOST_LINES) {
      left++;
      return null;
    }
    const message = left === 0 ? line.message : `${line.message} (${left} more failures are in image-transfer's log)`;
    left = 0;
    return { ...line, message };
  };
}

/** What one line may have: the Event Log takes 32,000 characters, and a command line of Windows about as many. */
const MOST_CHARACTERS = 2000;

/** Returns what went wrong; null where nothing did. */
async function write({ level, message }: LogLine, system: Writing): Promise<string | null> {
  const isError = level === "error" || level === "warning";
  // macOS shows no tag, and a text that begins with a slash or a hyphen must not be read as an option.
  const text = `${system.platform === "linux" ? "" : "image-transfer: "}${message}`.slice(0, MOST_CHARACTERS);
  const command = system.platform === "windows"
    ? {
      program: "eventcreate",
      args: [...EVENT_SOURCE, "/T", ...(isError ? ["ERROR", "/ID", "2"] : ["INFORMATION", "/ID", "1"]), "/D", text],
    }
    : { program: "logger", args: ["-t", "image-transfer", "-p", isError ? "daemon.err" : "daemon.info", "--", text] };
  using limit = deadline(PATIENCE_MS, system, new AbortController().signal);
  try {
    const { code, stdout, stderr } = await system.run(command, limit.signal);
    return code === 0 ? null : (stderr || stdout).trim() || `${command.program} failed with exit code ${code}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const PATIENCE_MS = 5_000;
