/**
 * The one event stream: the pipeline tells, everyone else listens. Telling never throws and never waits, so no
 * listener can hold up a delivery.
 */
import type { Emit, TransferEvent } from "../domain/transfer_event.ts";

/** Called at once, one event after the other; must not take long. */
type Listener = (event: TransferEvent) => void;

export type EventStream = ReturnType<typeof eventStream>;

/** A stream that stamps events with `now()`; listeners hear them in the order of `listen`. A listener that throws is reported to the others, once. */
export function eventStream(now: () => number) {
  const listeners = new Set<Listener>();
  const faulty = new WeakSet<Listener>();

  const emit: Emit = (unstamped) => {
    const event = { ...unstamped, at: now() } as TransferEvent;
    for (const listener of [...listeners]) {
      try {
        listener(event);
      } catch (error) {
        if (faulty.has(listener)) continue;
        faulty.add(listener);
        emit({ type: "notice", level: "error", message: "A listener of the event stream failed", error });
      }
    }
  };

  return {
    emit,
    /** Hears every event from now on, until the returned function is called. */
    listen(listener: Listener): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
