/** Whether a destination takes files just now, and if not, why and until when. */
import type { FailureRecord } from "./failure.ts";

/** Times in milliseconds since 1970 UTC. */
export type DestinationState =
  | { readonly state: "open" }
  | { readonly state: "backing_off"; readonly until: number; readonly failure: FailureRecord }
  | { readonly state: "on_hold"; readonly failure: FailureRecord; readonly until: number }
  | { readonly state: "paused"; readonly by: string }
  /** By the schedule of its job; `until` is when that next sends, null if only a person knows. */
  | { readonly state: "closed"; readonly until: number | null };

/** What is to become of the files that were delivered to a former disk: they are sent again, or stay on that disk only. */
export type FormerFiles = "send_again" | "keep";
