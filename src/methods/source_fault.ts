/**
 * Whether it was the source that kept a file from being sent. What a copy or a tool says does not tell, since it touches
 * both sides: so the source is looked at.
 *
 * @module
 */
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import type { Files } from "../system/system.ts";
import { sourceFailure } from "./local/local_failures.ts";

/** A Failure where the source cannot be read; null where it can. `whole` reads all of it, as after an error of a disk. */
export async function sourceFault(
  source: string,
  whole: boolean,
  system: Pick<Files, "followedFacts" | "read" | "hash">,
  signal: AbortSignal,
): Promise<Failure | null> {
  try {
    const facts = await system.followedFacts(source);
    if (facts === null) {
      return new Failure("source_gone", `Cannot read "${printable(source)}": it no longer exists`, {
        hint: "It was removed or renamed before it could be sent.",
      });
    }
    if (facts.kind !== "file") {
      return new Failure("source_changed", `Cannot read "${printable(source)}": it is no longer a regular file`, {
        hint: "It is checked again.",
      });
    }
    await system.read(source, 0, 1);
    if (whole) await system.hash(source, signal);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    return sourceFailure(error, source);
  }
}
