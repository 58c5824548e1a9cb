/**
 * Decides what to do where a target has something already: take it for delivered if it is proven equal, send all
 * the same, or leave it alone as the conflict policy says.
 *
 * @module
 */
import { Failure, type FailureRecord, failureRecord } from "../../domain/failure.ts";
import type { ConflictPolicy } from "../../config/settings.ts";
import type { Digest } from "../../domain/receipt.ts";
import type { Stat } from "../../methods/method.ts";

/** What becomes of a delivery whose target may be taken. */
export type Decision =
  /** The same bytes are there: nothing to send. */
  | { readonly decision: "adopt"; readonly found: Digest }
  | { readonly decision: "send" }
  | { readonly decision: "refuse"; readonly failure: FailureRecord };

/** What stands at the target and, if it was worth hashing, its digest; `sent` is the source's. */
export interface Existing {
  readonly target: string;
  readonly stat: Stat | null;
  readonly found: Digest | null;
  readonly sent: { readonly bytes: number; readonly sha256: string | null };
}

/** True where only a hash can tell whether the target is the file itself. */
export function worthHashing(stat: Stat | null, bytes: number): boolean {
  return stat !== null && stat.kind === "file" && stat.bytes === bytes;
}

/** `refuse` carries `exists` (a folder, or `on_conflict: fail`) or `skipped` (`on_conflict: skip`). */
export function decideExisting(existing: Existing, policy: ConflictPolicy): Decision {
  const { stat, found, sent, target } = existing;
  if (stat === null) return { decision: "send" };
  if (stat.kind === "folder") return refuse("exists", `a folder has the name "${target}"`);
  if (found && sent.sha256 !== null && found.bytes === sent.bytes && found.sha256 === sent.sha256) {
    return { decision: "adopt", found };
  }
  switch (policy) {
    case "version":
    case "overwrite":
      return { decision: "send" };
    case "skip":
      return refuse("skipped", "a different file exists there and on_conflict is skip");
    case "fail":
      return refuse("exists", "a different file exists there and on_conflict is fail");
  }
  policy satisfies never;
}

function refuse(code: "exists" | "skipped", reason: string): Decision {
  return { decision: "refuse", failure: failureRecord(new Failure(code, reason, { hint: HINTS[code] })) };
}

const HINTS = {
  exists: "Rename or remove the existing file, then retry. on_conflict: version keeps both.",
  skipped: "Nothing was changed there. on_conflict: version keeps both.",
};
