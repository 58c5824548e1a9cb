/**
 * The live stream: one snapshot for who comes, then what changed, gathered once for all. It costs at most a few percent of the
 * daemon's time however many pages are open, and who reads too slowly is dropped.
 *
 * @module
 */
import { onAbort } from "../../async/abort.ts";
import type { Delivery } from "../../domain/delivery.ts";
import type { TransferEvent } from "../../domain/transfer_event.ts";
import type { System } from "../../system/system.ts";
import type { LiveMessage, LiveState } from "../../reports/api_types.ts";
import { deliveryView } from "../../reports/delivery/delivery_view.ts";
import { liveStates } from "../../reports/overview/live_state.ts";
import type { PageSource } from "../../reports/page_source.ts";

/** The part of a WebSocket that is used. */
export type Client = Pick<WebSocket, "send" | "close" | "bufferedAmount" | "readyState">;

/** All open pages; no call throws for a page that went away. */
export interface LiveHub {
  /** False where there are too many already. */
  hasRoom(): boolean;
  /** Sends the snapshot, and from then on changes until `leave`. */
  join(client: Client): Promise<void>;
  leave(client: Client): void;
  /** Closes all, e.g. when the token has changed. */
  dismiss(code: number, reason: string): void;
}

/** Most pages at a time. */
export const MOST_CLIENTS = 500;
/** Bytes that may wait for a client before it is dropped. */
export const MOST_BUFFERED = 1024 * 1024;
const MOST_DELIVERIES = 50;
/**
 * Changes are told this often at most, more seldom where gathering them takes long, and once a second while there are more than
 * anyone can follow.
 */
const GAP_MS = { least: 150, most: 5_000, perMsOfWork: 50, bulk: 1_000 } as const;
const BEAT_MS = 10_000;
const OPEN = 1;
/** Close codes (RFC 6455: 1013 try again later). */
const TOO_SLOW = 1013;

/** What the hub needs; `onError` hears of errors while changes are gathered. */
export interface LiveHubTools {
  readonly system: Pick<System, "now" | "monotonic" | "sleep">;
  readonly onError: (error: unknown) => void;
}

/** Works until `signal` is aborted, then closes all pages with 1001 (RFC 6455, 7.4.1). */
export function liveHub(source: PageSource, { system, onError }: LiveHubTools, signal: AbortSignal): LiveHub {
  const clients = new Set<Client>();
  const stateAt = liveStates(source);
  const changed = new Map<number, Delivery>();
  let more = false;
  let last: { readonly state: LiveState; readonly texts: Readonly<Record<string, string>>; readonly at: number } | null = null;
  let scheduled = false;
  let gapMs: number = GAP_MS.least;
  let toldAt = 0;

  const deaf = source.listen(hear);
  onAbort(signal, () => {
    deaf();
    dismiss(1001, "the daemon is stopping");
  });
  void beat();

  function hear(event: TransferEvent): void {
    if (clients.size === 0) return;
    if ("delivery" in event && event.type !== "progress") {
      changed.delete(event.delivery.id);
      changed.set(event.delivery.id, event.delivery);
      for (const oldest of changed.keys()) {
        if (changed.size <= MOST_DELIVERIES) break;
        changed.delete(oldest);
        more = true;
      }
    }
    schedule();
  }

  function schedule(): void {
    if (scheduled || signal.aborted) return;
    scheduled = true;
    system.sleep(gapMs, signal).then(async () => {
      scheduled = false;
      await push();
    }).catch(onError);
  }

  async function push(): Promise<void> {
    if (clients.size === 0 || signal.aborted) return;
    const before = last?.texts ?? {};
    const { state, texts } = await gather();
    const keys = Object.keys(state) as (keyof LiveState)[];
    const parts = Object.fromEntries(keys.filter((key) => texts[key] !== before[key]).map((key) => [key, state[key]]));
    const rows = changed.size === 0 ? [] : source.ledger.query({ ids: [...changed.keys()] }).map(deliveryView);
    changed.clear();
    if (Object.keys(parts).length === 0 && rows.length === 0 && !more) return;
    send(clients, { type: "change", at: system.now(), state: parts, deliveries: rows, more });
    if (more) gapMs = Math.max(gapMs, GAP_MS.bulk);
    more = false;
  }

  async function gather(): Promise<NonNullable<typeof last>> {
    const start = system.monotonic();
    const state = await stateAt(system.now());
    const texts = Object.fromEntries(Object.entries(state).map(([key, part]) => [key, JSON.stringify(part)]));
    const at = system.monotonic();
    gapMs = Math.min(Math.max(GAP_MS.least, (at - start) * GAP_MS.perMsOfWork), GAP_MS.most);
    return last = { state, texts, at };
  }

  function send(to: Iterable<Client>, message: LiveMessage): void {
    const text = JSON.stringify(message);
    toldAt = system.monotonic();
    for (const client of [...to]) {
      if (client.readyState !== OPEN) continue;
      if (client.bufferedAmount > MOST_BUFFERED) drop(client, TOO_SLOW, "too slow");
      else client.send(text);
    }
  }

  function drop(client: Client, code: number, reason: string): void {
    clients.delete(client);
    try {
      client.close(code, reason);
    } catch (error) {
      onError(error);
    }
  }

  function dismiss(code: number, reason: string): void {
    for (const client of [...clients]) drop(client, code, reason);
  }

  /** Looks also when nothing happened: speeds go down by themselves, and a page wants to know that we are there. */
  async function beat(): Promise<void> {
    while (!signal.aborted) {
      await system.sleep(BEAT_MS / 2, signal);
      try {
        if (clients.size > 0 && !scheduled) await push();
      } catch (error) {
        onError(error);
      }
      if (system.monotonic() - toldAt >= BEAT_MS / 2) send(clients, { type: "beat", at: system.now() });
    }
  }

  return {
    hasRoom: () => clients.size < MOST_CLIENTS && !signal.aborted,
    async join(client) {
      // Many at once, as after a restart, share one look; the others hear of what it finds first.
      if (clients.size > 0 && last !== null && system.monotonic() - last.at > gapMs) await push();
      const { state } = clients.size > 0 && last !== null ? last : await gather();
      if (client.readyState !== OPEN) return;
      clients.add(client);
      client.send(JSON.stringify({ type: "snapshot", at: system.now(), state } satisfies LiveMessage));
    },
    leave: (client) => void clients.delete(client),
    dismiss,
  };
}
