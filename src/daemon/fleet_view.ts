/**
 * The state of all computers of the fleet, as the page and the morning report see it: asked for while somebody looks, and only then.
 *
 * @module
 */
import { type Bell, bell } from "../async/bell.ts";
import type { FleetNow } from "../domain/fleet.ts";
import type { EventStream } from "../events/event_stream.ts";
import type { System } from "../system/system.ts";

export interface FleetView {
  /** At most some seconds old; older, or null, if the server does not tell in time. */
  now(): Promise<FleetNow | null>;
  /** Rung when somebody looks; an event `fleet` is the answer. */
  readonly asked: Bell;
}

/** Pages that look at the same time share an answer of this age. */
const FRESH_MS = 10_000;
/** A page that opens waits so long. */
const PATIENCE_MS = 5_000;

/** @param isLinked whether there is a server to ask */
export function fleetView(
  { listen }: Pick<EventStream, "listen">,
  isLinked: () => boolean,
  system: Pick<System, "sleep" | "monotonic">,
): FleetView {
  const [asked, told] = [bell(system), bell(system)];
  let last: { readonly fleet: FleetNow; readonly monotonic: number } | null = null;
  listen((event) => {
    if (event.type !== "fleet") return;
    last = { fleet: { members: event.members, at: event.at }, monotonic: system.monotonic() };
    told.ring();
  });
  const isFresh = () => last !== null && system.monotonic() - last.monotonic < FRESH_MS;
  return {
    asked,
    async now() {
      const until = system.monotonic() + PATIENCE_MS;
      if (isLinked() && !isFresh()) asked.ring();
      // A ring that nobody waited for is no answer.
      while (isLinked() && !isFresh() && system.monotonic() < until) {
        await told.wait(until - system.monotonic(), new AbortController().signal);
      }
      return last?.fleet ?? null;
    },
  };
}
