/**
 * The attempts of an outbox: their names, the parts of files that they left at the destination for a later attempt,
 * and which of their folders are to be swept.
 */
import type { Delivery } from "../domain/delivery.ts";
import type { Session } from "../methods/method.ts";
import type { Clock } from "../system/system.ts";

/** Parts of smaller files are not worth keeping. */
const WORTH_KEEPING_BYTES = 4 * 1024 * 1024;

/** A part of a delivery, under a staging name of an earlier attempt. */
interface Leftover {
  readonly delivery: Delivery;
  readonly staged: string;
}

export type Attempts = ReturnType<typeof attempts>;

/**
 * One for each outbox; `left` are the parts that former ones left. The folders of ended attempts are remembered in memory only: the next
 * process lists the staging root.
 */
export function attempts(clock: Pick<Clock, "now" | "random">, left: readonly Leftover[] = []) {
  const leftovers = new Map<number, Leftover>(left.map((part) => [part.delivery.id, part]));
  const doubtful = new Set<string>();
  const running = new Set<string>();
  let ended = new Set<string>();

  /** Names of attempts that hold a part: once nothing is running, no others are needed. */
  const withParts = (): Set<string> => new Set([...leftovers.values()].map(({ staged }) => attemptIn(staged)));
  const kept = (): Set<string> => new Set([...running, ...withParts()]);
  return {
    kept,
    withParts,
    /** A new attempt's name, made of safe characters; it begins with `prefix`. Unique even if the clock is set back. */
    begin(prefix = ""): string {
      const chance = Math.floor(clock.random() * 36 ** 8).toString(36).padStart(8, "0");
      const name = `${prefix}${Math.trunc(clock.now()).toString(36)}-${chance}`;
      running.add(name);
      return name;
    },
    /** Keeps what an earlier process left under this name until it is ended here. */
    adopt: (attempt: string): void => void running.add(attempt),
    /** Remembers that a part of this delivery may lie under `staged`. */
    leave(delivery: Delivery, staged: string): void {
      if (delivery.source.size < WORTH_KEEPING_BYTES || doubtful.has(attemptIn(staged))) return;
      leftovers.set(delivery.id, { delivery, staged });
    },
    leftover: (delivery: Delivery): string | undefined => leftovers.get(delivery.id)?.staged,
    left: (): readonly Delivery[] => [...leftovers.values()].map(({ delivery }) => delivery),
    /** The part of this delivery is not needed any more. */
    forget(delivery: Delivery): void {
      const left = leftovers.get(delivery.id);
      if (left === undefined) return;
      leftovers.delete(delivery.id);
      ended.add(attemptIn(left.staged));
    },
    /**
     * The answer to its publication was lost, so the remote program may still be renaming files. Nothing of it is resumed,
     * and it must be swept before anything else gets a final name.
     */
    doubt: (attempt: string): void => void doubtful.add(attempt),
    /** Sweeps the attempts in doubt, so that none of them can publish any more; does nothing where there is none. */
    async endDoubts(sweep: (attempts: readonly string[]) => Promise<void>): Promise<void> {
      const go = [...doubtful];
      if (go.length > 0) await sweep(go);
      for (const attempt of go) doubtful.delete(attempt);
    },
    abandon: (attempt: string): void => void running.delete(attempt),
    /** The attempt is over; its folder is removed as soon as no part that is still needed lies in it. */
    end(attempt: string): void {
      running.delete(attempt);
      ended.add(attempt);
    },
    /** Removes the folders that are not needed, in one call; if that fails, the next call tries again. */
    async sweep(session: Pick<Session, "sweep">, signal: AbortSignal): Promise<void> {
      const stay = kept();
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
    /** The staging root was swept: nothing is left. */
    clear(): void {
      leftovers.clear();
      doubtful.clear();
      ended.clear();
    },
  };
}

function attemptIn(staged: string): string {
  return staged.split("/").at(-2) ?? "";
}

/** `<staging root>/<attempt>/<id>`: after a crash the ledger alone is enough to find it, whatever the file is called. */
export function stagedName(stagingRoot: string, attempt: string, { id }: Pick<Delivery, "id">): string {
  return `${stagingRoot}/${attempt}/${id}`;
}

export function attemptOf({ state }: Delivery): string {
  return state.state === "sending" ? state.attempt : "none";
}
