/** Lets in those who have the token: browsers show it once and then a cookie, scripts send `Authorization: Bearer`. */
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { bearerOf, sameText, wordsOf } from "./access.ts";
import { type Access, SESSION_SECONDS } from "./token.ts";
import type { Clock } from "../../system/system.ts";

/** What became of a try to get in: `waitMs` until the next one is listened to. */
export type Try = { readonly in: true } | { readonly in: false; readonly waitMs: number };

/** Decides who is in; wrong tokens count for `peer`, the address that they came from. */
export interface Authentication {
  /** Whether the request has a session or the token with it. */
  knows(c: Context, peer: string): Try;
  /** Whether there is a token that opens only metrics and health. */
  readonly hasMonitorToken: boolean;
  /** The same, or the token that opens only metrics and health. */
  mayMonitor(c: Context, peer: string): Try;
  /** A token was given to begin a session; `isOwn` tells whether it came from this account. */
  login(token: string, peer: string, isOwn: () => Promise<boolean>): Promise<Try>;
  /** Begins a session: the answer sets its cookie. */
  begin(c: Context): void;
  /** Ends the session of this request, or all; false where it has none. */
  end(c: Context, everywhere: boolean): boolean;
  /** A token for one login within two minutes; an `own` one is of use to this account only, as others can read the arguments of a browser. */
  ticket(kind: "own" | "any"): string;
}

const TICKET_MS = 120_000;
const MOST_TICKETS = 100;
/** Nobody guesses a longer one: the right one is accepted however many wrong ones came from the same address, as from another account here. */
const GUESSABLE = 32;

/** `secure` marks the cookie for https only; `metricsToken` opens metrics and health. */
export function authentication(
  access: Access,
  secure: boolean,
  clock: Pick<Clock, "monotonic" | "randomHex">,
  metricsToken: string | null = null,
): Authentication {
  const limit = loginLimit();
  const now = clock.monotonic;
  const tickets = ticketBook(clock);
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

  return {
    knows,
    hasMonitorToken: metricsToken !== null,
    mayMonitor(c, peer) {
      const bearer = bearerOf(c.req.raw);
      const isListenedTo = metricsToken !== null && bearer !== null &&
        (metricsToken.length >= GUESSABLE || limit.wait(peer, now()) === 0);
      return isListenedTo && sameText(bearer, metricsToken) ? { in: true } : knows(c, peer);
    },
    login: async (token, peer, isOwn) => await tickets.takes(token, isOwn) ? { in: true } : tryToken(token, peer),
    begin(c) {
      const options = { httpOnly: true, sameSite: "Strict", maxAge: SESSION_SECONDS, secure } as const;
      setCookie(c, name, access.sessions.begin(), options);
    },
    end(c, everywhere) {
      const cookie = getCookie(c, name);
      if (cookie === undefined || !access.sessions.knows(cookie)) return false;
      access.sessions.end(everywhere ? null : cookie);
      deleteCookie(c, name, { secure });
      return true;
    },
    ticket: tickets.issue,
  };
}

/** Tokens for one login each. */
function ticketBook({ monotonic: now, randomHex }: Pick<Clock, "monotonic" | "randomHex">) {
  const tickets = new Map<string, { readonly until: number; readonly kind: "own" | "any" }>();
  return {
    async takes(token: string, isOwn: () => Promise<boolean>): Promise<boolean> {
      const ticket = tickets.get(token);
      if (ticket === undefined || ticket.until < now()) return false;
      // Others do not use it up.
      if (ticket.kind === "own" && !await isOwn()) return false;
      return tickets.delete(token);
    },
    issue(kind: "own" | "any"): string {
      const ticket = randomHex(24);
      tickets.set(ticket, { until: now() + TICKET_MS, kind });
      for (const oldest of tickets.keys()) {
        if (tickets.size <= MOST_TICKETS) break;
        tickets.delete(oldest);
      }
      return ticket;
    },
  };
}

/** Times in milliseconds by whatever clock, the same for both calls. */
interface LoginLimit {
  /** Milliseconds until this peer may try again; 0 where it may now. */
  wait(peer: string, now: number): number;
  /** A wrong token came from there. */
  failed(peer: string, now: number): void;
}

/** So many wrong tokens a peer has within {@linkcode WINDOW_MS}. */
export const TRIES = 10;
const WINDOW_MS = 60_000;
/** More are not remembered; the oldest go first. */
const MOST_PEERS = 1000;

/** Kept in memory: a restart forgets. */
export function loginLimit(): LoginLimit {
  const peers = new Map<string, { since: number; failures: number }>();
  return {
    wait(peer, now) {
      const known = peers.get(group(peer));
      if (known === undefined || known.failures < TRIES) return 0;
      return Math.max(0, known.since + WINDOW_MS - now);
    },
    failed(peer, now) {
      const key = group(peer);
      const known = peers.get(key);
      if (known !== undefined && known.since + WINDOW_MS > now) {
        known.failures++;
        return;
      }
      peers.delete(key);
      peers.set(key, { since: now, failures: 1 });
      for (const oldest of peers.keys()) {
        if (peers.size <= MOST_PEERS) break;
        peers.delete(oldest);
      }
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
