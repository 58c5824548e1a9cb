/**
 * The ledger: what was seen, what is queued, what is proven. The ledger is the queue; there is no other.
 * This is its contract; {@linkcode openLedger} keeps it in SQLite.
 *
 * @module
 */
import type { Delivery, DeliveryState } from "../domain/delivery.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { FileFacts, SourceFile } from "../domain/source_file.ts";
import type { Receipt } from "../domain/receipt.ts";

/** A finished file with where it goes: `targets` maps destination name to target path and method. */
export interface Admission {
  readonly source: SourceFile;
  readonly night: string;
  readonly targets: readonly { readonly destination: string; readonly target: string; readonly method: string }[];
  /** Header cards worth keeping (OBJECT, FILTER, …), if the format has any. */
  readonly cards?: Readonly<Record<string, string | number | boolean>>;
  /** Until then the file can be rewritten without a trace in its facts; left out where it cannot. */
  readonly racyUntil?: number;
  /** What is wrong with the file, which is sent as it is all the same. */
  readonly warning?: string;
}

/** A version whose bytes must be read again. */
export interface Reread {
  readonly versionId: number;
  readonly facts: FileFacts;
  /** False where nobody has read them so far: there is nothing to compare with. */
  readonly wasRead: boolean;
  /** When it was due. */
  readonly at: number;
}

/** What came of it: what its bytes are now, that nothing can have been missed, or that it must be judged anew. */
export type Reading = { readonly is: "read"; readonly sha256: string } | { readonly is: "certain" } | { readonly is: "doubtful" };

/** The hash of a version's bytes, read for a delivery; `at` is when that began. */
export interface BytesRead {
  readonly at: number;
  readonly sha256: string;
}

/** How much an attempt takes in hand at once; it gets fewer where fewer are due. */
export interface ClaimRequest {
  readonly job: string;
  readonly destination: string;
  /** By the time of last change of the source file. */
  readonly order: "oldest_first" | "newest_first";
  readonly maxFiles: number;
  /** At least one file is claimed whatever its size. */
  readonly maxBytes: number;
  /** Name of the attempt, stored with each delivery it takes. */
  readonly attempt: string;
  /** Milliseconds since 1970 UTC; what is deferred beyond it is not due. */
  readonly now: number;
}

/** What `history`, the page and the report ask for. */
export interface DeliveryQuery {
  readonly job?: string;
  readonly destination?: string;
  /** `YYYYMMDD`. */
  readonly night?: string;
  readonly states?: readonly DeliveryState["state"][];
  /** Only failures a person should look at, see `isTrouble`. */
  readonly trouble?: boolean;
  /** Only those that were delivered and are known to be gone. */
  readonly gone?: boolean;
  /** Part of the path, any case. */
  readonly search?: string;
  /** Delivery ids; an empty list finds nothing. */
  readonly ids?: readonly number[];
  /**
   * `queued_at`, the default, is the order of queueing, which no change of the clock disturbs; `changed_at` is the last change of
   * the source file, by which the outbox goes.
   */
  readonly sort?: "queued_at" | "delivered_at" | "path" | "size" | "changed_at" | "retry_at";
  readonly descending?: boolean;
  /** Most rows; without it all. */
  readonly limit?: number;
  readonly offset?: number;
}

/** A row of history: the delivery with what the ledger knows besides. */
export interface DeliveryRow {
  readonly delivery: Delivery;
  /** SHA-256 of the bytes sent, known since they were first read; null before. */
  readonly sha256: string | null;
  /** Milliseconds since 1970 UTC; null while it is not delivered. */
  readonly deliveredAt: number | null;
  /** Header cards kept at admission; null where the format has none. */
  readonly cards: Readonly<Record<string, string | number | boolean>> | null;
  /** What was wrong with the file at its source; null where nothing was. */
  readonly warning: string | null;
}

/** The files of a night that were taken with a warning. */
export interface Flagged {
  readonly count: number;
  /** The first of them. */
  readonly files: readonly { readonly source: SourceFile; readonly warning: string }[];
}

/** Deliveries by state. */
export interface Counts {
  readonly queued: number;
  readonly sending: number;
  readonly deferred: number;
  readonly delivered: number;
  /** Without `superseded`, `skipped` and `gone`, which are no trouble. */
  readonly failed: number;
  /** Delivered once and known to be gone from the destination; not there where there are none. */
  readonly gone?: number;
}

/** Sizes in bytes. */
export interface NightTotals {
  /** File versions. */
  readonly files: number;
  readonly bytes: number;
  /** One per job and destination, in the order in which they first had a delivery. */
  readonly places: readonly {
    readonly job: string;
    readonly destination: string;
    readonly expected: number;
    readonly delivered: number;
    /** Of the delivered, those whose hash was compared. */
    readonly proven: number;
    readonly failed: number;
    /** Of the delivered. */
    readonly bytes: number;
  }[];
}

/** A delivery as bare numbers. Times in milliseconds since 1970 UTC. */
export interface NightPoint {
  readonly id: number;
  readonly versionId: number;
  readonly job: string;
  readonly destination: string;
  readonly size: number;
  readonly queuedAt: number;
  /** Null while it is not delivered. */
  readonly deliveredAt: number | null;
}

/**
 * Calls return when the change is durable. Times are milliseconds since 1970 UTC, sizes bytes.
 *
 * @throws {Failure} from every call: `local_disk_full`, `permission_denied`, `timeout` (held by another program),
 * `internal` (damaged).
 */
export interface Ledger extends Disposable {
  /** Random name of this ledger, part of our staging folders' names. */
  readonly instance: string;

  // Intake
  /** Of these files, those that are not admitted yet for every one of the destinations, and those whose ctime alone changed. */
  unknown(
    job: string,
    files: readonly FileFacts[],
    destinations: readonly string[],
  ): { fresh: FileFacts[]; recheck: FileFacts[] };
  /**
   * Idempotent on (job, path, fingerprint) × destination. A new version supersedes queued and deferred
   * deliveries of older versions of the same path. Returns the deliveries that are new.
   */
  admit(admissions: readonly Admission[], now: number): Delivery[];
  /** When the newest version of a path that is so long was admitted; null where there is none. */
  admittedAt(job: string, path: string, size: number): number | null;
  /** Settles a changed ctime: the same content is remembered with the new ctime, other content is admitted as a new version. */
  recheck(admission: Admission, sha256: string, now: number): Delivery[];
  /** Versions whose bytes are to be read again by now, but for those whose first reader is still at work. */
  rereads(job: string, now: number, limit: number): Reread[];
  /** When the next of them is due; null if none. */
  nextReread(job: string): number | null;
  /** Stores what came of them; returns the paths of those that `unknown` has for a recheck now. */
  reread(readings: readonly (Reread & { readonly found: Reading })[]): string[];
  /** A writer was heard of after these files may have been read: their bytes are to be read again. */
  askReread(job: string, paths: readonly string[], now: number): void;

  // Outbox
  /** Takes due deliveries in hand, state `sending`. */
  claim(request: ClaimRequest): Delivery[];
  /** What an earlier process had in hand when it ended. */
  inFlight(job: string, destination: string): Delivery[];
  /**
   * Stores the state, method and attempts of these deliveries in one transaction, what was read for them (by delivery id),
   * and where parts of them were left (delivery id → staged name; of the others there is none any more); durable on return. True where a receipt is for other bytes than those that
   * the version was last seen with: the file was rewritten under the same time while it was sent, `unknown` has it for a recheck.
   */
  record(
    deliveries: readonly Delivery[],
    now: number,
    reads?: ReadonlyMap<number, BytesRead>,
    parts?: ReadonlyMap<number, string>,
  ): boolean;
  /** The parts that were left of deliveries that are not settled, with their staged names. */
  parts(job: string, destination: string): { readonly delivery: Delivery; readonly staged: string }[];
  /** Remembers the hash of a version's bytes. */
  rememberHash(delivery: Delivery, sha256: string): void;
  /** The hash remembered for the delivery's version, or null. */
  hashOf(delivery: Delivery): string | null;
  /**
   * When the next deferred delivery is due: milliseconds since 1970, 0 if something can be claimed now, null if nothing waits
   * (or only newer versions of what is being sent).
   */
  nextDue(job: string, destination: string): number | null;
  /** Makes deferred deliveries of a destination due now (it has come back). */
  makeDue(job: string, destination: string): void;
  /**
   * Puts failed deliveries back into the queue; `null` means all failed ones that are trouble. Those named may also be
   * deferred: they are due now. A delivery whose file has a newer version stays failed. Returns how many.
   */
  requeue(ids: readonly number[] | null, now: number): number;
  /**
   * Of these, the delivered ones are known to be gone from the destination: failed with the code `gone`, their proof forgotten but
   * for its time. `reason` is a sentence without a full stop. Returns how many.
   */
  markGone(ids: readonly number[], reason: string, now: number): number;
  /**
   * Puts deliveries that are delivered, or known to be gone, back into the queue, their proof forgotten. Those whose file has a
   * newer version stay as they are. Returns the ids of the others.
   */
  sendAgain(ids: readonly number[], now: number): number[];
  /**
   * Ends all that waits for a destination, is in hand there, or failed there to a person's concern. For a destination
   * that nobody sends to. Returns how many.
   */
  giveUp(job: string, destination: string, failure: FailureRecord, now: number): number;

  // Source removal (I4)
  /**
   * Source files whose every delivery is `delivered` at checksum or read_back level, for every one of the destinations, all of
   * the same bytes, certain, and not removed yet; `deliveries` are those, one a destination.
   */
  removable(
    job: string,
    destinations: readonly string[],
    limit: number,
  ): { source: SourceFile; receipts: Receipt[]; deliveries: Delivery[]; versionId: number }[];
  /** Remembers that these sources are gone, so that `removable` names them no more. */
  markRemoved(versionIds: readonly number[], now: number): void;

  // Destinations
  /** What a session called the device of the base path at first contact; null before it, empty where the method cannot tell. */
  deviceOf(job: string, destination: string): string | null;
  rememberDevice(job: string, destination: string, device: string): void;
  /** Who paused it, as `pause` was told; null where it is not paused. By name alone: over all jobs. */
  pausedBy(destination: string): string | null;
  /** `by` null lets it go on. */
  setPaused(destination: string, by: string | null): void;

  // Questions
  /** Rows in the order asked for; an empty query is every delivery. */
  query(query: DeliveryQuery): DeliveryRow[];
  /** The same rows in the order of queueing, read page by page: memory stays small however many there are. */
  each(query: Omit<DeliveryQuery, "sort" | "offset">): IterableIterator<DeliveryRow>;
  /** How many rows the query has, whatever its `limit` and `offset`. */
  count(query: DeliveryQuery): number;
  /** Of all jobs and destinations, or of those named. */
  counts(job?: string, destination?: string): Counts;
  /** When the oldest undelivered delivery was queued; null if none. */
  oldestWaiting(job?: string, destination?: string): number | null;
  /** The nights that have deliveries, `YYYYMMDD`, the first one first. */
  nights(): string[];
  /** The jobs and destinations that ever had a delivery, also those that are not configured any more. */
  places(): { readonly job: string; readonly destination: string }[];
  /**
   * Ids of what was delivered to a target that another delivery, of any night, was given later: their bytes have another name
   * there now, or none. Reads every delivery of the destination; few ids come of it.
   */
  replaced(job: string, destination: string): number[];
  /** Targets of delivered files that some file systems take for this one, though they are spelled in another way. */
  namesakes(job: string, destination: string, target: string): string[];
  /** The sums of a night, without versions that were replaced before they were sent and files skipped on purpose. */
  nightTotals(night: string): NightTotals;
  /** The deliveries of a night in the order of queueing, those behind the id `after`, at most `limit`; counted as in the sums. */
  nightPoints(night: string, after: number, limit: number): NightPoint[];
  /** The file versions of a night that were taken with a warning; `files` are at most `limit`. */
  flagged(night: string, limit: number): Flagged;

  // Care
  /** SQLite's own check; empty when sound. */
  integrity(): string[];
  /** A consistent copy while in use, in place of what has that name; where it fails, nothing is left of it. */
  backup(path: string): Promise<void>;
}
