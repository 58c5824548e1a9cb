/** When destinations could be delivered to, and when the daemon ran: what plots shade and strips show. */
import type { DestinationState } from "../domain/delivery.ts";

/**
 * From `at` on, milliseconds since 1970 UTC. A destination's state holds until its next note, or the next `running`. The daemon's own
 * notes have no job and no destination; `lost`: it ended without a word, some time after the last thing that it recorded.
 */
export interface AvailabilityNote {
  readonly at: number;
  readonly job: string;
  readonly destination: string;
  readonly state: DestinationState["state"] | "running" | "stopped" | "lost";
}

/** Written as it happens. */
export interface AvailabilityLedger {
  noteState(job: string, destination: string, state: DestinationState["state"], at: number): void;
  /** The daemon runs: everything is open unless it is noted again. Forgets what is older than 90 days. */
  noteRunning(at: number): void;
  noteStopped(at: number): void;
}

/** Read by reports. */
export interface AvailabilityHistory {
  /** In order: what was noted in this time, after the last note before it of each destination, and of the daemon. */
  availability(from: number, to: number): AvailabilityNote[];
  /** When the last files were admitted, by job, newest first; of the last `limit` files of all jobs. */
  lastAdmitted(limit: number): { readonly job: string; readonly at: number }[];
}
