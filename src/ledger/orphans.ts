/**
 * Deliveries that nobody can send: their destination, or their whole job, is not configured any more. They wait until it
 * is put back, or until a person gives them up.
 */
import { Failure, type FailureRecord } from "../domain/failure.ts";
import type { Counts, History } from "./history.ts";
import type { OutboxLedger } from "./outbox_ledger.ts";

/** A job's destination that is not configured any more and still has something to be delivered. */
export interface Orphan {
  readonly job: string;
  readonly destination: string;
  readonly counts: Counts;
}

/** How many deliveries were given up, of which jobs. */
export interface Forgotten {
  readonly count: number;
  readonly jobs: readonly string[];
}

/** What is configured: the jobs with their destinations. */
type Configured = readonly { readonly name: string; readonly destinations: readonly { readonly name: string }[] }[];

/** Those with deliveries that wait or have failed, in the order of their names. */
export function orphans(ledger: Pick<History, "places" | "counts">, jobs: Configured): Orphan[] {
  const configured = new Map(jobs.map(({ name, destinations }) => [name, new Set(destinations.map((one) => one.name))]));
  return ledger.places()
    .filter(({ job, destination }) => !configured.get(job)?.has(destination))
    .map(({ job, destination }) => ({ job, destination, counts: ledger.counts(job, destination) }))
    .filter(({ counts }) => waitingOf(counts) + counts.failed > 0);
}

/** The counts of what can be sent, and what was: without what waits for, or failed at, destinations that are not there. */
export function withoutOrphans(all: Counts, without: readonly Orphan[]): Counts {
  const less = (key: "queued" | "sending" | "deferred" | "failed") =>
    Math.max(0, all[key] - without.reduce((sum, { counts }) => sum + counts[key], 0));
  return { ...all, queued: less("queued"), sending: less("sending"), deferred: less("deferred"), failed: less("failed") };
}

export function waitingOf({ queued, sending, deferred }: Counts): number {
  return queued + sending + deferred;
}

/** When the oldest that can be sent was queued, milliseconds since 1970 UTC; null where none waits. */
export function oldestToSend(ledger: Pick<History, "places" | "counts" | "oldestWaiting">, jobs: Configured): number | null {
  if (orphans(ledger, jobs).length === 0) return ledger.oldestWaiting();
  const all = jobs.flatMap(({ name, destinations }) => destinations.map((one) => ledger.oldestWaiting(name, one.name)));
  const known = all.filter((at) => at !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/**
 * Gives up what was to go to a destination that no job, or not the job it is of, has any more. Returns how many deliveries
 * that were, and of which jobs.
 *
 * @throws {Failure} `configuration` where it is configured, or nothing waits for it.
 */
export function forgetOrphans(
  ledger: Pick<History, "places" | "counts"> & Pick<OutboxLedger, "giveUp">,
  jobs: Configured,
  destination: string,
  now: number,
): Forgotten {
  const all = orphans(ledger, jobs);
  const chosen = all.filter((orphan) => orphan.destination === destination);
  if (chosen.length === 0) throw nothingToForget(destination, jobs, all);
  const count = chosen.reduce((sum, { job }) => sum + ledger.giveUp(job, destination, FORGOTTEN, now), 0);
  return { count, jobs: chosen.map(({ job }) => job) };
}

function nothingToForget(destination: string, jobs: Configured, all: readonly Orphan[]): Failure {
  const there = [...new Set(all.map((orphan) => orphan.destination))];
  const others = there.length === 0
    ? "No deliveries are waiting for such a destination."
    : `Such destinations: ${there.join(", ")}.`;
  if (jobs.some(({ destinations }) => destinations.some(({ name }) => name === destination))) {
    return new Failure("configuration", `Cannot forget "${destination}": it is still configured`, {
      hint: `Only deliveries to a destination that is no longer configured can be given up. ${others}`,
    });
  }
  return new Failure("configuration", `No deliveries are waiting for a destination "${destination}"`, { hint: others });
}

const FORGOTTEN: FailureRecord = {
  code: "skipped",
  next: "never",
  message: "Given up with image-transfer forget: the destination was no longer configured",
  hint: "To send it after all, configure the destination again, then run: image-transfer retry ID.",
};
