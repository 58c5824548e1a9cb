/**
 * Finds out of a candidate's content what {@linkcode settle} wants to know.
 *
 * @module
 */
import type { Candidate } from "./candidate.ts";
import { hasEmptyTail, inspectContent } from "./inspect_content.ts";
import type { JudgeTools } from "../judge_tools.ts";
import { lastPart } from "../patterns.ts";

/** The candidate with what was found. Errors of reading pass through. */
export async function lookInto(
  candidate: Candidate,
  what: "content" | "tail",
  absolutePath: string,
  tools: Pick<JudgeTools, "system" | "formats">,
  signal: AbortSignal,
): Promise<Candidate> {
  const { path, size } = candidate.facts;
  if (what === "tail") {
    const emptyTail = await hasEmptyTail(tools.system, absolutePath, size, candidate.verdict ?? { verdict: "undeclared" });
    return { ...candidate, emptyTail };
  }
  const findings = await inspectContent({ absolutePath, name: lastPart(path).toLowerCase(), size }, tools, signal);
  const declared = "declaredBytes" in findings.verdict ? findings.verdict.declaredBytes : null;
  return { ...candidate, ...findings, declared };
}
