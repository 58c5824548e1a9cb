/**
 * What the daemon last said, and how far it can be trusted: `live` holds the state, `link` says whether it is of this moment.
 *
 * @module
 */
import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";
import type { DeliveryView, Headline, LiveMessage, LiveState } from "../../../reports/api_types.ts";
import { setClock } from "./clock.ts";

/** The connection. `retryAt` is when it is tried again (browser's clock). */
type Link =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "lost"; readonly retryAt: number }
  | { readonly kind: "no_session" };

/** The state as last heard; null before the first snapshot. Kept while the connection is lost. */
export const live = signal<LiveState | null>(null);

/** Whether `live` is of this moment. */
export const link = signal<Link>({ kind: "connecting" });
/** When the last message came, by the browser's clock; 0 before the first. */
export const heardAt = signal(0);
/** The same by the daemon's clock. */
export const toldAt = signal(0);

/** The daemon said that it stops. */
export const saidGoodbye = signal(false);

/** False where what is shown may be out of date. */
export const isLive: ReadonlySignal<boolean> = computed(() => link.value.kind === "live");

/** One part of the state; its readers are notified only when that part changes. */
export function part<K extends keyof LiveState>(name: K): ReadonlySignal<LiveState[K] | null> {
  return computed(() => live.value?.[name] ?? null);
}

/** The time zone of the site; undefined before the first snapshot: then the browser's own has to do. */
export const siteZone: ReadonlySignal<string | undefined> = computed(() => live.value?.zone);

/** The daemon's own; `now/shown_headline.ts` has the one to show. */
export const headline: ReadonlySignal<Headline | null> = part("headline");

/** 0 before the first snapshot. */
export const troubleCount: ReadonlySignal<number> = computed(() => live.value?.troubleCount ?? 0);

/** Deliveries that changed; `more` where there were others besides. */
interface Changes {
  readonly rows: readonly DeliveryView[];
  readonly more: boolean;
}

const listeners = new Set<(changes: Changes) => void>();

/** Hears of changed deliveries until the returned function is called. */
export function onChanges(listener: (changes: Changes) => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function hear(message: LiveMessage): void {
  setClock(message.at);
  batch(() => {
    heardAt.value = Date.now();
    toldAt.value = message.at;
    if (message.type === "snapshot") {
      const before = live.value?.status;
      // Another version of the daemon has another version of this page.
      if (before !== undefined && before.version !== message.state.status.version) location.reload();
      live.value = message.state;
      link.value = { kind: "live" };
      saidGoodbye.value = false;
    } else if (message.type === "change" && live.value !== null) {
      live.value = { ...live.value, ...message.state };
    }
  });
  if (message.type === "snapshot") notify({ rows: [], more: true });
  else if (message.type === "change" && (message.deliveries.length > 0 || message.more)) {
    notify({ rows: message.deliveries, more: message.more });
  }
}

function notify(changes: Changes): void {
  for (const listener of [...listeners]) listener(changes);
}
