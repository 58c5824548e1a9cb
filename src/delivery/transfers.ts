/**
 * Emits what is being sent and how far it is, but not too often. `events/progress.ts` follows it.
 *
 * @module
 */
import type { Delivery } from "../domain/delivery.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { Clock } from "../system/system.ts";

/** The running transfers of one destination. */
export interface Transfers {
  /** Begins at 0 bytes and emits `sending`. */
  begin(delivery: Delivery): void;
  /** Notes how far it is; that is emitted a few times a second at most. */
  at(delivery: Delivery, bytes: number): void;
  end(delivery: Delivery): void;
}

const TELL_EVERY_MS = 200;

/** One for each outbox; `progress` is emitted at most every 200 ms for each delivery. */
export function transfers(clock: Pick<Clock, "monotonic">, emit: Emit): Transfers {
  const running = new Map<number, { bytes: number; toldAt: number }>();
  return {
    begin(delivery) {
      running.set(delivery.id, { bytes: 0, toldAt: clock.monotonic() });
      emit({ type: "sending", delivery });
    },
    at(delivery, bytes) {
      const transfer = running.get(delivery.id);
      const now = clock.monotonic();
      if (!transfer || bytes === transfer.bytes || now - transfer.toldAt < TELL_EVERY_MS) return;
      running.set(delivery.id, { bytes, toldAt: now });
      emit({ type: "progress", delivery, bytes });
    },
    end: (delivery) => void running.delete(delivery.id),
  };
}
