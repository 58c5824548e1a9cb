/**
 * What is being sent just now and how far it is, for the console, the page and `status`.
 *
 * @module
 */
import type { Delivery } from "../domain/delivery.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { Clock } from "../system/system.ts";

/** A running transfer; `bytes` have arrived as far as the tool tells. */
export interface Transfer {
  readonly delivery: Delivery;
  readonly bytes: number;
}

/** The running transfers of one destination. */
export interface Transfers {
  /** Begins at 0 bytes and tells `sending`. */
  begin(delivery: Delivery): void;
  /** Notes how far it is; listeners hear of it a few times a second. */
  at(delivery: Delivery, bytes: number): void;
  end(delivery: Delivery): void;
  list(): Transfer[];
}

const TELL_EVERY_MS = 200;

/** One for each outbox; `progress` is told at most every 200 ms for each delivery. */
export function transfers(clock: Pick<Clock, "monotonic">, emit: Emit): Transfers {
  const running = new Map<number, { delivery: Delivery; bytes: number; toldAt: number }>();
  return {
    begin(delivery) {
      running.set(delivery.id, { delivery, bytes: 0, toldAt: clock.monotonic() });
      emit({ type: "sending", delivery });
    },
    at(delivery, bytes) {
      const transfer = running.get(delivery.id);
      if (!transfer || bytes === transfer.bytes) return;
      transfer.bytes = bytes;
      const now = clock.monotonic();
      if (now - transfer.toldAt < TELL_EVERY_MS) return;
      transfer.toldAt = now;
      emit({ type: "progress", delivery, bytes });
    },
    end: (delivery) => void running.delete(delivery.id),
    list: () => [...running.values()].map(({ delivery, bytes }) => ({ delivery, bytes })),
  };
}
