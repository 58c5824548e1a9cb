/** What the daemon last said, and how far it can be trusted: `live` holds the state, `link` says whether it is of this moment. */
import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";
import type { DeliveryView, Headline, LiveMessage, LiveState } from "../../../reports/api_types.ts";
import { setClock, startClock } from "./clock.ts";

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

/** The daemon's own; `store/headline.ts` has the one to show. */
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

/** The daemon says something at least every ten seconds. */
const SILENT_MS = 25_000;
const PAUSE_MS = { first: 500, most: 15_000 } as const;
/** How often a page without a session looks whether it has got one. */
const SESSION_MS = 10_000;
const SESSION_OVER = 4401;
/** RFC 6455, 7.4.1: the daemon is stopping. */
const GOING_AWAY = 1001;

let socket: WebSocket | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
let pauseMs: number = PAUSE_MS.first;
/** When it was opened or last heard, by the browser's clock. */
let aliveAt = 0;

/** Connects, and reconnects automatically. */
export function startConnection(): void {
  startClock(watch);
  document.addEventListener("visibilitychange", lookAgain);
  addEventListener("online", lookAgain);
  addEventListener("pageshow", lookAgain);
  open();
}

/** Tries now rather than at the end of the pause. */
export function reconnect(): void {
  pauseMs = PAUSE_MS.first;
  open();
}

/** An answer said that there is no session. */
export function sessionIsOver(): void {
  drop();
  link.value = { kind: "no_session" };
  clearTimeout(timer);
  timer = setTimeout(lookForSession, SESSION_MS);
}

function open(): void {
  clearTimeout(timer);
  drop();
  aliveAt = Date.now();
  const mine = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live`);
  socket = mine;
  mine.onmessage = ({ data }) => {
    pauseMs = PAUSE_MS.first;
    aliveAt = Date.now();
    hear(JSON.parse(String(data)) as LiveMessage);
  };
  mine.onclose = ({ code }) => {
    if (socket !== mine) return;
    socket = null;
    if (code === GOING_AWAY) saidGoodbye.value = true;
    if (code === SESSION_OVER) sessionIsOver();
    else void lost();
  };
}

function drop(): void {
  const former = socket;
  socket = null;
  former?.close();
}

async function lost(): Promise<void> {
  const waitMs = pauseMs * (0.75 + Math.random() / 2);
  pauseMs = Math.min(pauseMs * 2, PAUSE_MS.most);
  link.value = { kind: "lost", retryAt: Date.now() + waitMs };
  clearTimeout(timer);
  timer = setTimeout(open, waitMs);
  // A browser does not tell why a WebSocket was refused.
  if (await hasSession() === false) sessionIsOver();
}

/** False when the daemon says no; null when it says nothing. */
async function hasSession(): Promise<boolean | null> {
  try {
    const answer = await fetch("/api/status", { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    return answer.status === 401 ? false : answer.ok ? true : null;
  } catch {
    return null;
  }
}

async function lookForSession(): Promise<void> {
  if (link.value.kind !== "no_session") return;
  if (await hasSession() === true) return reconnect();
  clearTimeout(timer);
  timer = setTimeout(lookForSession, SESSION_MS);
}

/** Once a second, and when the computer wakes: a connection that is silent for too long is none. */
function watch(): void {
  // A clock that was set back must not make a silent connection look young.
  if (socket === null || Math.abs(Date.now() - aliveAt) < SILENT_MS) return;
  drop();
  pauseMs = PAUSE_MS.first;
  void lost();
}

function lookAgain(): void {
  if (document.visibilityState !== "visible") return;
  if (link.value.kind === "lost") reconnect();
  else if (link.value.kind === "no_session") void lookForSession();
  else watch();
}
