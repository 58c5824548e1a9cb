/**
 * What `doctor` finds: one line each, with the fix where something is wrong.
 *
 * @module
 */
import { bold, dim, green, red, yellow } from "@std/fmt/colors";
import { failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";

/** `fault`: it cannot work like this. `warning`: it works, but a person should know about it. */
export interface Finding {
  readonly level: "ok" | "warning" | "fault";
  /** What was looked at: `this computer`, a job, a destination. */
  readonly about: string;
  readonly what: string;
  readonly hint: string;
  /** Code of the failure, for programs; null where there is none. */
  readonly code: string | null;
}

/** What is looked at that belongs to no job. */
export const HERE = "this computer";

/** Nothing needs to be done. */
export function ok(about: string, what: string): Finding {
  return { level: "ok", about, what, hint: "", code: null };
}

/** `hint` says what a person may do about it. */
export function warning(about: string, what: string, hint: string): Finding {
  return { level: "warning", about, what, hint, code: null };
}

/** The finding for an error that was thrown. */
export function fault(about: string, thrown: unknown): Finding {
  const { message, hint, code } = failureRecord(thrown);
  return { level: "fault", about, what: message, hint, code };
}

/** A finding as people read it: a mark, the matter, and below it the fix. */
export function findingText({ level, what, hint }: Finding): string {
  const mark = level === "ok" ? green("✓") : level === "warning" ? yellow("!") : bold(red("✗"));
  const lines = printableLines(what);
  return `  ${mark} ${lines}\n${hint === "" ? "" : `    ${dim(`→ ${printable(hint)}`)}\n`}`;
}

function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n    ");
}
