/**
 * Files that are large and still being written: outboxes send them meanwhile. Whether they are finished is none of its business.
 *
 * @module
 */
import type { GrowingFile } from "../../domain/growing_file.ts";
import { absolute, type SettleContext } from "../intake_context.ts";
import { isGivenUp } from "./candidate.ts";

/** Of the candidates of a job; one that was never seen to grow is not among them before it is sent anyway. */
export function growingFiles(context: Pick<SettleContext, "job" | "system" | "candidates">): GrowingFile[] {
  const { job: { growingFiles }, system, candidates } = context;
  if (growingFiles === null) return [];
  const now = system.monotonic();
  return [...candidates.all()].filter((candidate) => !isGivenUp(candidate) && candidate.facts.size >= growingFiles.minBytes)
    .map(({ facts: { path, identity, size }, grownAt }): GrowingFile => ({
      ...{ path, identity, size },
      absolutePath: absolute(context, path),
      stalled: grownAt === null || now - grownAt >= growingFiles.timeoutMs,
    }));
}
