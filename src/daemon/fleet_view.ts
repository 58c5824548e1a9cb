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
  /** Why the server's jobs are not used; null where they are. */
  rejected(): string | null;
  /** Rung when somebody looks; an event `fleet` is the answer. */
  readonly asked: Bell;
}

/** Pages that look at the same time share an answer of this age. */
const FRESH_MS = 10_000;
/** A page that opens waits so long. */
const PATIENCE_MS = 5_000;

/** @param serverNow the address of the server to ask, as it is configured now; null without one */
export function fleetView(
  { listen }: Pick<EventStream, "listen">,
  serverNow: () => string | null,
  system: Pick<System, "sleep" | "monotonic">,
): FleetView {
  const [asked, told] = [bell(system), bell(system)];
  let last: { readonly fleet: FleetNow; readonly monotonic: number; readonly server: string | null } | null = null;
  let rejected: { readonly why: string; readonly server: string | null } = { why: "", server: null };
  listen((event) => {
    if (event.type === "server_jobs") rejected = { why: event.rejected, server: serverNow() };
    if (event.type !== "fleet") return;
    last = { fleet: { members: event.members, at: event.at }, monotonic: system.monotonic(), server: serverNow() };
    told.ring();
  });
  const isLinked = () => serverNow() !== null;
  // What another server told, before a reload, is of another fleet.
  const known = () => last?.server === serverNow() ? last : null;
  const isFresh = () => system.monotonic() - (known()?.monotonic ?? -Infinity) < FRESH_MS;
  return {
    asked,
    rejected: () => rejected.why !== "" && rejected.server === serverNow() ? rejected.why : null,
    async now() {
      const until = system.monotonic() + PATIENCE_MS;
      if (isLinked() && !isFresh()) asked.ring();
      // A ring that nobody waited for is no answer.
      while (isLinked() && !isFresh() && system.monotonic() < until) {
        await told.wait(until - system.monotonic(), new AbortController().signal);
      }
      return known()?.fleet ?? null;
    },
  };
}
