/**
 * Failures that are no trouble, see `isTrouble`: a newer version of the file went the same way before this one was sent, it was
 * left alone on purpose, or it is known to be gone.
 *
 * @module
 */
import type { FailureRecord } from "../domain/failure.ts";

/** Their codes, for SQL. */
export const NO_TROUBLE = "('superseded', 'skipped', 'gone')";

/** Listed, and no trouble: see `isTrouble`. */
export const SUPERSEDED: FailureRecord = {
  code: "superseded",
  next: "never",
  message: "A newer version replaced this one before it was sent",
  hint: "Nothing to do: the newer version is delivered instead.",
};
