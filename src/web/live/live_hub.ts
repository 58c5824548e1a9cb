/**
 * The live stream: a snapshot for each page that connects, then what changed, gathered once for all. It costs at most a few percent of the
 * daemon's time however many pages are open, and who reads too slowly is dropped.
 */
import { onAbort } from "../../async/abort.ts";
import { keepNewest } from "../../domain/chunks.ts";
import type { System } from "../../system/system.ts";
import type { LiveMessage, LiveState } from "../../reports/api_types.ts";
import { deliveryView } from "../../reports/delivery/delivery_view.ts";
import { liveStates } from "../../reports/overview/live_state.ts";
import type { PageSource } from "../../reports/page_source.ts";

/** The part of a WebSocket that is used. */
export type Client = Pick<WebSocket, "send" | "close" | "bufferedAmount" | "readyState">;

/** Most pages at a time: the rest of the server's connections are for requests. */
export const MOST_CLIENTS = 96;
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

export type LiveHub = ReturnType<typeof liveHub>;

/** All open pages; no call throws for one that went away. Works until `signal` is aborted, then closes all pages with 1001 (RFC 6455, 7.4.1). */
export function liveHub(
  source: PageSource,
  { system, onError }: {
    readonly system: Pick<System, "now" | "monotonic" | "sleep">;
    /** Hears of errors while changes are gathered. */
    readonly onError: (error: unknown) => void;
  },
  signal: AbortSignal,
) {
  const pages = openPages(system, onError);
  const looks = looksAt(source, system);
  /** Deliveries that have changed since they were told of, and whether there were more than those. */
  const changed = new Set<number>();
  let more = false;
  let isScheduled = false;

  const deaf = source.listen((event) => {
    if (pages.count() === 0) return;
    if ("delivery" in event && event.type !== "progress") {
      changed.delete(event.delivery.id);
      changed.add(event.delivery.id);
      more = keepNewest(changed, MOST_DELIVERIES) || more;
    }
    void pushSoon();
  });
  onAbort(signal, () => {
    deaf();
    pages.dismiss(1001, "the daemon is stopping");
  });
  void beat();

  async function pushSoon(): Promise<void> {
    if (isScheduled) return;
    isScheduled = true;
    await system.sleep(looks.gapMs(), signal);
    isScheduled = false;
    push();
  }

  function push(): void {
    if (pages.count() === 0 || signal.aborted) return;
    try {
      const state = looks.whatChanged();
      const [ids, hadMore] = [[...changed], more];
      changed.clear();
      more = false;
      const deliveries = ids.length === 0 ? [] : source.ledger.query({ ids }).map(deliveryView);
      if (Object.keys(state).length === 0 && deliveries.length === 0 && !hadMore) return;
      pages.send({ type: "change", at: system.now(), state, deliveries, more: hadMore });
      if (hadMore) looks.slowDown();
    } catch (error) {
      onError(error);
    }
  }

  /** Looks also when nothing happened: speeds fall, and a page wants to know that the daemon is there. */
  async function beat(): Promise<void> {
    while (!signal.aborted) {
      await system.sleep(BEAT_MS / 2, signal);
      if (!isScheduled) push();
      if (pages.quietMs() >= BEAT_MS / 2) pages.send({ type: "beat", at: system.now() });
    }
  }

  return {
    /** False where there are too many already. */
    hasRoom: () => pages.count() < MOST_CLIENTS && !signal.aborted,
    /** Sends the snapshot, and from then on changes until `leave`. */
    join(client: Client): void {
      // Many at once, as after a restart, share one look; the pages already open are told of its changes first.
      if (looks.isOld()) push();
      const state = pages.count() > 0 ? looks.last() : looks.look();
      pages.add(client, { type: "snapshot", at: system.now(), state });
    },
    leave: pages.leave,
    /** Closes all, e.g. when the token has changed. */
    dismiss: pages.dismiss,
  };
}

function openPages(clock: Pick<System, "monotonic">, onError: (error: unknown) => void) {
  const clients = new Set<Client>();
  let toldAt = 0;

  function drop(client: Client, code: number, reason: string): void {
    clients.delete(client);
    try {
      client.close(code, reason);
    } catch (error) {
      onError(error);
    }
  }

  return {
    count: () => clients.size,
    add(client: Client, first: LiveMessage): void {
      if (client.readyState !== OPEN) return;
      clients.add(client);
      client.send(JSON.stringify(first));
    },
    leave: (client: Client) => void clients.delete(client),
    /** How long nothing was sent to all of them. */
    quietMs: () => clock.monotonic() - toldAt,
    send(message: LiveMessage): void {
      toldAt = clock.monotonic();
      const text = JSON.stringify(message);
      for (const client of [...clients]) {
        if (client.readyState !== OPEN) continue;
        if (client.bufferedAmount > MOST_BUFFERED) drop(client, TOO_SLOW, "too slow");
        else client.send(text);
      }
    },
    dismiss(code: number, reason: string): void {
      for (const client of [...clients]) drop(client, code, reason);
    },
  };
}

/** Looks at the state, no more often than what a look costs allows. */
function looksAt(source: PageSource, clock: Pick<System, "now" | "monotonic">) {
  const stateAt = liveStates(source);
  let last: { readonly state: LiveState; readonly texts: Readonly<Record<string, string>>; readonly at: number } | null = null;
  let gapMs: number = GAP_MS.least;

  function look(): LiveState {
    const start = clock.monotonic();
    const state = stateAt(clock.now());
    const texts = Object.fromEntries(Object.entries(state).map(([key, part]) => [key, JSON.stringify(part)]));
    const at = clock.monotonic();
    gapMs = Math.min(Math.max(GAP_MS.least, (at - start) * GAP_MS.perMsOfWork), GAP_MS.most);
    last = { state, texts, at };
    return state;
  }

  return {
    look,
    last: () => last?.state ?? look(),
    isOld: () => last !== null && clock.monotonic() - last.at > gapMs,
    gapMs: () => gapMs,
    slowDown: () => void (gapMs = Math.max(gapMs, GAP_MS.bulk)),
    /** The parts that differ from the last look. */
    whatChanged(): Partial<LiveState> {
      const before = last?.texts ?? {};
      const state = look();
      const keys = (Object.keys(state) as (keyof LiveState)[]).filter((key) => last?.texts[key] !== before[key]);
      return Object.fromEntries(keys.map((key) => [key, state[key]]));
    },
  };
}
