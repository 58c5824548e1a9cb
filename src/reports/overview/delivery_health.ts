/** Whether images reach their destinations, for a monitor: yes or no, one line, and the numbers. */
import { waitingOf } from "../../ledger/orphans.ts";
import type { Headline, StatusReport } from "./status_json.ts";

/** A shape that monitors depend on. */
export interface DeliveryHealth {
  readonly ok: boolean;
  /** `OK: All 240 of tonight's images are on freya`, or `WARNING: …`, `CRITICAL: …`, as Nagios and its kin call them. */
  readonly line: string;
  readonly headline: Headline;
  readonly destinations: readonly {
    readonly job: string;
    readonly name: string;
    readonly state: StatusReport["destinations"][number]["state"];
    /** Why it is not open; null where it is. */
    readonly reason: string | null;
    readonly waiting: number;
    readonly failed: number;
    /** How long the oldest has waited; null where none waits. */
    readonly oldest_waiting_seconds: number | null;
  }[];
  readonly jobs: readonly {
    readonly name: string;
    readonly watching: boolean;
    readonly incomplete: number;
    readonly rejected: number;
  }[];
}

/** `oldestWaiting` tells when the oldest that waits was queued; `now` is milliseconds since 1970 UTC. */
export function deliveryHealth(
  { all_well: ok, headline, destinations, jobs }: StatusReport,
  oldestWaiting: (job: string, destination: string) => number | null,
  now: number,
): DeliveryHealth {
  const word = ok ? "OK" : headline.level === "bad" ? "CRITICAL" : "WARNING";
  return {
    ok,
    line: `${word}: ${[headline.text.replace(/\.$/, ""), headline.advice].filter((part) => part !== "").join(". ")}`,
    headline,
    destinations: destinations.map((one) => {
      const { job, name, state, reason, failed } = one;
      const oldest = oldestWaiting(job, name);
      const seconds = oldest === null ? null : Math.max(0, Math.round((now - oldest) / 1000));
      return { job, name, state, reason, waiting: waitingOf(one), failed, oldest_waiting_seconds: seconds };
    }),
    jobs: jobs.map(({ name, watching, incomplete, rejected }) => ({
      name,
      watching,
      incomplete: incomplete ?? 0,
      rejected: rejected ?? 0,
    })),
  };
}
