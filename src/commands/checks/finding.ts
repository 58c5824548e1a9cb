/** What `doctor` finds: one line each, with the fix where something is wrong. */
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

/** A finding before it is said what it is about. */
export type Remark = Omit<Finding, "about">;

/** What is looked at that belongs to no job. */
export const HERE = "this computer";

/** The findings that these remarks are, in the order of keys that scripts know. */
export function findingsAbout(about: string, remarks: readonly Remark[]): Finding[] {
  return remarks.map(({ level, what, hint, code }) => ({ level, about, what, hint, code }));
}

/** Nothing needs to be done. */
export function ok(what: string): Remark {
  return { level: "ok", what, hint: "", code: null };
}

/** `hint` says what a person may do about it. */
export function warning(what: string, hint: string): Remark {
  return { level: "warning", what, hint, code: null };
}

/** What an error that was thrown says. */
export function fault(thrown: unknown): Remark {
  const { message, hint, code } = failureRecord(thrown);
  return { level: "fault", what: message, hint, code };
}

/** A finding as people read it: a mark, the matter, and below it the fix. */
export function findingText({ level, what, hint }: Finding): string {
  const mark = level === "ok" ? green("✓") : level === "warning" ? yellow("!") : bold(red("✗"));
  const lines = what.split("\n").map(printable).join("\n    ");
  return `  ${mark} ${lines}\n${hint === "" ? "" : `    ${dim(`→ ${printable(hint)}`)}\n`}`;
}
