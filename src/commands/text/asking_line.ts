/**
 * The line that says, on a terminal, which destination is being checked and the progress: a command that waits for a host must not look
 * as if it did nothing.
 *
 * @module
 */
import { printable } from "../../domain/names/printable.ts";
import type { Tools } from "../command.ts";

/** One destination that is being checked. Disposing of it removes the line. */
interface AskingLine extends AsyncDisposable {
  /** There is progress. */
  heard(progress: string): void;
}

/** Shows nothing during the first second, or if standard error is not a terminal. */
export function askingLine(
  destination: string,
  { system, stderr }: Pick<Tools, "stderr"> & {
    readonly system: Pick<Tools["system"], "isTerminal" | "columns" | "monotonic" | "sleep">;
  },
): AskingLine {
  const closed = new AbortController();
  let progress = "connecting";
  let since = system.monotonic();

  const draw = () => {
    const seconds = Math.floor((system.monotonic() - since) / 1000);
    const silence = seconds >= LONG_S ? `, waiting for an answer for ${seconds} s` : "";
    const line = `${printable(destination)}: ${progress}${silence}`;
    stderr(`${WIPE}${line.slice(0, (system.columns() ?? 80) - 1)}`);
  };
  const drawing = (async () => {
    if (!system.isTerminal("stderr")) return;
    for (let drawn = false;; drawn = true) {
      await system.sleep(DRAW_EVERY_MS, closed.signal);
      if (closed.signal.aborted) return drawn ? stderr(WIPE) : undefined;
      draw();
    }
  })();

  return {
    heard(now) {
      progress = now;
      since = system.monotonic();
    },
    async [Symbol.asyncDispose]() {
      closed.abort();
      await drawing;
    },
  };
}

/** Moves to the first column and clears the line. */
export const WIPE = "\r\x1b[K";
const DRAW_EVERY_MS = 1_000;
const LONG_S = 3;
