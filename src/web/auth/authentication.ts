/** Lets in those who have the token: browsers show it once and then a cookie, scripts send `Authorization: Bearer`. */
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { bearerOf, sameText, wordsOf } from "./access.ts";
import { type Access, SESSION_SECONDS } from "./token.ts";
import { keepNewest } from "../../domain/chunks.ts";
import type { Clock } from "../../system/system.ts";

/** What became of a try to get in: `waitMs` until the next one is listened to. */
export type Try = { readonly in: true } | { readonly in: false; readonly waitMs: number };

const TICKET_MS = 120_000;
const MOST_TICKETS = 100;
/** Nobody guesses a longer one: the right one is accepted however many wrong ones came from the same address, as from another account here. */
const GUESSABLE = 32;

export type Authentication = ReturnType<typeof authentication>;

/**
 * Decides who is in; wrong tokens count for `peer`, the address that they came from. `secure` marks the cookie for https only;
 * `metricsToken` opens metrics and health.
 */
export function authentication(
  access: Access,
  secure: boolean,
  clock: Pick<Clock, "monotonic" | "randomHex">,
  metricsToken: string | null = null,
) {
  const limit = loginLimit();
  const now = clock.monotonic;
  const tickets = new Map<string, { readonly until: number; readonly kind: "own" | "any" }>();
  // Over TLS no other host or path can set it, and it never leaves TLS.
  const name = `${secure ? "__Host-" : ""}${access.cookieName}`;

  function tryToken(token: string, peer: string): Try {
    const isLong = access.token.length >= GUESSABLE;
    const waitMs = limit.wait(peer, now());
    if (waitMs > 0 && !isLong) return { in: false, waitMs };
    if (sameText(token, access.token)) return { in: true };
    if (waitMs === 0) limit.failed(peer, now());
    return { in: false, waitMs: limit.wait(peer, now()) };
  }

  function knows(c: Context, peer: string): Try {
    const cookie = getCookie(c, name);
    if (cookie !== undefined && access.sessions.knows(cookie)) return { in: true };
    const bearer = bearerOf(c.req.raw);
    return bearer === null ? { in: false, waitMs: 0 } : tryToken(bearer, peer);
  }

  async function useTicket(token: string, isOwn: () => Promise<boolean>): Promise<boolean> {
    const ticket = tickets.get(token);
    if (ticket === undefined || ticket.until < now()) return false;
    // Others do not use it up.
    if (ticket.kind === "own" && !await isOwn()) return false;
    return tickets.delete(token);
  }

  return {
    /** Whether the request has a session or the token with it. */
    knows,
    /** Whether there is a token that opens only metrics and health. */
    hasMonitorToken: metricsToken !== null,
    /** Whether it has a session, the token, or the one that opens only metrics and health. */
    mayMonitor(c: Context, peer: string): Try {
      const bearer = bearerOf(c.req.raw);
      const isListenedTo = metricsToken !== null && bearer !== null &&
        (metricsToken.length >= GUESSABLE || limit.wait(peer, now()) === 0);
      return isListenedTo && sameText(bearer, metricsToken) ? { in: true } : knows(c, peer);
    },
    /** A token was given to begin a session; `isOwn` tells whether it came from this account. */
    login: async (token: string, peer: string, isOwn: () => Promise<boolean>): Promise<Try> =>
      await useTicket(token, isOwn) ? { in: true } : tryToken(token, peer),
    /** Begins a session: the answer sets its cookie. */
    begin(c: Context): void {
      const options = { httpOnly: true, sameSite: "Strict", maxAge: SESSION_SECONDS, secure } as const;
      setCookie(c, name, access.sessions.begin(), options);
    },
    /** Ends the session of this request, or all; false where it has none. */
    end(c: Context, everywhere: boolean): boolean {
      const cookie = getCookie(c, name);
      if (cookie === undefined || !access.sessions.knows(cookie)) return false;
      access.sessions.end(everywhere ? null : cookie);
      deleteCookie(c, name, { secure });
      return true;
    },
    /** A token for one login within two minutes; an `own` one is of use to this account only, as others can read the arguments of a browser. */
    ticket(kind: "own" | "any"): string {
      const ticket = clock.randomHex(24);
      tickets.set(ticket, { until: now() + TICKET_MS, kind });
      keepNewest(tickets, MOST_TICKETS);
      return ticket;
    },
  };
}

/** So many wrong tokens a peer has within {@linkcode WINDOW_MS}. */
export const TRIES = 10;
const WINDOW_MS = 60_000;
/** More are not remembered; the oldest go first. */
const MOST_PEERS = 1000;

/** Kept in memory: a restart forgets. Times are milliseconds by whatever clock, the same for both calls. */
export function loginLimit() {
  const peers = new Map<string, { since: number; failures: number }>();
  return {
    /** Milliseconds until this peer may try again; 0 where it may now. */
    wait(peer: string, now: number): number {
      const known = peers.get(group(peer));
      if (known === undefined || known.failures < TRIES) return 0;
      return Math.max(0, known.since + WINDOW_MS - now);
    },
    /** A wrong token came from there. */
    failed(peer: string, now: number): void {
      const key = group(peer);
      const known = peers.get(key);
      if (known !== undefined && known.since + WINDOW_MS > now) {
        known.failures++;
        return;
      }
      peers.delete(key);
      peers.set(key, { since: now, failures: 1 });
      keepNewest(peers, MOST_PEERS);
    },
  };
}

/** An IPv6 network hands out whole /64s: they count as one peer, per interface where one is named. */
function group(peer: string): string {
  const [address = "", zone = ""] = peer.toLowerCase().split("%", 2);
  if (!address.includes(":")) return peer;
  const words = wordsOf(address);
  const isMapped = words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff;
  // An IPv4 address mapped into IPv6 is the same peer (RFC 4291, 2.5.5.2).
  if (isMapped) return words.slice(6).flatMap((word) => [word >> 8, word & 255]).join(".");
  return `${words.slice(0, 4).map((word) => word.toString(16)).join(":")}%${zone}`;
}
