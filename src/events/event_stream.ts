/**
 * The one event stream: the corridor tells, everyone else listens. Telling never throws and never waits, so no
 * listener can hold up a delivery.
 *
 * @module
 */
import type { Emit, NewEvent, TransferEvent } from "../domain/transfer_event.ts";

/** Called at once, one event after the other; must not take long. */
type Listener = (event: TransferEvent) => void;

/** One for the daemon; listeners hear events in the order of `listen`. */
export interface EventStream {
  readonly emit: Emit;
  /** Hears every event from now on, until the returned function is called. */
  listen(listener: Listener): () => void;
}

/** A stream that stamps events with `now()`. A listener that throws is reported to the others, once. */
export function eventStream(now: () => number): EventStream {
  const listeners = new Set<Listener>();
  const faulty = new WeakSet<Listener>();

  const stamped = (event: NewEvent): TransferEvent => ({ ...event, at: now() } as TransferEvent);

  function emit(unstamped: NewEvent): void {
    const event = stamped(unstamped);
    for (const listener of [...listeners]) {
      try {
        listener(event);
      } catch (error) {
        if (faulty.has(listener)) continue;
        faulty.add(listener);
        emit({ type: "notice", level: "error", message: "A listener of the event stream failed", error });
      }
    }
  }

  return {
    emit,
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
