/**
 * Lets in those who have the token: browsers show it once and then a cookie, scripts send `Authorization: Bearer`.
 *
 * @module
 */
import type { Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { bearerOf, sameText } from "./access.ts";
import { loginLimit } from "./login_limit.ts";
import { type Access, randomHex } from "./token.ts";

/** What became of a try to get in: `waitMs` until the next one is listened to. */
export type Try = { readonly in: true } | { readonly in: false; readonly waitMs: number };

/** Decides who is in; wrong tokens count for `peer`, the address that they came from. */
export interface Authentication {
  /** Whether the request has a session or the token with it. */
  knows(c: Context, peer: string): Try;
  /** The same, or the token that opens only metrics and health. */
  mayMonitor(c: Context, peer: string): Try;
  /** A token was given to begin a session. */
  login(token: string, peer: string): Try;
  /** Begins a session: the answer sets its cookie. */
  begin(c: Context): void;
  /** A token for one login within two minutes: what is handed to a browser as an argument can be read by others here. */
  ticket(): string;
}

const TICKET_MS = 120_000;
const MOST_TICKETS = 100;
const SESSION_SECONDS = 30 * 24 * 3600;

/** `secure` marks the cookie for https only; `now` is milliseconds on a clock that nobody sets; `metricsToken` opens metrics and health. */
export function authentication(
  access: Access,
  secure: boolean,
  now: () => number,
  metricsToken: string | null = null,
): Authentication {
  const limit = loginLimit();
  const tickets = new Map<string, number>();
  const { name, value } = access.cookie;

  function isTicket(token: string): boolean {
    const until = tickets.get(token);
    return tickets.delete(token) && until !== undefined && until >= now();
  }

  function tryToken(token: string, peer: string, tickets: boolean): Try {
    const waitMs = limit.wait(peer, now());
    if (waitMs > 0) return { in: false, waitMs };
    if (sameText(token, access.token) || tickets && isTicket(token)) return { in: true };
    limit.failed(peer, now());
    return { in: false, waitMs: limit.wait(peer, now()) };
  }

  function knows(c: Context, peer: string): Try {
    const cookie = getCookie(c, name);
    if (cookie !== undefined && sameText(cookie, value)) return { in: true };
    const bearer = bearerOf(c.req.raw);
    return bearer === null ? { in: false, waitMs: 0 } : tryToken(bearer, peer, false);
  }

  return {
    knows,
    mayMonitor(c, peer) {
      const bearer = bearerOf(c.req.raw);
      const isListenedTo = metricsToken !== null && bearer !== null && limit.wait(peer, now()) === 0;
      return isListenedTo && sameText(bearer, metricsToken) ? { in: true } : knows(c, peer);
    },
    login: (token, peer) => tryToken(token, peer, true),
    begin: (c) => setCookie(c, name, value, { httpOnly: true, sameSite: "Strict", maxAge: SESSION_SECONDS, secure }),
    ticket() {
      const ticket = randomHex(24);
      tickets.set(ticket, now() + TICKET_MS);
      for (const oldest of tickets.keys()) {
        if (tickets.size <= MOST_TICKETS) break;
        tickets.delete(oldest);
      }
      return ticket;
    },
  };
}
