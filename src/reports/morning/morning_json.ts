/**
 * `report --json` and what a webhook is sent: a shape that scripts depend on.
 *
 * @module
 */
import type { FrameGaps } from "./frame_gaps.ts";
import type { NotPickedUp } from "./not_picked_up.ts";

/** Sizes in bytes, times ISO 8601 in UTC. A shape that scripts may depend on. */
export interface MorningReport {
  readonly night: string;
  readonly made_at: string;
  readonly all_well: boolean;
  /** What was not taken included. */
  readonly seen: { readonly files: number; readonly bytes: number };
  readonly not_taken: NotPickedUp;
  /** Files that were sent as they are although something is wrong with them; the first hundred. They spoil no night. */
  readonly flagged: {
    readonly count: number;
    readonly files: readonly { readonly job: string; readonly path: string; readonly message: string }[];
  };
  readonly destinations: readonly ReportDestination[];
  readonly gaps: readonly FrameGaps[];
  /** From finished to proven; the ten slowest. */
  readonly slowest: readonly {
    readonly job: string;
    readonly path: string;
    readonly destination: string;
    readonly seconds: number;
  }[];
  /** Deliveries that are not done. */
  readonly undelivered_count: number;
  /** The first hundred of them, and why. */
  readonly undelivered: readonly {
    readonly id: number;
    readonly job: string;
    readonly path: string;
    readonly destination: string;
    readonly state: string;
    readonly message: string;
    readonly hint: string;
  }[];
}

/** A night at one destination. `bytes` are those delivered. */
export interface ReportDestination {
  readonly job: string;
  readonly name: string;
  readonly expected: number;
  readonly delivered: number;
  readonly proven: number;
  readonly bytes: number;
  /** Delivered files that a newer version of the same name took the place of. */
  readonly replaced: number;
  /** The other delivered files that are there now; null if the destination is unavailable. */
  readonly present: number | null;
  /** True if they were hashed again; otherwise only their sizes were compared. */
  readonly hashed: boolean;
  /** Delivered files that are missing or differ. */
  readonly wrong_count: number;
  /** The first hundred of them. */
  readonly wrong: readonly { readonly path: string; readonly target: string; readonly reason: string }[];
  /** Why it cannot be asked. */
  readonly problem: string | null;
}
