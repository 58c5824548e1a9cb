/**
 * The attempts of an outbox: their names, what they left at the destination that a later attempt may build on,
 * and which of their folders are to be swept.
 *
 * @module
 */
import type { Delivery } from "../domain/delivery.ts";
import type { Session } from "../methods/method.ts";
import type { Clock } from "../system/system.ts";

/** Parts of smaller files are not worth keeping. */
const WORTH_KEEPING_BYTES = 4 * 1024 * 1024;

/** The folders that ended attempts left are known in memory only: the next process finds them by looking into the staging root. */
export interface Attempts {
  /** A new attempt's name, made of safe characters, unique. */
  begin(): string;
  /** Keeps in mind that this delivery may have left a part of it under `staged`. */
  leave(delivery: Delivery, staged: string): void;
  /** Where an earlier attempt left part of this delivery. */
  leftover(delivery: Delivery): string | undefined;
  /** The part of this delivery is not needed any more. */
  forget(delivery: Delivery): void;
  /** Deliveries of which a part was left. */
  left(): readonly Delivery[];
  /**
   * Nobody knows what became of its publication: whatever carries it out there may still be at it. Nothing of it is built on,
   * and it must be swept before anything else gets a final name.
   */
  doubt(attempt: string): void;
  /** Sweeps the attempts in doubt, so that none of them can publish any more; does nothing where there is none. */
  endDoubts(sweep: (attempts: readonly string[]) => Promise<void>): Promise<void>;
  /** The attempt was never used. */
  abandon(attempt: string): void;
  /** The attempt is over; its folder goes as soon as no leftover lies in it. */
  end(attempt: string): void;
  /** Removes what can go, in one call; what cannot be removed now is tried again with the next. */
  sweep(session: Pick<Session, "sweep">, signal: AbortSignal): Promise<void>;
  /** Names of attempts whose folders must stay. */
  kept(): ReadonlySet<string>;
  /** Those of them that hold a part: when nothing runs any more, no other is needed. */
  withParts(): ReadonlySet<string>;
  /** Nothing is left there any more: the staging root was swept. */
  clear(): void;
}

/** A part of a delivery, under a staging name of an earlier attempt. */
export interface Leftover {
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
    begin() {
      const name = attemptName(clock);
      running.add(name);
      return name;
    },
    leave(delivery, staged) {
      const keep = delivery.source.size >= WORTH_KEEPING_BYTES && !doubtful.has(attemptIn(staged));
      if (keep) leftovers.set(delivery.id, { delivery, staged });
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
      if (go.length === 0) return;
      await sweep(go);
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

/** Time and chance, so that no two attempts share a folder, whatever the clock does. */
function attemptName(clock: Pick<Clock, "now" | "random">): string {
  const chance = () => Math.floor(clock.random() * 36 ** 6).toString(36).padStart(6, "0");
  return `${Math.trunc(clock.now()).toString(36)}-${chance()}${(serial++ % 1296).toString(36).padStart(2, "0")}`;
}
let serial = 0;

/** The attempt that a staging name is of. */
function attemptIn(staged: string): string {
  return staged.split("/").at(-2) ?? "";
}

/** `<staging root>/<attempt>/<id>`: found again after a crash by the ledger alone, whatever the file's own name is. */
export function stagedName(stagingRoot: string, attempt: string, { id }: Pick<Delivery, "id">): string {
  return `${stagingRoot}/${attempt}/${id}`;
}

/** The attempt that an interrupted delivery was in. */
export function attemptOf({ state }: Delivery): string {
  return state.state === "sending" ? state.attempt : "none";
}
