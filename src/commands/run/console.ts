/** What a running daemon shows: its log, in the file and on the console, and on a terminal a progress bar below it. */
import type { LogSettings } from "../../config/settings.ts";
import type { TransferEvent } from "../../domain/transfer_event.ts";
import { board } from "../../events/board.ts";
import { type Log, openLog } from "../../events/log.ts";
import { trackProgress } from "../../events/progress.ts";
import type { Tools } from "../command.ts";
import type { WaitingOutput } from "../text/waiting_for.ts";

export type Console = Awaited<ReturnType<typeof openConsole>>;

const DRAW_EVERY_MS = 250;

/**
 * The log of one daemon, in its file and on standard error. Never throws for a log that cannot be written: that is said on standard
 * error. Disposing of it writes what waits.
 */
export async function openConsole(first: LogSettings, { system, stderr }: Tools) {
  const pretty = system.isTerminal("stderr");
  const lower = pretty ? board(stderr, () => system.columns() ?? 80) : null;
  let gathered = "";
  // What comes at the same time is written together: a batch that arrives is hundreds of lines.
  const gather = (text: string) => {
    if (gathered === "") {
      queueMicrotask(() => {
        stderr(gathered);
        gathered = "";
      });
    }
    gathered += text;
  };
  const output = { pretty, write: lower?.line ?? gather };
  const open = (settings: LogSettings): Promise<Log> =>
    openLog(settings, output, system, (message) => write(settings.format, message, "WARNING"));
  const write = (format: LogSettings["format"], message: string, level: "INFO" | "WARNING" | "ERROR") => {
    const time = new Date(system.now()).toISOString();
    output.write(format === "json" ? `${JSON.stringify({ time, level, message })}\n` : `${message}\n`);
  };
  const progress = trackProgress();
  const closed = new AbortController();
  let below = "";
  let settings = first;
  let log = await open(first);
  const drawing = (async () => {
    while (lower && !closed.signal.aborted) {
      await system.sleep(DRAW_EVERY_MS, closed.signal);
      const ends = closed.signal.aborted;
      lower.draw(ends ? [] : progress.running(system.now()), ends ? "" : below);
    }
  })();

  return {
    /** Hears the event stream. */
    listen(event: TransferEvent): void {
      progress.listen(event);
      log.listen(event);
    },
    /** What is being waited for: below the bars on a terminal, elsewhere a line for each call. */
    waiting: {
      isLive: pretty,
      show(line) {
        if (pretty) below = line ?? "";
        else if (line !== null) write(settings.format, line, "INFO");
      },
    } satisfies WaitingOutput,
    /** Writes a line that does not come from the event stream, in the format of the log. */
    say: (message: string, level: "INFO" | "WARNING" | "ERROR" = "INFO") => write(settings.format, message, level),
    /** Goes on with other settings. */
    async adopt(next: LogSettings): Promise<void> {
      if (JSON.stringify(next) === JSON.stringify(settings)) return;
      settings = next;
      await log[Symbol.asyncDispose]();
      log = await open(next);
    },
    async [Symbol.asyncDispose]() {
      closed.abort();
      await drawing;
      await log[Symbol.asyncDispose]();
    },
  };
}
