/**
 * What is being sent and how far it is: the one place that follows transfers, fed by the event stream. The terminal's progress
 * bars, `status`, reloads and the page read it.
 */
import type { Delivery } from "../domain/delivery.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";

/** A transfer under way, from its first byte until it is verified. `bytes` have arrived as far as the tool tells. */
interface Transfer {
  readonly delivery: Delivery;
  readonly bytes: number;
  /** When it began, milliseconds since 1970 UTC. */
  readonly since: number;
}

/** Sums over the transfers to a destination. Sizes in bytes. */
export interface Running {
  /** Destinations of different jobs may share a name. */
  readonly job: string;
  readonly destination: string;
  readonly files: number;
  /** What is there so far, of `total`. */
  readonly bytes: number;
  readonly total: number;
  /** Over the last seconds. */
  readonly bytesPerSecond: number;
  /** The file that moved last. */
  readonly path: string;
}

interface Place {
  readonly job: string;
  readonly destination: string;
  readonly transfers: Map<number, { readonly delivery: Delivery; readonly since: number; bytes: number }>;
  /** Bytes that moved, by second of their arrival: at most {@linkcode WINDOW} entries. */
  readonly moved: Map<number, number>;
  /** The file that moved last. */
  path: string;
  lastDelivered: number | null;
}

const WINDOW = 4;

export type Progress = ReturnType<typeof trackProgress>;

/** Follows the transfers of a daemon. Knows nothing of what was sent before it heard the first event. */
export function trackProgress() {
  const places = new Map<string, Place>();

  function placeOf({ source: { job }, destination }: Delivery): Place {
    const key = keyOf(job, destination);
    const place = places.get(key) ?? { job, destination, transfers: new Map(), moved: new Map(), path: "", lastDelivered: null };
    places.set(key, place);
    return place;
  }

  return {
    listen(event: TransferEvent): void {
      switch (event.type) {
        case "sending": {
          const { at: since, delivery } = event;
          placeOf(delivery).transfers.set(delivery.id, { delivery, since, bytes: 0 });
          return;
        }
        case "progress":
          return move(placeOf(event.delivery), event.delivery, event.bytes, event.at);
        case "delivered": {
          const { at, delivery } = event;
          const place = placeOf(delivery);
          move(place, delivery, delivery.source.size, at);
          place.transfers.delete(delivery.id);
          place.lastDelivered = at;
          return;
        }
        case "queued":
        case "deferred":
        case "failed":
          placeOf(event.delivery).transfers.delete(event.delivery.id);
      }
    },
    /** The longest running first. */
    transfers: (): Transfer[] =>
      [...places.values()].flatMap(({ transfers }) => [...transfers.values()]).sort((a, b) => a.since - b.since),
    /** One entry for each destination of each job that is being sent to. */
    running: (now: number): Running[] =>
      [...places.values()].filter(({ transfers }) => transfers.size > 0).map((place) => runningAt(place, now)),
    /** When the last file arrived there, milliseconds since 1970 UTC; null if none has since the start. */
    lastDelivered: (job: string, destination: string): number | null =>
      places.get(keyOf(job, destination))?.lastDelivered ?? null,
  };
}

function move(place: Place, { id, source }: Delivery, bytes: number, at: number): void {
  place.path = source.path;
  const transfer = place.transfers.get(id);
  if (!transfer || bytes <= transfer.bytes) return;
  const second = Math.floor(at / 1000);
  place.moved.set(second, (place.moved.get(second) ?? 0) + bytes - transfer.bytes);
  for (const old of place.moved.keys()) if (old <= second - WINDOW) place.moved.delete(old);
  transfer.bytes = bytes;
}

function runningAt({ job, destination, transfers, moved, path }: Place, now: number): Running {
  const second = Math.floor(now / 1000);
  const all = [...transfers.values()];
  const recent = [...moved].filter(([at]) => at > second - WINDOW).reduce((sum, [, bytes]) => sum + bytes, 0);
  return {
    job,
    destination,
    files: all.length,
    bytes: all.reduce((sum, { bytes, delivery }) => sum + Math.min(bytes, delivery.source.size), 0),
    total: all.reduce((sum, { delivery }) => sum + delivery.source.size, 0),
    bytesPerSecond: recent / WINDOW,
    path,
  };
}

function keyOf(job: string, destination: string): string {
  return `${job}\0${destination}`;
}
