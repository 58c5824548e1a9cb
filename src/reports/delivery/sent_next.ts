/** What is sent next: the head of the queue. */
import type { DeliveryRow } from "../../ledger/history.ts";
import type { DaemonState } from "../page_source.ts";

/**
 * At most `most`: the first of every destination, then the second of every one, as each takes them, by its `order` of the files'
 * last change. What waits for its next try comes behind, the soonest first. `now` is milliseconds since 1970 UTC.
 */
export function sentNext(
  { ledger, destinations }: Pick<DaemonState, "ledger" | "destinations">,
  most: number,
  now: number,
): DeliveryRow[] {
  const queues = destinations().map(({ destination: { job, name: destination, order } }) => {
    const descending = order === "newest_first";
    const queued = ledger.query({ job, destination, states: ["queued"], sort: "changed_at", descending, limit: most });
    const deferred = ledger.query({ job, destination, states: ["deferred"], sort: "retry_at", limit: most });
    const due = deferred.filter((row) => isDue(row, now));
    const sign = descending ? -1 : 1;
    const first = [...queued, ...due].sort(({ delivery: a }, { delivery: b }) =>
      sign * (a.source.mtimeMs - b.source.mtimeMs || a.id - b.id)
    );
    return [...first, ...deferred.filter((row) => !isDue(row, now))].slice(0, most);
  });
  const ranks = Array.from({ length: most }, (_, rank) => queues.flatMap((queue) => queue[rank] ?? []));
  return ranks.flat().slice(0, most);
}

function isDue({ delivery: { state } }: DeliveryRow, now: number): boolean {
  return state.state !== "deferred" || state.retryAt <= now;
}
