/**
 * The computers of a fleet, as they report to their PocketBase server.
 *
 * @module
 */

/** What a heartbeat tells besides its headline. Times ISO 8601 in UTC, sizes in bytes. */
export interface BeatReport {
  readonly started_at: string | null;
  /** Where its page is, http or https; null without one. */
  readonly page: string | null;
  /** Files that wait for at least one destination. */
  readonly waiting: number;
  /** Deliveries, of all nights. */
  readonly failed: number;
  readonly delivered: number;
  /** When the oldest delivery that waits was queued; null if none does. */
  readonly oldest_waiting: string | null;
  readonly destinations: readonly {
    readonly job: string;
    readonly name: string;
    readonly state: string;
    /** Files. */
    readonly waiting: number;
    readonly free_bytes: number | null;
  }[];
  /** The sums of the night that the morning report would be about: this one if it has images, else the one before. */
  readonly night: NightSums | null;
  /** How far the computer's clock is ahead of the server's; null before the second heartbeat. */
  readonly clock_ahead_seconds: number | null;
  /** What it does when another computer asks. */
  readonly may_do: readonly string[];
}

/** A night of a computer. */
export interface NightSums {
  readonly night: string;
  /** Images that were seen. */
  readonly files: number;
  /** Of those, the ones that are at all of their destinations; that wait for one; that failed, and need a person. */
  readonly files_delivered: number;
  readonly files_waiting: number;
  readonly files_failed: number;
  /** Not sent because they are incomplete or were rejected. */
  readonly not_sent: number;
  /** Deliveries: each image counts once for each destination. */
  readonly expected: number;
  readonly delivered: number;
  readonly failed: number;
  readonly bytes: number;
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

/** A command from one computer to another, for those who want to know who did what. Times ISO 8601 in UTC, by the server's clock. */
export interface FleetCommand {
  readonly at: string;
  /** Who asked: the computer whose page or command line was used. */
  readonly from: string;
  readonly to: string;
  readonly action: string;
  /** A destination or a job; empty for all. */
  readonly argument: string;
  readonly state: "done" | "refused" | "failed" | "waiting";
  /** What was done, or why not. */
  readonly answer: string;
  /** Null while it waits. */
  readonly answered_at: string | null;
}

/** All of them, the worst first. */
export interface FleetNow {
  readonly members: readonly FleetMember[];
  /** When the server told, milliseconds since 1970 UTC. */
  readonly at: number;
}

/**
 * What another computer has written as its report, in the right shape: numbers are numbers, lists are short, and the page is an
 * address of the web. Null for what is no report at all.
 */
export function toBeatReport(written: unknown): BeatReport | null {
  if (!isObject(written)) return null;
  const { night } = written;
  return {
    started_at: timeOrNull(written["started_at"]),
    page: webAddress(written["page"]),
    waiting: countOf(written["waiting"]),
    failed: countOf(written["failed"]),
    delivered: countOf(written["delivered"]),
    oldest_waiting: timeOrNull(written["oldest_waiting"]),
    destinations: listOf(written["destinations"]).filter(isObject).map((one) => ({
      job: textOf(one["job"]),
      name: textOf(one["name"]),
      state: textOf(one["state"]),
      waiting: countOf(one["waiting"]),
      free_bytes: typeof one["free_bytes"] === "number" ? countOf(one["free_bytes"]) : null,
    })),
    night: isObject(night) ? toNight(night) : null,
    clock_ahead_seconds: Number.isFinite(written["clock_ahead_seconds"]) ? Number(written["clock_ahead_seconds"]) : null,
    may_do: listOf(written["may_do"]).map(textOf),
  };
}

/** A daemon of an older version tells deliveries only: then nothing is known of its images. */
function toNight(night: Record<string, unknown>): NightSums | null {
  if (!/^\d{8}$/.test(textOf(night["night"])) || !Number.isFinite(night["files_delivered"])) return null;
  const of = (key: keyof NightSums) => countOf(night[key]);
  return {
    night: textOf(night["night"]),
    files: of("files"),
    files_delivered: of("files_delivered"),
    files_waiting: of("files_waiting"),
    files_failed: of("files_failed"),
    not_sent: of("not_sent"),
    expected: of("expected"),
    delivered: of("delivered"),
    failed: of("failed"),
    bytes: of("bytes"),
  };
}

/** An http or https address without a password; null for anything else. */
export function webAddress(written: unknown): string | null {
  const url = typeof written === "string" && written.length <= LONGEST_ADDRESS ? URL.parse(written) : null;
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.username !== "" || url.password !== "") return null;
  return url.href;
}

const LONGEST_ADDRESS = 500;
const LONGEST_TEXT = 200;
const MOST_LISTED = 200;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, MOST_LISTED) : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.slice(0, LONGEST_TEXT) : "";
}

function countOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : 0;
}

function timeOrNull(value: unknown): string | null {
  const time = Date.parse(textOf(value));
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}
