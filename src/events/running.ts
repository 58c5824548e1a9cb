/**
 * What is on its way at this moment, per destination of each job: fed by the event stream, read by the terminal's progress
 * bar and by whoever shows running transfers.
 *
 * @module
 */
import type { Delivery } from "../domain/delivery.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";

/** Sums over the files that a destination has in hand. Sizes in bytes. */
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

interface InHand {
  readonly size: number;
  bytes: number;
}

interface Lane {
  readonly job: string;
  readonly destination: string;
  readonly inHand: Map<number, InHand>;
  /** Bytes that moved, by second of their arrival: at most {@linkcode WINDOW} entries. */
  readonly moved: Map<number, number>;
  path: string;
}

const WINDOW = 4;

/** Follows the stream; `running(now)` gives one entry for each destination of each job that has something in hand. */
export function followRunning(): { listen(event: TransferEvent): void; running(now: number): Running[] } {
  const lanes = new Map<string, Lane>();

  function lane({ source: { job }, destination }: Delivery): Lane {
    const key = `${job}\0${destination}`;
    let known = lanes.get(key);
    if (!known) lanes.set(key, known = { job, destination, inHand: new Map(), moved: new Map(), path: "" });
    return known;
  }

  function move(of: Lane, id: number, bytes: number, at: number): void {
    const item = of.inHand.get(id);
    if (!item || bytes <= item.bytes) return;
    const second = Math.floor(at / 1000);
    of.moved.set(second, (of.moved.get(second) ?? 0) + bytes - item.bytes);
    for (const old of of.moved.keys()) if (old <= second - WINDOW) of.moved.delete(old);
    item.bytes = bytes;
  }

  return {
    listen(event) {
      switch (event.type) {
        case "sending":
          lane(event.delivery).inHand.set(event.delivery.id, { size: event.delivery.source.size, bytes: 0 });
          return;
        case "progress":
        case "delivered": {
          const { delivery } = event;
          const of = lane(delivery);
          move(of, delivery.id, event.type === "progress" ? event.bytes : delivery.source.size, event.at);
          of.path = delivery.source.path;
          if (event.type === "delivered") of.inHand.delete(delivery.id);
          return;
        }
        case "queued":
        case "deferred":
        case "failed":
          lane(event.delivery).inHand.delete(event.delivery.id);
      }
    },
    running(now) {
      const second = Math.floor(now / 1000);
      return [...lanes.values()].filter(({ inHand }) => inHand.size > 0).map((of) => {
        const items = [...of.inHand.values()];
        const recent = [...of.moved].filter(([at]) => at > second - WINDOW).reduce((sum, [, bytes]) => sum + bytes, 0);
        return {
          job: of.job,
          destination: of.destination,
          files: items.length,
          bytes: items.reduce((sum, item) => sum + Math.min(item.bytes, item.size), 0),
          total: items.reduce((sum, item) => sum + item.size, 0),
          bytesPerSecond: recent / WINDOW,
          path: of.path,
        };
      });
    },
  };
}
