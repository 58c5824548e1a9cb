/** `report --json` and what a webhook is sent: a shape that scripts depend on. */
import type { Headline } from "../overview/status_json.ts";
import type { FrameGaps } from "./frame_gaps.ts";
import type { NotPickedUp } from "./not_picked_up.ts";

/** Sizes in bytes, times ISO 8601 in UTC. A shape that scripts may depend on. */
export interface MorningReport {
  readonly night: string;
  readonly made_at: string;
  readonly all_well: boolean;
  /** How it is at this moment, in the words of the page and of `status`; null where no daemon runs to tell. */
  readonly headline: Headline | null;
  /** What was not taken included. */
  readonly seen: { readonly files: number; readonly bytes: number };
  readonly not_taken: NotPickedUp;
  /** Files that were sent as they are although something is wrong with them; the first hundred. They spoil no night. */
  readonly flagged: {
    readonly count: number;
    readonly files: readonly { readonly job: string; readonly path: string; readonly message: string }[];
  };
  readonly destinations: readonly ReportDestination[];
  /** What audits found, of all nights: for each destination that is audited, or has lost files. */
  readonly audits: readonly ReportAudit[];
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

/** The audit of a destination that runs, or the last one. */
export interface ReportAudit {
  readonly job: string;
  readonly name: string;
  /** When it began; null before the first. */
  readonly begun_at: string | null;
  /** Files hashed again, and how many were other bytes than delivered, perhaps on purpose, or unreadable. */
  readonly checked: number;
  readonly changed: number;
  readonly unreadable: number;
  readonly sent_again: number;
  /** Delivered files that are damaged there, or have vanished, as far as is known now. */
  readonly damaged: number;
  readonly vanished: number;
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
