/**
 * One line that says what a command is waiting for, so that it never looks as if it did nothing: `run --once` for files that are not finished
 * yet (on a terminal updated continuously, elsewhere once a minute), others for the destination that they ask.
 */
import type { Job } from "../../config/settings.ts";
import { pathField, printable } from "../../domain/names/printable.ts";
import { span } from "../../domain/words.ts";
import type { Waiting } from "../../intake/settle/candidate.ts";
import { absolutePathOf } from "../../intake/source_path.ts";
import type { System } from "../../system/system.ts";
import type { Tools } from "../command.ts";

/** The files of a job that are not sent yet, as reported by its intake. */
export interface Unsettled {
  readonly job: Pick<Job, "watchPath" | "incompleteAfterMs">;
  readonly files: readonly Waiting[];
}

export interface WaitingOutput {
  /** True if {@linkcode WaitingOutput.show} replaces the previous line: on a terminal. */
  readonly isLive: boolean;
  /** One line without a line break; null if nothing is waited for. */
  readonly show: (line: string | null) => void;
}

/** Checks `unsettled()` until the signal is aborted, and prints what is waited for. */
export async function sayWaiting(
  unsettled: () => readonly Unsettled[],
  output: WaitingOutput,
  system: Pick<System, "facts" | "now" | "monotonic" | "sleep" | "separator">,
  signal: AbortSignal,
): Promise<void> {
  let told = -Infinity;
  while (!signal.aborted) {
    const text = await waitingText(unsettled(), system);
    const isDue = output.isLive || (text !== null && system.monotonic() - told >= AGAIN_MS);
    if (isDue && !signal.aborted) {
      output.show(text);
      told = system.monotonic();
    }
    await system.sleep(LOOK_MS, signal);
  }
  if (output.isLive) output.show(null);
}

/** `Waiting for half.fits: 200000 of 529920 bytes, 3 min at most`; null if nothing has been waited for long. */
export async function waitingText(
  all: readonly Unsettled[],
  system: Pick<System, "facts" | "now" | "separator">,
): Promise<string | null> {
  const now = system.now();
  const long = all.flatMap(({ job, files }) => files.map((file) => ({ job, file })))
    .filter(({ file }) => file.reason !== "incomplete" && file.reason !== "refused" && now - file.since >= LONG_MS)
    .sort((a, b) => a.file.since - b.file.since);
  const [first] = long;
  if (first === undefined) return null;
  const { job: { watchPath, incompleteAfterMs }, file: { path, reason, size, declared } } = first;
  let atMost = "";
  if (UNFINISHED.has(reason)) {
    // How long until it is listed as incomplete; unknown if the file cannot be checked.
    const facts = await system.facts(absolutePathOf(watchPath, path, system.separator)).catch(() => null);
    const left = facts === null ? NaN : incompleteAfterMs - (system.now() - Math.max(facts.mtimeMs, facts.ctimeMs));
    // Even if a clock is ahead or was set back.
    const ms = Math.min(incompleteAfterMs, Math.max(0, left));
    if (facts !== null) atMost = `, ${span(Math.ceil(ms / 1000) * 1000)} at most unless it keeps growing`;
  }
  const bytes = declared === null ? `${size} bytes so far` : `${size} of ${declared} bytes`;
  const what = {
    "writer open": "a program is still writing it",
    checking: "its contents are being checked",
    marker: `its marker file is missing${atMost}`,
    short: bytes + atMost,
    growing: bytes + atMost,
  }[reason as string] ?? "it may still change";
  const more = long.length > 1 ? `; and for ${long.length - 1} more` : "";
  return `Waiting for ${pathField(path)}: ${what}${more}`;
}

/** What is listed as incomplete after some time. */
const UNFINISHED: ReadonlySet<string> = new Set<Waiting["reason"]>(["marker", "short", "growing"]);

/** Most files are finished sooner and need no line. */
const LONG_MS = 3_000;
const LOOK_MS = 1_000;
/** Where lines are not replaced, as in a log. */
const AGAIN_MS = 60_000;

/** One destination that is being checked. Shows nothing during the first second, or if standard error is not a terminal. */
export function askingLine(
  destination: string,
  { system, stderr }: Pick<Tools, "stderr"> & {
    readonly system: Pick<Tools["system"], "isTerminal" | "columns" | "monotonic" | "sleep">;
  },
) {
  const closed = new AbortController();
  let progress = "connecting";
  let since = system.monotonic();

  const drawing = (async () => {
    if (!system.isTerminal("stderr")) return;
    for (let drawn = false;; drawn = true) {
      await system.sleep(DRAW_EVERY_MS, closed.signal);
      if (closed.signal.aborted) return drawn ? stderr(WIPE) : undefined;
      const seconds = Math.floor((system.monotonic() - since) / 1000);
      const silence = seconds >= LONG_S ? `, waiting for an answer for ${seconds} s` : "";
      const line = `${printable(destination)}: ${progress}${silence}`;
      stderr(`${WIPE}${line.slice(0, (system.columns() ?? 80) - 1)}`);
    }
  })();

  return {
    /** Says how far it is. */
    heard(now: string): void {
      progress = now;
      since = system.monotonic();
    },
    /** Removes the line. */
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
