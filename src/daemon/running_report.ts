/**
 * What `status` tells of a running daemon, gathered from its corridors.
 *
 * @module
 */
import type { ReadLedger } from "../ledger/ledger.ts";
import type { Corridor } from "./corridor.ts";
import { freeSpace } from "../delivery/free_space.ts";
import { type StatusParts, type StatusReport, statusReport } from "../reports/overview/status_report.ts";

/** The report of this moment. */
export function runningReport(
  about: Pick<StatusParts, "pid" | "version" | "startedAt" | "url" | "configuration">,
  corridors: readonly Corridor[],
  ledger: Pick<ReadLedger, "counts" | "deviceOf">,
): StatusReport {
  const outboxes = corridors.flatMap((corridor) => corridor.outboxes);
  const free = freeSpace(outboxes, ledger);
  return statusReport({
    ...about,
    jobs: corridors.map(({ job, intake }) => {
      const waiting = intake.waiting();
      return {
        job,
        watching: intake.watching(),
        filesWaiting: waiting.length,
        givenUp: waiting.filter(({ reason }) => reason === "incomplete" || reason === "refused"),
        unmatched: intake.unmatched(),
      };
    }),
    destinations: outboxes.map((box) => ({
      destination: box.destination,
      method: box.about().method,
      state: box.state(),
      freeBytes: free(box),
      made: box.about().made,
      counts: ledger.counts(box.destination.job, box.destination.name),
    })),
    counts: ledger.counts(),
  });
}
