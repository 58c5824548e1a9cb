/**
 * Slows down who guesses tokens: after some wrong ones a peer is not listened to for a while.
 *
 * @module
 */

/** Times in milliseconds by whatever clock, the same for both calls. */
export interface LoginLimit {
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

/** An IPv6 network hands out whole /64s: they count as one peer. */
function group(peer: string): string {
  return peer.includes(":") && !peer.startsWith("::") ? peer.split(":").slice(0, 4).join(":") : peer;
}
