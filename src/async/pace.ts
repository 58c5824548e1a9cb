/**
 * Keeps what is sent at a rate: a tree of buckets, each with a limit for all that passes through its branches together. In any second, at
 * most 1.05 of a limit passes; time in which nothing is sent earns no credit.
 *
 * What we write ourselves is paced piece by piece. A program whose rate is set when it starts leases a share of the rate for its run.
 */
import { onAbort } from "./abort.ts";
import { type Bell, bell } from "./bell.ts";
import type { Sleeper } from "./deadline.ts";
import { mutex } from "./mutex.ts";

/** Somebody who sends through a bucket. */
export interface Pace {
  /** Bytes that may be sent in one piece; infinite without a limit. To be asked for each piece: limits and leases change. */
  readonly atOnce: number;
  /** Waits until the next piece may be sent. @throws the signal's reason once it is aborted. */
  next(bytes: number, signal: AbortSignal): Promise<void>;
  /**
   * Waits for a fair share of the rate, for a program that sends so many bytes; it has one lease at a time. Without a limit, nobody waits.
   * `onWait` is called every second meanwhile. @throws the signal's reason once it is aborted.
   */
  lease(bytes: number, signal: AbortSignal, onWait?: () => void): Promise<Lease>;
}

/** A share of the rate, until it is disposed of. */
export interface Lease extends Disposable {
  /** Bytes per second; null is no limit. */
  readonly rate: number | null;
  /** Adapts the rate to the limits and to who sends now, for a program that can be told so. */
  renew(): void;
}

/** A limit for all its branches together. */
export interface Bucket {
  /** Bytes per second, asked for each piece; null is no limit. */
  readonly limit: () => number | null;
  readonly parent: Bucket | null;
  readonly line: Line;
  readonly leases: Set<Held>;
  /** Those who send, or have just sent. */
  readonly branches: Set<Bucket>;
  /** When the next piece may pass, and when the last one did. */
  nextAt: number;
  usedAt: number;
  /** Requests that wait. */
  waiting: number;
}

/** What all buckets of a tree share. */
interface Line {
  readonly clock: Clock;
  readonly bell: Bell;
  /** In their order. */
  readonly requests: Request[];
  serving: boolean;
  /** The place of the last one that passed: who has sent less than others is served first, but has saved nothing up. */
  turn: number;
  toldAt: number;
}

interface Request {
  readonly place: number;
  /** From when on it may pass, as far as is known. */
  at(now: number): number;
  pass(now: number): void;
  readonly onWait?: (() => void) | undefined;
}

interface Held {
  rate: number | null;
  /** It counts until then. */
  until: number;
}

type Clock = Sleeper & { monotonic(): number };

/** How long a piece takes at its rate, and how late it may be without losing its time. */
const PIECE_MS = 10;
const LATE_MS = 20;
const SMALLEST_BYTES = 256;
const MOST_BYTES = 256 * 1024;
/** Programs get this much of a limit: the rest keeps others from standing still while one runs. */
const LEASED = 0.96;
/** Programs may be ahead of their rate by so much when they end. */
const AHEAD_MS = 200;
/** Who has just sent counts as somebody who sends. */
const RECENT_MS = 1000;
/** Limits change, too. */
const LOOK_MS = 1000;

/** A bucket whose bytes pass through the one above it, or the first of a tree. */
export function bucket(limit: () => number | null, above: Bucket | Clock): Bucket {
  const rest = { limit, leases: new Set<Held>(), branches: new Set<Bucket>(), nextAt: -Infinity, usedAt: -Infinity, waiting: 0 };
  if ("line" in above) return { ...rest, parent: above, line: above.line };
  const line = { clock: above, bell: bell(above), requests: [], serving: false, turn: 0, toldAt: 0 };
  return { ...rest, parent: null, line };
}

/** Another one who sends through this bucket. */
export function pace(through: Bucket): Pace {
  const own = bucket(() => null, through);
  const { line } = own;
  const inTurn = mutex();
  let place = 0;
  /** Of the last piece, for smaller ones: a timer for each of these would cost more than sending it. */
  let left = 0;
  const atOnce = () => {
    const now = line.clock.monotonic();
    return Math.min(...limitsOf(own).map(([each, limit]) => pieceOf(rateOf(each, limit, now))));
  };

  async function take(bytes: number, signal: AbortSignal): Promise<void> {
    const mine = Math.max(place, line.turn);
    place = mine + bytes;
    await wait(own, {
      place: mine,
      at: () => limitsOf(own).reduce((at, [{ nextAt }]) => Math.max(at, nextAt), -Infinity),
      pass(now) {
        line.turn = Math.max(line.turn, mine);
        for (const [each, limit] of limitsOf(own)) {
          each.nextAt = Math.max(each.nextAt, now - LATE_MS) + bytes / rateOf(each, limit, now) * 1000;
        }
      },
    }, signal);
  }

  return {
    get atOnce() {
      return atOnce();
    },
    async next(bytes, signal) {
      if (limitsOf(own).length === 0) return;
      await inTurn(async () => {
        if (left < bytes) {
          const piece = Math.max(bytes - left, Math.min(atOnce(), MOST_BYTES));
          await take(piece, signal);
          left += piece;
        }
        left -= bytes;
      });
    },
    lease: (bytes, signal, onWait) => lease(own, bytes, signal, onWait),
  };
}

function pieceOf(rate: number): number {
  return Math.max(SMALLEST_BYTES, Math.floor(rate * PIECE_MS / 1000));
}

/** The content in pieces, each when it may be sent. */
export async function* paced(content: Uint8Array, pace: Pace, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length;) {
    const piece = content.subarray(at, at + Math.min(MOST_BYTES, pace.atOnce));
    await pace.next(piece.length, signal);
    yield piece;
    at += piece.length;
  }
}

async function lease(own: Bucket, bytes: number, signal: AbortSignal, onWait?: () => void): Promise<Lease> {
  const { line } = own;
  const held: Held = { rate: null, until: Infinity };
  let began = line.clock.monotonic();
  const hold = (now: number) => {
    held.rate = leastOf(
      limitsOf(own).map(([each, limit]) => {
        const free = limit * LEASED - leasedOf(each, now, held);
        return Math.max(limit * (1 - LEASED), Math.min(free, shareOf(each, limit, now)));
      }),
    );
    for (const each of chainOf(own)) each.leases.add(held);
  };
  const isFree = (now: number) =>
    limitsOf(own).every(([each, limit]) => limit * LEASED - leasedOf(each, now) >= 0.99 * shareOf(each, limit, now));
  if (limitsOf(own).length > 0) {
    await wait(own, {
      place: line.turn,
      at(now) {
        if (leasedOf(own, now) === 0 && isFree(now)) return now;
        return Math.min(...chainOf(own).flatMap(({ leases }) => [...leases].map(({ until }) => until)).filter((at) => at > now));
      },
      pass: (now) => hold(began = now),
      onWait,
    }, signal);
  }
  return {
    get rate() {
      return held.rate;
    },
    renew() {
      hold(line.clock.monotonic());
      line.bell.ring();
    },
    [Symbol.dispose]() {
      const now = line.clock.monotonic();
      held.until = held.rate === null ? now : Math.min(began + bytes / held.rate * 1000, now + AHEAD_MS);
      line.bell.ring();
    },
  };
}

/** Waits until the request is served, which passes it. */
async function wait(own: Bucket, request: Request, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { line } = own;
  const served = Promise.withResolvers<void>();
  const mine: Request = {
    ...request,
    pass(now) {
      for (const each of chainOf(own)) each.usedAt = now;
      request.pass(now);
      served.resolve();
    },
  };
  for (const each of chainOf(own)) {
    each.waiting += 1;
    each.parent?.branches.add(each);
  }
  const behind = line.requests.findIndex(({ place }) => place > mine.place);
  line.requests.splice(behind < 0 ? line.requests.length : behind, 0, mine);
  using _giveUp = onAbort(signal, () => {
    const at = line.requests.indexOf(mine);
    if (at >= 0) line.requests.splice(at, 1);
    served.reject(signal.reason);
    line.bell.ring();
  });
  if (line.serving) line.bell.ring();
  else void serve(line);
  try {
    await served.promise;
  } finally {
    for (const each of chainOf(own)) each.waiting -= 1;
  }
}

/** Passes requests as they may, as long as there are any. */
async function serve(line: Line): Promise<void> {
  const { clock, bell, requests } = line;
  line.serving = true;
  while (requests.length > 0) {
    const now = clock.monotonic();
    for (const request of [...requests]) {
      if (request.at(now) > now) continue;
      requests.splice(requests.indexOf(request), 1);
      request.pass(now);
    }
    if (requests.length === 0) break;
    if (now - line.toldAt >= LOOK_MS) {
      line.toldAt = now;
      for (const { onWait } of requests) onWait?.();
    }
    await bell.wait(Math.min(LOOK_MS, ...requests.map((request) => request.at(now) - now)), NEVER);
  }
  line.serving = false;
}

const NEVER = new AbortController().signal;

function chainOf(own: Bucket): Bucket[] {
  return own.parent === null ? [own] : [own, ...chainOf(own.parent)];
}

/** The buckets on the way that have a limit now. */
function limitsOf(own: Bucket): (readonly [Bucket, number])[] {
  return chainOf(own).flatMap((each) => {
    const limit = each.limit();
    return limit === null ? [] : [[each, limit] as const];
  });
}

/** What leases leave of a limit. */
function rateOf(bucket: Bucket, limit: number, now: number): number {
  return Math.max(limit * (1 - LEASED), limit - leasedOf(bucket, now));
}

/** What one of those who send gets. */
function shareOf(bucket: Bucket, limit: number, now: number): number {
  for (const each of bucket.branches) if (!isSending(each, now)) bucket.branches.delete(each);
  return limit * LEASED / Math.max(1, bucket.branches.size);
}

function isSending(bucket: Bucket, now: number): boolean {
  return bucket.waiting > 0 || now - bucket.usedAt < RECENT_MS || [...bucket.leases].some(({ until }) => until > now);
}

function leasedOf(bucket: Bucket, now: number, except?: Held): number {
  let sum = 0;
  for (const held of bucket.leases) {
    if (held.until <= now) bucket.leases.delete(held);
    else if (held !== except) sum += held.rate ?? 0;
  }
  return sum;
}

function leastOf(rates: readonly number[]): number | null {
  return rates.length === 0 ? null : Math.min(...rates);
}
