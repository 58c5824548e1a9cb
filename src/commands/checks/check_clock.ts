/**
 * The clock of a destination, read from the folder that `doctor` has just made there: no question of its own.
 *
 * @module
 */
import type { Session } from "../../methods/method.ts";
import type { System } from "../../system/system.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** Beyond this, times that were made here and there must not be compared. */
const MOST_MS = 2_000;

/** By how much the clock of a destination is ahead of this computer's for certain; negative where it is behind. */
export function clockAhead(there: number, before: number, after: number): number {
  // Many servers tell whole seconds: it was any moment of that second.
  const latest = there % 1000 === 0 ? there + 999 : there;
  if (there > after) return there - after;
  return latest < before ? latest - before : 0;
}

/** Nothing where the destination does not tell. `folder` was made there between two moments of this computer's clock. */
export async function checkClock(
  session: Pick<Session, "modifiedAt">,
  folder: string,
  made: { readonly before: number; readonly after: number },
  about: string,
  signal: AbortSignal,
): Promise<Finding[]> {
  const there = await session.modifiedAt(folder, signal);
  if (there === null) return [];
  const ahead = clockAhead(there, made.before, made.after);
  if (Math.abs(ahead) <= MOST_MS) return [ok(about, "Its clock agrees with this computer's")];
  const seconds = Math.round(Math.abs(ahead) / 1000);
  return [warning(
    about,
    `Its clock is ${seconds} s ${ahead > 0 ? "ahead of" : "behind"} this computer's`,
    "Synchronise both with NTP: an audit tells damage from edits by file times, and files made there get wrong ages and nights.",
  )];
}

/** The moments around making the folder. */
export async function around<T>(
  system: Pick<System, "now">,
  make: () => Promise<T>,
): Promise<{ readonly result: T; readonly before: number; readonly after: number }> {
  const before = system.now();
  const result = await make();
  return { result, before, after: system.now() };
}
