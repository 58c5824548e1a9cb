/** What reports, the page and commands ask of the ledger: what was and what is. Nothing here changes anything. */
import type { AuditRun, AuditVerdict } from "../domain/audit.ts";
import type { Delivery, DeliveryState } from "../domain/delivery.ts";
import type { DestinationState } from "../domain/delivery.ts";
import type { FailureCode } from "../domain/failure.ts";
import type { SourceFile } from "../domain/source_file.ts";

/** Which deliveries; without any condition all of them. */
export interface DeliveryQuery {
  readonly job?: string | undefined;
  readonly destination?: string | undefined;
  /** `YYYYMMDD`. */
  readonly night?: string | undefined;
  readonly states?: readonly DeliveryState["state"][] | undefined;
  /** Only failures that a person should look at, see `isTrouble`. */
  readonly trouble?: boolean;
  /** Only those that were delivered and are known to be gone, or were found damaged or vanished by an audit. */
  readonly gone?: boolean;
  /** Part of the path, any case. */
  readonly search?: string | undefined;
  /** What the header says was observed, as {@linkcode NightFrame} has it; `-` for images whose header says nothing. */
  readonly target?: string | undefined;
  /** The filter in the header; `-` for images without one. */
  readonly filter?: string | undefined;
  /** Delivery ids; an empty list finds nothing. */
  readonly ids?: readonly number[];
  /**
   * `queued_at`, the default, is the order of queueing, even if the clock was changed; `changed_at` is the last change of the
   * source file, the order in which the outbox claims.
   */
  readonly sort?: "queued_at" | "delivered_at" | "path" | "size" | "changed_at" | "retry_at";
  readonly descending?: boolean;
  /** Most rows; without it all. */
  readonly limit?: number;
  readonly offset?: number;
}

/** A row of history: the delivery and what else the ledger knows of it. */
export interface DeliveryRow {
  readonly delivery: Delivery;
  /** SHA-256 of the bytes sent, known since they were first read; null before. */
  readonly sha256: string | null;
  /** Null while it is not delivered. */
  readonly deliveredAt: number | null;
  /** Header cards kept at admission; null where the format has none. */
  readonly cards: Readonly<Record<string, string | number | boolean>> | null;
  /** What was wrong with the file at its source; null where nothing was. */
  readonly warning: string | null;
}

/** Deliveries by state. */
export interface Counts {
  readonly queued: number;
  readonly sending: number;
  readonly deferred: number;
  readonly delivered: number;
  /** Those that are trouble: without `superseded`, `skipped`, `gone` and `removed`. */
  readonly failed: number;
  /** Delivered once and known to be gone from the destination; absent where there are none. */
  readonly gone?: number;
  /** Of the failed: delivered once, and found damaged or vanished by an audit; absent where there are none. */
  readonly damaged?: number;
  readonly vanished?: number;
}

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

/** A delivery as bare numbers. */
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

/** Which images: those of which at least one delivery matches. */
export interface ImageQuery extends Omit<DeliveryQuery, "sort"> {
  /** `queued_at`, the default, is the order of admission; an image's `delivered_at` is that of its last delivery. */
  readonly sort?: "queued_at" | "delivered_at" | "path" | "size";
}

/** What the header of an image of a night says. */
export interface NightFrame {
  readonly versionId: number;
  readonly job: string;
  readonly path: string;
  /** OBJECT; IMAGETYP for darks, flats and bias frames, and where there is no object; `-` where there is neither. */
  readonly target: string;
  /** `-` where there is none. */
  readonly filter: string;
  /** Seconds; null where the header does not say. */
  readonly exposure: number | null;
}

/** The files of a night that were admitted with a warning. */
interface Flagged {
  readonly count: number;
  /** The first of them. */
  readonly files: readonly { readonly source: SourceFile; readonly warning: string }[];
}

/** An audit and where it is. All files have their turn in a lap, in the order of queueing; it may take many audits. */
export interface AuditState extends AuditRun {
  /** The delivery that was looked at last; 0 at the beginning of a lap. */
  readonly lookedTo: number;
  /** When the lap began: what was proved since then is not looked at in it. Milliseconds since 1970 UTC. */
  readonly lapAt: number;
}

/** A file that was not as delivered when it was last looked at. */
export interface AuditedRow extends DeliveryRow {
  readonly verdict: Exclude<AuditVerdict, "equal" | "unproven">;
  readonly reason: string;
  /** When it was looked at, milliseconds since 1970 UTC. */
  readonly auditedAt: number;
}

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

/** Each call answers from one moment. */
export interface History {
  /** Rows in the order asked for, all in memory: give a limit, or use `each`. */
  query(query: DeliveryQuery): DeliveryRow[];
  /** The same rows in the order of queueing, read page by page: memory stays small. Rows may change between pages. */
  each(query: Omit<DeliveryQuery, "sort" | "offset">): IterableIterator<DeliveryRow>;
  /** How many rows the query has, whatever its `limit` and `offset`. */
  count(query: DeliveryQuery): number;
  /** The images in the order asked for, each as all of its deliveries. An image is one version of a file. */
  images(query: ImageQuery): DeliveryRow[][];
  /** How many images the query has, whatever its `limit` and `offset`. */
  countImages(query: ImageQuery): number;
  /** The deliveries of the image that has this delivery; none if there is no such delivery. */
  imageOf(id: number): DeliveryRow[];
  /** The first delivery of the images before and after that of delivery `id` in the order of the query; null at either end. */
  neighbours(id: number, query: ImageQuery): { readonly former: number | null; readonly next: number | null };
  /** Of all jobs and destinations, or of those named. */
  counts(job?: string, destination?: string): Counts;
  /** When the oldest delivery was queued that is still to be delivered; null if none. */
  oldestWaiting(job?: string, destination?: string): number | null;
  /** What failed there and is trouble, by reason: how many, and when the oldest was queued. The most frequent first. */
  failedByCode(
    job: string,
    destination: string,
  ): readonly { readonly code: FailureCode; readonly count: number; readonly since: number }[];
  /** The size of what is still to be delivered there; of the first ten thousand files. */
  waitingBytes(job: string, destination: string): number;
  /** The nights that have deliveries, `YYYYMMDD`, the first one first. */
  nights(): string[];
  /** The jobs and destinations that ever had a delivery, also those that are no longer configured. */
  places(): { readonly job: string; readonly destination: string }[];
  /**
   * Ids of what was delivered to a target that another delivery, of any night, was given later: their bytes have another name
   * there now, or none. Reads every delivery of the destination.
   */
  replaced(job: string, destination: string): number[];
  /** The sums of a night, without versions that were replaced before they were sent and files skipped on purpose. */
  nightTotals(night: string): NightTotals;
  /** Images that wait for at least one of these destinations of the job. Reads every delivery that waits. */
  waitingImages(job: string, destinations: readonly string[]): number;
  /** Images of a night that are not at all of their destinations, and how many of them failed at one. Reads the whole night. */
  nightUndelivered(night: string): { readonly images: number; readonly failed: number };
  /** The next `limit` deliveries of a night after this id, in the order of queueing; those that the sums count. */
  nightPoints(night: string, after: number, limit: number): NightPoint[];
  /** The next `limit` images of a night from version `first` to version `last`. */
  nightFrames(night: string, first: number, last: number, limit: number): NightFrame[];
  /** The file versions of a night that were admitted with a warning, and not only watched; `files` are at most `limit`. */
  flagged(night: string, limit: number): Flagged;
  /** The audit of a destination that runs, or the last one; null before the first. */
  auditOf(job: string, destination: string): AuditState | null;
  /**
   * What is not as delivered as far as is known: damaged, vanished, changed or unreadable, without what was sent again since. The last
   * one looked at first.
   */
  auditFindings(job: string, destination: string, limit: number): AuditedRow[];
  /** In order: what was noted in this time, after the last note before it of each destination, and of the daemon. */
  availability(from: number, to: number): AvailabilityNote[];
  /** When the last files were admitted, by job, newest first; of the last `limit` files of all jobs. */
  lastAdmitted(limit: number): { readonly job: string; readonly at: number }[];
}
