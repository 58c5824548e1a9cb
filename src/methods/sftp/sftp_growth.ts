/**
 * How far files are while a tool that tells nothing sends them: looked at where they arrive.
 *
 * @module
 */
import { anySignal } from "../../async/abort.ts";
import type { Clock } from "../../system/system.ts";
import type { Lot } from "../links.ts";
import type { Session } from "../method.ts";

type Item = Lot["uploads"][number];

/** Must be stopped: it looks until then. */
export interface Growth {
  /** True where a file has grown since this was last asked. */
  moving(): Promise<boolean>;
  /** These are there. */
  done(items: readonly Item[]): void;
  /** Resolves when no look is under way any more. */
  stop(): Promise<void>;
}

const PERIOD_MS = 2000;
/** A channel sends in order: what grows is among the first that are not done. */
const LOOK_AT = 16;

/** Looks every two seconds, and tells `onBytes`; a look that fails is left to the transfer itself to report. */
export function watchGrowth(
  items: readonly Item[],
  survey: Session["survey"],
  onBytes: (index: number, bytes: number) => void,
  system: Pick<Clock, "sleep">,
  signal: AbortSignal,
): Growth {
  const open = new Set(items);
  const stopping = anySignal(signal);
  const until = stopping.signal;
  let seen = 0;
  let asked = 0;

  async function look(): Promise<void> {
    const some = [...open].slice(0, LOOK_AT);
    const found = await survey(some.map(({ upload }) => upload.staged), until);
    some.forEach((item, index) => {
      const bytes = found[index]?.bytes ?? 0;
      if (open.has(item)) onBytes(item.index, Math.min(bytes, item.upload.source.size));
    });
    // Files that are done count with all they have, so that the sum only ever grows.
    seen = sum(items.filter((item) => !open.has(item)).map(({ upload }) => upload.source.size)) +
      sum(found.map((each) => each?.bytes ?? 0));
  }

  const looking = (async () => {
    for (;;) {
      await system.sleep(PERIOD_MS, until);
      if (until.aborted) return;
      try {
        await look();
      } catch {
        if (until.aborted) return;
      }
    }
  })();

  return {
    moving: () => {
      const grown = seen > asked;
      asked = seen;
      return Promise.resolve(grown);
    },
    done: (items) => {
      for (const item of items) if (open.delete(item)) onBytes(item.index, item.upload.source.size);
    },
    stop: async () => {
      stopping.abort();
      await looking;
      stopping[Symbol.dispose]();
    },
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
