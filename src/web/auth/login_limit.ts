/**
 * Slows down who guesses tokens: after some wrong ones a peer is not listened to for a while.
 *
 * @module
 */

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

/** The eight words of an IPv6 address in any of its notations (RFC 4291, 2.2). */
export function wordsOf(address: string): number[] {
  const [front = [], back] = address.split("::", 2).map((part) => part.split(":").filter((word) => word !== "").flatMap(wordOf));
  if (back === undefined) return front;
  return [...front, ...new Array<number>(Math.max(0, 8 - front.length - back.length)).fill(0), ...back];
}

/** One word, or the two that an IPv4 address at the end stands for. */
function wordOf(text: string): number[] {
  if (!text.includes(".")) return [parseInt(text, 16)];
  const [a = 0, b = 0, c = 0, d = 0] = text.split(".").map(Number);
  return [a << 8 | b, c << 8 | d];
}
