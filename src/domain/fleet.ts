/** The computers of a fleet, as they report to their PocketBase server. */
import * as z from "zod";

const LONGEST_TEXT = 200;
const LONGEST_ADDRESS = 500;
const MOST_LISTED = 200;
const CENTURY_SECONDS = 3.2e9;
const [EARLIEST, LATEST] = [Date.UTC(2000), Date.UTC(2100)];

const text = z.string().transform((all) => all.slice(0, LONGEST_TEXT)).catch("");
/** Far more than any computer has, and so few that sums of them stay exact. */
const count = z.int().min(0).max(1e9).catch(0);
const bytes = z.number().min(0).max(1e18).catch(0);
const time = z.string().max(LONGEST_TEXT).transform((written) => Date.parse(written))
  .pipe(z.number().min(EARLIEST).max(LATEST)).transform((at) => new Date(at).toISOString())
  .nullable().catch(null);

function list<T>(item: z.ZodType<T>) {
  return z.array(z.unknown()).catch([]).transform((all) => all.slice(0, MOST_LISTED)).pipe(z.array(item)).readonly();
}

/** The night of a computer that its morning report would be about: this one if it has images, else the one before. */
const nightSums = z.object({
  night: z.string().regex(/^\d{8}$/),
  files: count,
  /** Of those, the ones that are at all of their destinations; a daemon of an older version tells deliveries only, which is no sum of images. */
  files_delivered: z.number().pipe(count),
  files_waiting: count,
  /** They need a person. */
  files_failed: count,
  /** Not sent because they are incomplete or were rejected. */
  not_sent: count,
  /** Deliveries: each image counts once for each destination. */
  expected: count,
  delivered: count,
  failed: count,
  bytes,
}).readonly();

const destination = z.object({
  job: text,
  name: text,
  state: text,
  waiting: count,
  free_bytes: z.number().pipe(bytes).nullable().catch(null),
}).readonly();

/** What a heartbeat tells besides its headline. Times ISO 8601 in UTC, sizes in bytes. */
const beatReport = z.object({
  started_at: time,
  /** Where its page is, http or https; null without one. */
  page: z.unknown().transform(webAddress).catch(null),
  /** Files that wait for at least one destination. */
  waiting: count,
  /** Deliveries, of all nights. */
  failed: count,
  delivered: count,
  /** When the oldest delivery that waits was queued; null if none does. */
  oldest_waiting: time,
  destinations: list(destination.nullable().catch(null)).transform((all) => all.filter((one) => one !== null)).readonly(),
  night: nightSums.nullable().catch(null),
  /** How far the computer's clock is ahead of the server's; null before the second heartbeat. */
  clock_ahead_seconds: z.number().min(-CENTURY_SECONDS).max(CENTURY_SECONDS).nullable().catch(null),
  /** What it does when another computer asks. */
  may_do: list(text),
}).readonly();

export type NightSums = z.output<typeof nightSums>;
export type BeatReport = z.output<typeof beatReport>;

/**
 * What another computer has written as its report, in the right shape: numbers are numbers within bounds, lists are short, and the page
 * is an address of the web. Null for what is no report at all.
 */
export function toBeatReport(written: unknown): BeatReport | null {
  return beatReport.nullable().catch(null).parse(written);
}

/** An http or https address without a password; null for anything else. */
export function webAddress(written: unknown): string | null {
  const url = typeof written === "string" && written.length <= LONGEST_ADDRESS ? URL.parse(written) : null;
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.username !== "" || url.password !== "") return null;
  return url.href;
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
  readonly answered_at: string | null;
}

export interface FleetNow {
  readonly members: readonly FleetMember[];
  /** When the server told, milliseconds since 1970 UTC. */
  readonly at: number;
}
