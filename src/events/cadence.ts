/** How often a camera usually makes an image, so that its silence is noticed. */
import type { TransferEvent } from "../domain/transfer_event.ts";
import type { History } from "../ledger/history.ts";

/** Times in milliseconds since 1970 UTC. */
export interface Cadence {
  /** When the last image was finished; null where none was. */
  readonly lastImage: number | null;
  /** The usual time between two images; null where too few came to tell. */
  readonly usualMs: number | null;
}

/** Images whose distances count. */
const KEPT = 32;
/** Fewer say nothing of a habit. */
const FEWEST = 5;
/** Images that come closer are of one moment: those that were there at the start, or of several cameras in one folder. */
const ONE_MOMENT_MS = 500;
const READ_AT_START = 2_000;

export type Cadences = ReturnType<typeof cadences>;

/** Follows the images of all jobs; begins with what the ledger knows. */
export function cadences(ledger: Pick<History, "lastAdmitted">) {
  const times = new Map<string, number[]>();
  const add = (job: string, at: number) => {
    const known = times.get(job) ?? [];
    known.push(at);
    if (known.length > KEPT) known.shift();
    times.set(job, known);
  };
  for (const { job, at } of ledger.lastAdmitted(READ_AT_START).toReversed()) add(job, at);
  return {
    listen(event: TransferEvent): void {
      if (event.type === "ready") add(event.job, event.at);
    },
    of(job: string): Cadence {
      const all = times.get(job) ?? [];
      const distances = all.slice(1).map((at, before) => at - all[before]!).filter((ms) => ms >= ONE_MOMENT_MS)
        .sort((a, b) => a - b);
      const median = distances[distances.length >> 1]!;
      return { lastImage: all.at(-1) ?? null, usualMs: distances.length < FEWEST ? null : median };
    },
  };
}
