/**
 * The computers of a fleet, as they report to their PocketBase server.
 *
 * @module
 */

/** What a heartbeat tells besides its headline. Times ISO 8601 in UTC, sizes in bytes. */
export interface BeatReport {
  readonly started_at: string | null;
  /** Where its page is; null without one. */
  readonly page: string | null;
  readonly waiting: number;
  readonly failed: number;
  readonly delivered: number;
  /** When the oldest delivery that waits was queued; null if none does. */
  readonly oldest_waiting: string | null;
  readonly destinations: readonly {
    readonly job: string;
    readonly name: string;
    readonly state: string;
    readonly waiting: number;
    readonly free_bytes: number | null;
  }[];
  /** The sums of the night that it is there. */
  readonly night: {
    readonly night: string;
    readonly files: number;
    readonly expected: number;
    readonly delivered: number;
    readonly failed: number;
    readonly bytes: number;
  } | null;
  /** How far the computer's clock is ahead of the server's; null before the second heartbeat. */
  readonly clock_ahead_seconds: number | null;
}

/** A computer of the fleet, as its last heartbeat showed it. */
export interface FleetMember {
  readonly name: string;
  /** `offline` after three heartbeats that did not come; `unknown` if there never was one. */
  readonly level: "good" | "busy" | "warning" | "bad" | "offline" | "unknown";
  readonly headline: string;
  readonly version: string | null;
  /** When it was last heard of, by the server's clock, ISO 8601 in UTC. */
  readonly seen_at: string | null;
  readonly seconds_ago: number | null;
  readonly config_error: string | null;
  readonly report: BeatReport | null;
}

/** All of them, the worst first. */
export interface FleetNow {
  readonly members: readonly FleetMember[];
  /** When the server told, milliseconds since 1970 UTC. */
  readonly at: number;
}
