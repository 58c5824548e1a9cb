/**
 * Keeps the WebSocket to the daemon: notices when it has gone silent (sleep, a lost network), comes back with growing pauses, at once
 * when the page is looked at again, and tells a lost session from a daemon that is away.
 *
 * @module
 */
import type { LiveMessage } from "../../../reports/api_types.ts";
import { startClock } from "./clock.ts";
import { hear, link, saidGoodbye } from "./live.ts";

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
