/**
 * Targets at a destination that were found, and of which no flush is known to have worked: what has these names is never adopted, because
 * its next flush may succeed although its bytes are lost (Linux tells of an error of the disk only once, fsync(2)).
 *
 * @module
 */
import type { OutboxLedger } from "../ledger/outbox_ledger.ts";

/** Also over the end of the daemon. */
export interface Unflushed {
  has(target: string): boolean;
  add(targets: readonly string[]): void;
  /** They were flushed, or our own flushed copies have replaced them. */
  forget(targets: readonly string[]): void;
}

export function unflushedTargets(
  job: string,
  destination: string,
  ledger: Pick<OutboxLedger, "unflushed" | "rememberUnflushed">,
): Unflushed {
  const all = new Set(ledger.unflushed(job, destination));
  const remember = () => ledger.rememberUnflushed(job, destination, [...all]);
  return {
    has: (target) => all.has(target),
    add(targets) {
      for (const target of targets) all.add(target);
      remember();
    },
    forget(targets) {
      const known = targets.filter((target) => all.delete(target));
      if (known.length === 0) return;
      try {
        remember();
      } catch {
        // Then one is sent again some day that could be adopted.
      }
    },
  };
}
