/**
 * What a person is told when a command ends with an error, and the exit code for it.
 *
 * @module
 */
import { ConfigError } from "../config/config_error.ts";
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/printable.ts";
import { EXIT } from "./command.ts";

/** The lines for standard error (they end with a line break) and the exit code. */
export interface FailureText {
  readonly text: string;
  readonly code: number;
}

/** A `Failure` in its own words; anything else is a fault of ours and keeps its stack. */
export function failureText(thrown: unknown): FailureText {
  if (thrown instanceof ConfigError) return { text: `${thrown.message}\n`, code: EXIT.usage };
  if (thrown instanceof Failure) {
    const hint = thrown.hint === "" ? "" : `${printable(thrown.hint)}\n`;
    return {
      text: `${printable(thrown.message)}\n${hint}`,
      code: thrown.code === "configuration" ? EXIT.usage : EXIT.notDelivered,
    };
  }
  const stack = thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown);
  return { text: `Internal error, please report it:\n${stack}\n`, code: EXIT.notDelivered };
}
