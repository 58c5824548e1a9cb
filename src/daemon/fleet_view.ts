/**
 * The fleet as the page and the morning report see it: the state of all computers, asked for while somebody looks, and only then; and commands for
 * them.
 */
import { bell } from "../async/bell.ts";
import type { Settings } from "../config/settings.ts";
import { Failure } from "../domain/failure.ts";
import type { FleetNow } from "../domain/fleet.ts";
import type { EventStream } from "../events/event_stream.ts";
import type { PocketbaseServer } from "../fleet/pocketbase_server.ts";
import type { PageFleet } from "../reports/page_source.ts";
import type { System } from "../system/system.ts";

export type FleetView = ReturnType<typeof fleetView>;

/** Pages that look at the same time share an answer of this age. */
const FRESH_MS = 10_000;
/** A page that opens waits so long. */
const PATIENCE_MS = 5_000;

/** `serverNow` is the address of the server to ask, as it is configured now; null without one. */
export function fleetView(
  { listen }: Pick<EventStream, "listen">,
  serverNow: () => string | null,
  system: Pick<System, "sleep" | "monotonic">,
) {
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
    /** Rung when somebody looks; an event `fleet` is the answer. */
    asked,
    /** Why the server's jobs are not used; null where they are. */
    rejected: (): string | null => rejected.why !== "" && rejected.server === serverNow() ? rejected.why : null,
    /** At most some seconds old; older, or null, if the server does not tell in time. */
    async now(): Promise<FleetNow | null> {
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

/**
 * What the page asks of other computers, through the PocketBase server. The first command logs in. Each call throws a
 * `Failure` if there is no server or it does not respond.
 */
export function pageFleet(settings: () => Settings, system: System, signal: AbortSignal): PageFleet {
  let known: { readonly of: string; readonly server: PocketbaseServer } | null = null;
  const connected = async () => {
    const { pocketbase } = settings();
    if (pocketbase === null) throw new Failure("configuration", "No PocketBase server is configured");
    const of = JSON.stringify(pocketbase);
    if (known?.of !== of) {
      const { pocketbaseServer } = await import("../fleet/pocketbase_server.ts");
      known = { of, server: pocketbaseServer({ ...pocketbase, retryAttempts: 0 }, system) };
    }
    return { pocketbase, server: known.server };
  };
  return {
    async send({ computer, action, argument }) {
      const { pocketbase, server } = await connected();
      const { senderOf } = await import("../fleet/accounts.ts");
      const { sendCommand } = await import("../fleet/remote_commands.ts");
      const from = await senderOf(server, pocketbase, system, signal);
      const wait = (ms: number) => system.sleep(ms, signal);
      return await sendCommand({ to: computer, action, argument }, from, server, wait, signal);
    },
    async commands() {
      const { server } = await connected();
      const { listCommands } = await import("../fleet/remote_commands.ts");
      return await listCommands(server, signal);
    },
  };
}
