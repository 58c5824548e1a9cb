/**
 * What the page and the server say to each other: pure types, imported by both.
 * Times of the live state and of series are milliseconds since 1970 UTC, sizes are bytes; `StatusReport` and `DeliveryJson`, which
 * scripts depend on, have ISO 8601. All text that comes from disks and remote ends may hold anything: show it as text, never as markup.
 *
 * | path | method | answer |
 * |---|---|---|
 * | `/api/status` | GET | {@linkcode StatusReport} |
 * | `/api/deliveries?`{@linkcode DeliveryAsk} | GET | array of {@linkcode DeliveryView}, the header `total-count` tells how many match |
 * | `/api/deliveries.csv?…` `/api/deliveries.json?…` | GET | the same filter, all rows, as a download; JSON as `history --json` |
 * | `/api/deliveries/ID` | GET | {@linkcode DeliveryView} |
 * | `/api/images?`{@linkcode DeliveryAsk} | GET | array of {@linkcode ImageView}: images of which a delivery matches; `total-count` as above |
 * | `/api/images/ID?`{@linkcode DeliveryAsk} | GET | {@linkcode ImageReport} of the image that has delivery ID; its neighbours among those that match |
 * | `/api/fleet` | GET | {@linkcode FleetNow}; null without a PocketBase server |
 * | `/api/fleet/commands` | GET | array of {@linkcode FleetCommand}, the newest first |
 * | `/api/next` | GET | array of {@linkcode DeliveryView}: the ten that are sent next |
 * | `/api/nights` | GET | {@linkcode NightList} |
 * | `/api/night/YYYYMMDD` (or `/api/night/tonight`) | GET | {@linkcode NightReport} |
 * | `/api/trouble` | GET | {@linkcode TroubleList} |
 * | `/api/setup` | GET | {@linkcode SetupReport} |
 * | `/api/cards/ID` | GET | {@linkcode HeaderReport} |
 * | `/api/preview/ID.png?side=512` | GET | a grey PNG of at most 256, 512 (the default) or 2048 pixels a side; 404 where there is none |
 * | `/api/live` | WebSocket | {@linkcode LiveMessage}, from the server only |
 * | `/api/retry` `/api/pause` `/api/resume` `/api/scan` `/api/accept-removed` `/api/doctor` `/api/fleet/command` | POST, `content-type: application/json` | {@linkcode Actions} |
 *
 * Every failure is {@linkcode ApiFailure} with status 400 (not understood), 401 (no session: show the login), 403 (foreign page), 404, 405,
 * 409 (the daemon says why not), 413, 415, 421 (foreign Host), 426, 429, 500 or 503. The WebSocket closes with code 4401 where the session is over, 1013 where the client was too slow.
 */
import type { DestinationState } from "../domain/delivery.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { FleetCommand, FleetNow } from "../domain/fleet.ts";
import type { Counts } from "../ledger/history.ts";
import type { DeliveryJson } from "./delivery/delivery_json.ts";
import type { Headline, StatusReport } from "./overview/status_json.ts";

export type { FleetCommand, FleetNow, Headline, StatusReport };

/** The values of header cards by keyword. */
export type CardValues = Readonly<Record<string, string | number | boolean>>;

/** A delivery as the page shows it: the promised shape of history, and what only the page needs. */
export interface DeliveryView extends DeliveryJson {
  /** The observing night, `YYYYMMDD`. */
  readonly night: string;
  /** Path below the watched folder, `/` between the parts: what to show where `path` is too long. */
  readonly name: string;
  /** OBJECT, FILTER, EXPTIME, DATE-OBS, IMAGETYP, … as far as the file has them. */
  readonly cards: CardValues | null;
  /** Where a preview may be had: `/api/preview/7.png`; null for files that are no FITS. */
  readonly preview: string | null;
  /** When a deferred delivery is tried again, ISO 8601; null otherwise. */
  readonly retry_at: string | null;
}

/** An image with where it is: a row of History. */
export interface ImageView
  extends Pick<DeliveryView, "job" | "path" | "name" | "size" | "night" | "cards" | "preview" | "warning" | "queued_at"> {
  /** That of its first delivery; stands for the image. */
  readonly id: number;
  /** One for each destination, in the order of the configuration when it was admitted. */
  readonly deliveries: readonly ImageDelivery[];
}

/** Where an image is to be, or is. */
type ImageDelivery = Pick<
  DeliveryView,
  "id" | "destination" | "state" | "proof" | "error" | "warning" | "delivered_at" | "retry_at"
>;

/** All of the dialog of an image. `former` and `next` are deliveries of the images beside it; null at either end. */
export interface ImageReport {
  readonly deliveries: readonly DeliveryView[];
  readonly former: number | null;
  readonly next: number | null;
}

/** Query of `/api/deliveries`; every part may be missing. */
export interface DeliveryAsk {
  readonly job?: string;
  readonly destination?: string;
  readonly night?: string;
  /** One or more of queued, sending, deferred, delivered, failed, joined by commas; or `trouble`: failed ones that need a person. */
  readonly state?: string;
  /** Part of the path, any case. */
  readonly search?: string;
  /** What was observed, as {@linkcode NightTarget} has it. */
  readonly target?: string;
  readonly filter?: string;
  readonly sort?: "queued_at" | "delivered_at" | "path" | "size";
  /** `desc` (the default: newest first) or `asc`. */
  readonly order?: "asc" | "desc";
  /** 100 unless given; more than 500 is refused, `offset` reads on. */
  readonly limit?: number;
  readonly offset?: number;
}

/** First a snapshot, then what changes; a beat where nothing changed for ten seconds, so that a dead connection is noticed. */
export type LiveMessage =
  | { readonly type: "snapshot"; readonly at: number; readonly state: LiveState }
  | {
    readonly type: "change";
    readonly at: number;
    /** The parts that changed, each whole: `{...state, ...message.state}` is the new state. */
    readonly state: Partial<LiveState>;
    /** Deliveries whose state changed since the last message, as they are now, newest last; at most 50. */
    readonly deliveries: readonly DeliveryView[];
    /** True where there were more than those: ask for the lists again. */
    readonly more: boolean;
  }
  | { readonly type: "beat"; readonly at: number };

/** All of the view Now; the other views take their counts from it. */
export interface LiveState {
  readonly status: StatusReport;
  readonly headline: Headline;
  readonly tonight: NightSummary;
  /** The site's time zone, e.g. `America/Santiago`: `night_timezone`, else that of the daemon's computer. */
  readonly zone: string;
  readonly destinations: readonly DestinationView[];
  readonly jobs: readonly JobView[];
  /** What is being sent, at most 50; `bytes` grows. */
  readonly transfers: readonly TransferView[];
  /** Files that grow, or are waited for, or were given up as incomplete; at most 50, see `files_waiting` of the status for all. */
  readonly waiting: readonly WaitingView[];
  /** The images that were delivered last, newest first, at most 24, each file once. */
  readonly newest: readonly DeliveryView[];
  /** The first 50, worst first. */
  readonly trouble: readonly TroubleItem[];
  /** All of them by cause, worst first. */
  readonly troubleCauses: readonly TroubleCause[];
  readonly troubleCount: number;
}

/** A time in which a destination took nothing; `to` is null while it lasts. `stopped` and `lost`: the daemon did not run. */
export interface Outage {
  readonly from: number;
  readonly to: number | null;
  readonly state: Exclude<DestinationState["state"], "open"> | "stopped" | "lost";
}

/** A destination of one job. */
export interface DestinationView {
  readonly job: string;
  readonly name: string;
  /** `observer@freya:/data/images`, or the folder. */
  readonly place: string;
  readonly method: string;
  readonly state: DestinationState["state"];
  /** When it is tried again; null where it is open or paused. */
  readonly until: number | null;
  readonly failure: Pick<FailureRecord, "code" | "message" | "hint"> | null;
  readonly pausedBy: string | null;
  readonly freeBytes: number | null;
  readonly counts: Counts;
  /** The bandwidth limit in force, bytes per second; null is none. */
  readonly limit: number | null;
  /** Over the last seconds. */
  readonly bytesPerSecond: number;
  /** When it came into this state, as far as that is known; null while it is open. */
  readonly since: number | null;
  /** Of the last twelve hours. */
  readonly outages: readonly Outage[];
  /** There where a mirror waits for a person before it removes files. */
  readonly removalsHeld: { readonly files: number; readonly reason: string; readonly accept: string } | null;
  /** When the oldest that still waits was queued; null if none waits. */
  readonly oldestWaiting: number | null;
  /** Null where nothing was delivered yet, as far as is known. */
  readonly lastDelivered: number | null;
}

export interface JobView {
  readonly name: string;
  readonly watchPath: string;
  /** Null while the folder is not watched. */
  readonly watching: "events" | "poll" | null;
  /** Why it is not watched. */
  readonly failure: Pick<FailureRecord, "code" | "message" | "hint"> | null;
  readonly filesWaiting: number;
  /** Of those, how many are given up as incomplete until they change, or were rejected. */
  readonly notTaken: number;
  /** When its schedule sends next; null while it sends, and where only a person knows. */
  readonly nextRun: number | null;
  /** When the last image was finished, and the usual time between two; null where that is not known. */
  readonly lastImage: number | null;
  readonly usualMs: number | null;
  /** The last image of tonight is older than five usual intervals. */
  readonly silent: boolean;
}

/** A delivery that is being sent; `bytes` of `size` are there. */
export interface TransferView {
  readonly id: number;
  readonly job: string;
  readonly destination: string;
  readonly name: string;
  readonly size: number;
  readonly bytes: number;
  /** When it began. */
  readonly since: number;
}

/** A file that has no delivery yet. */
export interface WaitingView {
  readonly job: string;
  readonly name: string;
  readonly size: number;
  /** The length that the file declares of itself; null while it tells none. */
  readonly declared: number | null;
  /** `growing` `quiet` `writer open` `short` `marker` (all waited for), `incomplete`, `refused`. */
  readonly reason: string;
  readonly detail: string;
  readonly since: number;
  /** What has been sent of it already while it grows; absent where nothing has. */
  readonly ahead?: readonly SentAhead[];
}

/** How much of a file that is still being written is at a destination. */
export interface SentAhead {
  readonly destination: string;
  readonly bytes: number;
  /** The file has not grown for `growth_timeout_seconds`. */
  readonly stalled: boolean;
}

/** Something a person should look at, with what helps. */
export interface TroubleItem {
  /** Stable while it is the same trouble. */
  readonly key: string;
  /** Which {@linkcode TroubleCause}. */
  readonly cause: string;
  readonly kind: "daemon" | "destination" | "job" | "delivery" | "file";
  readonly severity: "warning" | "bad";
  /** What: the name of the destination or job, or the path. */
  readonly what: string;
  readonly where: string;
  readonly message: string;
  readonly hint: string;
  /** When it began; null where that is not known. */
  readonly since: number | null;
  /** What the page can do about it; null where only a person can. */
  readonly action:
    | { readonly do: "retry"; readonly ids: readonly number[] }
    | { readonly do: "resume"; readonly destination: string }
    | { readonly do: "scan" | "accept_removed"; readonly job: string }
    | null;
}

/** What several items have in common, so that one sentence and one remedy do for all of them. */
export interface TroubleCause {
  /** That of its items' `cause`. */
  readonly key: string;
  readonly severity: TroubleItem["severity"];
  /** `nas and freya cannot be reached`, `A different file of that name exists at the destination`. */
  readonly title: string;
  /** What to do, in short; empty where only the items say it. */
  readonly hint: string;
  /** When the first of them began; null where that is not known. */
  readonly since: number | null;
  /** Images that wait because of it. */
  readonly waiting: number;
  /** Items, those included that are not listed. */
  readonly count: number;
}

/** All that a person should look at, worst first. */
export interface TroubleList {
  readonly items: readonly TroubleItem[];
  readonly causes: readonly TroubleCause[];
  /** May be more than `items`, which are at most 500. */
  readonly count: number;
}

/** Which nights there are, `YYYYMMDD`. */
export interface NightList {
  /** The night of this moment, `YYYYMMDD`, whether it has files or not. */
  readonly tonight: string;
  /** All nights with files, newest first. */
  readonly nights: readonly string[];
}

export interface NightSummary {
  readonly night: string;
  /** File versions that were finished. */
  readonly files: number;
  readonly bytes: number;
  readonly destinations: readonly NightDestination[];
}

/** A night at one destination; `expected` is the sum of delivered, waiting and failed. */
interface NightDestination {
  readonly job: string;
  readonly name: string;
  /** Files that should be there. */
  readonly expected: number;
  readonly delivered: number;
  /** Of the delivered, those whose hash was compared. */
  readonly proven: number;
  readonly waiting: number;
  readonly failed: number;
  /** Bytes that were delivered. */
  readonly bytes: number;
}

/** All of the view Night. */
export interface NightReport {
  readonly summary: NightSummary;
  readonly series: NightSeries;
  /** When destinations took nothing, from the first image of the night on. */
  readonly outages: readonly { readonly job: string; readonly name: string; readonly outages: readonly Outage[] }[];
  /** The newest images of the night, newest first, at most 60, each file once. */
  readonly images: readonly DeliveryView[];
  /** In the order of their first images; at most 200. */
  readonly targets: readonly NightTarget[];
}

/** The images of a night of one target through one filter. */
export interface NightTarget {
  /** OBJECT of the header; the kind of image for darks, flats and bias frames; `-` where the header says nothing. */
  readonly target: string;
  /** `-` for none. */
  readonly filter: string;
  readonly frames: number;
  /** Of those, the ones that are at all of their destinations. */
  readonly delivered: number;
  /** Exposure times together; null where no header tells one. */
  readonly seconds: number | null;
  /** When the first and the last of them were finished. */
  readonly first: number;
  readonly last: number;
  /** Numbers that the camera skipped after one of these images, `13`, `20-25`: the first 50 ranges. */
  readonly missing: readonly string[];
  readonly missingCount: number;
}

/** For the plots: columns of equal length, ready for uPlot. Empty columns where nothing was delivered. */
export interface NightSeries {
  readonly binMs: number;
  /** End of each bin, seconds since 1970 UTC. */
  readonly times: readonly number[];
  /** Finished at the source, cumulative. */
  readonly seenFiles: readonly number[];
  readonly seenBytes: readonly number[];
  readonly destinations: readonly {
    readonly job: string;
    readonly name: string;
    /** Delivered, cumulative. */
    readonly files: readonly number[];
    readonly bytes: readonly number[];
    /** From finished to proven, seconds: median and worst of the bin; null where nothing was delivered in it. */
    readonly latency: readonly (number | null)[];
    readonly worst: readonly (number | null)[];
  }[];
}

/** The header of an image, as it is in the file. */
export interface HeaderReport {
  readonly id: number;
  readonly path: string;
  readonly kept: CardValues;
  /** At most 10 HDUs of at most 1000 cards each. */
  readonly hdus: readonly {
    /** `primary`, `extension 1`. */
    readonly name: string;
    /** `4144 × 2822, 16 bit`, or what else the data are. */
    readonly data: string;
    readonly cards: readonly { readonly keyword: string; readonly value: string; readonly comment: string }[];
  }[];
  /** Why there are none; empty where there are. */
  readonly problem: string;
}

/** All of the view Setup. */
export interface SetupReport {
  readonly version: string;
  readonly startedAt: number;
  /** Null where the configuration comes from no file. */
  readonly file: string | null;
  /** The configuration in force as YAML, every key with its value, secrets hidden, as `config show` prints it; null where there is none. */
  readonly configuration: string | null;
  /** What of the file has no effect, a sentence each without a full stop. */
  readonly notes: readonly string[];
  /** Null before the first; `problem` says why it was refused. */
  readonly reload: { readonly at: number; readonly problem: string | null } | null;
  /** One for each job, and one for the morning report where it is configured. */
  readonly schedules: readonly SetupSchedule[];
  readonly hooks: readonly SetupHook[];
  /** Whether the checks of `doctor` can be run from here. */
  readonly canCheck: boolean;
}

export interface SetupSchedule {
  /** The job; empty for the morning report. */
  readonly job: string;
  /** `sends every 2 h`, `sends by cron 0 6 * * * (UTC)`, `watches only`; of the report, `every day at 08:00 (UTC)`. */
  readonly when: string;
  /** The next runs, soonest first; none where nobody knows, or files are sent all the time. */
  readonly next: readonly number[];
}

export interface SetupHook {
  readonly job: string;
  /** The program, or the host that is called. */
  readonly name: string;
  readonly kind: "command" | "url";
  readonly on: readonly string[];
  /** The last call since the daemon started; null before the first. */
  readonly last:
    | { readonly at: number; readonly on: string; readonly result: "ok" | "late" | "given_up"; readonly said: string }
    | null;
}

/** A line of `doctor --json`. */
export interface CheckFinding {
  readonly level: "ok" | "warning" | "fault";
  readonly about: string;
  readonly what: string;
  readonly hint: string;
  readonly code: string | null;
}

/** The body of every answer that is none; `hint` may be empty. */
export interface ApiFailure {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}
