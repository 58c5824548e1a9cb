/**
 * The line that says, on a terminal, which destination is being asked and how far that is: a host that does not answer must not
 * look like a command that does nothing.
 *
 * @module
 */
import { printable } from "../../domain/names/printable.ts";
import type { Tools } from "../command.ts";

/** One destination that is being asked. Disposing of it takes the line away. */
export interface AskingLine extends AsyncDisposable {
  /** Something has come: how far it is now. */
  heard(progress: string): void;
}

/** Shows nothing in the first second, or if standard error is not a terminal. */
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

/** Back to the first column, and the line away. */
export const WIPE = "\r\x1b[K";
const DRAW_EVERY_MS = 1_000;
const LONG_S = 3;
