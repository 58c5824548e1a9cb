/**
 * Whether it was the source that kept a file from being sent. What a copy or a tool says does not tell, since it touches
 * both sides: so the source is looked at.
 *
 * @module
 */
import type { Failure } from "../domain/failure.ts";
import { sourceFailure, sourceFailureOf } from "../system/source_failure.ts";
import type { Files } from "../system/system.ts";

/** A Failure where the source cannot be read; null where it can. `whole` reads all of it, as after an error of a disk. */
export async function sourceFault(
  source: string,
  whole: boolean,
  system: Pick<Files, "followedFacts" | "read" | "hash">,
  signal: AbortSignal,
): Promise<Failure | null> {
  try {
    const facts = await system.followedFacts(source);
    if (facts === null) return sourceFailureOf("not_found", source);
    if (facts.kind !== "file") return sourceFailureOf("is_a_folder", source);
    await system.read(source, 0, 1);
    if (whole) await system.hash(source, signal);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    return sourceFailure(error, source);
  }
}
