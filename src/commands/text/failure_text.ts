/** What is printed when a command ends with an error, and its exit code. */
import { ConfigError } from "../../config/read/parse_settings.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { faultOf } from "../../system/fault.ts";

/** Exit code of a command that a person interrupted, as shells have it. */
export const INTERRUPTED = 130;

/** The lines for standard error (they end with a line break) and the exit code. */
interface FailureText {
  readonly text: string;
  readonly code: number;
}

/**
 * A `Failure`, or an error of the operating system, as a sentence; anything else is an internal error and keeps its stack.
 * Once `signal` is aborted, steps that end because of it are not errors.
 */
export function failureText(thrown: unknown, signal?: AbortSignal): FailureText {
  const fault = faultOf(thrown);
  if (signal?.aborted && fault === "aborted") return { text: "Interrupted.\n", code: INTERRUPTED };
  if (thrown instanceof ConfigError) return { text: `${thrown.message}\n`, code: EXIT.usage };
  if (thrown instanceof Failure) {
    const hint = thrown.hint === "" ? "" : `${printable(thrown.hint)}\n`;
    return {
      text: `${printable(thrown.message)}\n${hint}`,
      code: thrown.code === "configuration" ? EXIT.usage : EXIT.notDelivered,
    };
  }
  if (thrown instanceof Error && fault !== "other" && fault !== "aborted") {
    // `Cannot open "/data": Permission denied` of `Permission denied (os error 13): open '/data'`.
    const [, reason, call, path] = /^(.*?)\.? \(os error \d+\)(?:: (\w+) '(.*)')?$/s.exec(thrown.message) ?? [];
    const text = call === undefined
      ? `The operating system reports: ${reason ?? thrown.message}`
      : `Cannot ${CALLS[call] ?? call} "${path}": ${reason}`;
    return { text: `${printable(text)}\n`, code: EXIT.notDelivered };
  }
  const stack = thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown);
  return { text: `Internal error, please report it:\n${stack}\n`, code: EXIT.notDelivered };
}

const CALLS: Readonly<Record<string, string>> = { stat: "access", lstat: "access", readdir: "list", mkdir: "create the folder" };

export const EXIT = { done: 0, notDelivered: 1, usage: 2, otherInstance: 3, noDaemon: 4 } as const;
