/**
 * The connections of one session: how many carry files side by side, and what is done where the server takes no more of them.
 *
 * @module
 */
import { bell } from "../../async/bell.ts";
import type { System } from "../../system/system.ts";
import type { Curl } from "./curl.ts";
import { refusesMore } from "./ftp_failures.ts";

export interface Connections {
  /** Where the server takes no more connections, its runs wait until another one of ours has ended. */
  readonly curl: Curl;
  /** Takes as many as are free, at least one; they are free again when it is disposed of. */
  take(wanted: number): Disposable & { readonly count: number };
}

/** A server may take so long to notice that a connection has ended. */
const NOTICE_MS = 2_000;
const RETRY_MS = 200;

/** At most `most` are taken, and fewer once the server has refused one. */
export function connections(curl: Curl, most: number, clock: Pick<System, "sleep" | "monotonic">): Connections {
  let limit = most;
  let taken = 0;
  const running = new Set<object>();
  let lastEnd = -Infinity;
  const ended = bell(clock);

  async function run(...call: Parameters<Curl["talk"]>): ReturnType<Curl["talk"]> {
    const mine = {};
    running.add(mine);
    try {
      return await curl.talk(...call);
    } finally {
      running.delete(mine);
      ended.ring();
    }
  }

  async function talk(...call: Parameters<Curl["talk"]>): ReturnType<Curl["talk"]> {
    const [, signal] = call;
    for (let isFirst = true;; isFirst = false) {
      const others = [...running];
      const ends = await run(...call);
      if (!refusesMore(ends[0]!)) {
        lastEnd = clock.monotonic();
        return ends;
      }
      // One that began later may itself be refused: it is waited for only once.
      const holdsOne = isFirst ? running.size > 0 : others.some((other) => running.has(other));
      // Otherwise it is not ours that it has too many of.
      if (!holdsOne && clock.monotonic() - lastEnd > NOTICE_MS) return ends;
      limit = Math.min(limit, Math.max(1, others.length));
      if (running.size > 0) await ended.wait(NOTICE_MS, signal);
      await clock.sleep(RETRY_MS, signal);
    }
  }

  return {
    curl: { version: curl.version, talk },
    take(wanted) {
      const count = Math.max(1, Math.min(wanted, limit - taken));
      taken += count;
      return { count, [Symbol.dispose]: () => void (taken -= count) };
    },
  };
}
