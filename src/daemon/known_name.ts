/** Names of jobs and destinations that a person gives: an unknown one is an error, never an empty answer. */
import { nearestKey } from "../domain/names/nearest_key.ts";
import { Failure } from "../domain/failure.ts";

/** @throws {Failure} `configuration` with the most similar known name, and all of them, if this is not one of them. */
export function checkName(what: "job" | "destination", given: string, known: readonly string[]): void {
  if (known.includes(given)) return;
  const names = [...new Set(known)];
  const nearest = nearestKey(given, names);
  const meant = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
  throw new Failure("configuration", `Unknown ${what} "${given}"${meant}`, { hint: `Known ${what}s: ${names.join(", ")}.` });
}
