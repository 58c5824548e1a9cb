/**
 * The attempts of an outbox: their names, the parts of files that they left at the destination for a later attempt,
 * and which of their folders are to be swept.
 *
 * @module
 */
import type { Delivery } from "../domain/delivery.ts";
import type { Session } from "../methods/method.ts";
import type { Clock } from "../system/system.ts";

/** Parts of smaller files are not worth keeping. */
const WORTH_KEEPING_BYTES = 4 * 1024 * 1024;

/** The folders of ended attempts are remembered in memory only: the next process lists the staging root. */
export interface Attempts {
  /** A new attempt's name, made of safe characters, unique; it begins with `prefix`. */
  begin(prefix?: string): string;
  /** Keeps what an earlier process left under this name until it is ended here. */
  adopt(attempt: string): void;
  /** Remembers that a part of this delivery may lie under `staged`. */
  leave(delivery: Delivery, staged: string): void;
  /** Where an earlier attempt left part of this delivery. */
  leftover(delivery: Delivery): string | undefined;
  /** The part of this delivery is not needed any more. */
  forget(delivery: Delivery): void;
  /** Deliveries of which a part was left. */
  left(): readonly Delivery[];
  /**
   * The answer to its publication was lost, so the remote program may still be renaming files. Nothing of it is resumed,
   * and it must be swept before anything else gets a final name.
   */
  doubt(attempt: string): void;
  /** Sweeps the attempts in doubt, so that none of them can publish any more; does nothing where there is none. */
  endDoubts(sweep: (attempts: readonly string[]) => Promise<void>): Promise<void>;
  /** The attempt was never used. */
  abandon(attempt: string): void;
  /** The attempt is over; its folder is removed as soon as no part that is still needed lies in it. */
  end(attempt: string): void;
  /** Removes the folders that are not needed, in one call; if that fails, the next call tries again. */
  sweep(session: Pick<Session, "sweep">, signal: AbortSignal): Promise<void>;
  /** Names of attempts whose folders must stay. */
  kept(): ReadonlySet<string>;
  /** Those of them that hold a part: once nothing is running, no others are needed. */
  withParts(): ReadonlySet<string>;
  /** The staging root was swept: nothing is left. */
  clear(): void;
}

/** A part of a delivery, under a staging name of an earlier attempt. */
interface Leftover {
  readonly delivery: Delivery;
  readonly staged: string;
}

/** One for each outbox; `left` are the parts that former ones left. */
export function attempts(clock: Pick<Clock, "now" | "random">, left: readonly Leftover[] = []): Attempts {
  const leftovers = new Map<number, Leftover>(left.map((part) => [part.delivery.id, part]));
  const doubtful = new Set<string>();
  const running = new Set<string>();
  let ended = new Set<string>();

  const withParts = (): Set<string> => new Set([...leftovers.values()].map(({ staged }) => attemptIn(staged)));
  const needed = (): Set<string> => new Set([...running, ...withParts()]);
  return {
    begin(prefix = "") {
      const name = `${prefix}${attemptName(clock)}`;
      running.add(name);
      return name;
    },
    adopt: (attempt) => void running.add(attempt),
    leave(delivery, staged) {
      if (delivery.source.size < WORTH_KEEPING_BYTES || doubtful.has(attemptIn(staged))) return;
      leftovers.set(delivery.id, { delivery, staged });
    },
    leftover: (delivery) => leftovers.get(delivery.id)?.staged,
    left: () => [...leftovers.values()].map(({ delivery }) => delivery),
    forget(delivery) {
      const left = leftovers.get(delivery.id);
      if (left === undefined) return;
      leftovers.delete(delivery.id);
      ended.add(attemptIn(left.staged));
    },
    doubt: (attempt) => void doubtful.add(attempt),
    async endDoubts(sweep) {
      const go = [...doubtful];
      if (go.length > 0) await sweep(go);
      for (const attempt of go) doubtful.delete(attempt);
    },
    abandon: (attempt) => void running.delete(attempt),
    end(attempt) {
      running.delete(attempt);
      ended.add(attempt);
    },
    async sweep(session, signal) {
      const stay = needed();
      const go = [...ended].filter((name) => !stay.has(name));
      if (go.length === 0) return;
      ended = new Set([...ended].filter((name) => stay.has(name)));
      try {
        await session.sweep(go, signal);
      } catch (error) {
        for (const name of go) ended.add(name);
        throw error;
      }
    },
    kept: needed,
    withParts,
    clear() {
      leftovers.clear();
      doubtful.clear();
      ended.clear();
    },
  };
}

/** The time and random characters: unique even if the clock is set back. */
function attemptName(clock: Pick<Clock, "now" | "random">): string {
  const chance = Math.floor(clock.random() * 36 ** 8).toString(36).padStart(8, "0");
  return `${Math.trunc(clock.now()).toString(36)}-${chance}`;
}

/** The attempt that a staging name is of. */
function attemptIn(staged: string): string {
  return staged.split("/").at(-2) ?? "";
}

/** `<staging root>/<attempt>/<id>`: after a crash the ledger alone is enough to find it, whatever the file is called. */
export function stagedName(stagingRoot: string, attempt: string, { id }: Pick<Delivery, "id">): string {
  return `${stagingRoot}/${attempt}/${id}`;
}

/** The attempt that an interrupted delivery was in. */
export function attemptOf({ state }: Delivery): string {
  return state.state === "sending" ? state.attempt : "none";
}
