/**
 * What a delivery becomes when a newer version of its file goes the same way before it was sent.
 *
 * @module
 */
import type { FailureRecord } from "../domain/failure.ts";

/** Listed, and no trouble: see `isTrouble`. */
export const SUPERSEDED: FailureRecord = {
  code: "superseded",
  next: "never",
  message: "A newer version of this file took its place before this one was sent",
  hint: "Nothing to do: the newer version is delivered in its stead.",
};
