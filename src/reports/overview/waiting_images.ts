/** How many images wait: one that waits for two destinations is two deliveries and one image. */
import type { Counts, History } from "../../ledger/history.ts";
import { waitingOf } from "../../ledger/orphans.ts";

interface Place {
  readonly job: string;
  readonly name: string;
  readonly counts: Counts;
}

/** More are not counted one by one: they are taken to wait for the same destinations, as in an outage they do. */
const MOST_COUNTED = 20_000;

/** Images that wait for at least one of these destinations. */
export function waitingImages(places: readonly Place[], ledger: Pick<History, "waitingImages">): number {
  const waiting = places.filter(({ counts }) => waitingOf(counts) > 0);
  return [...Map.groupBy(waiting, ({ job }) => job)].reduce((sum, [job, mine]) => sum + imagesOf(job, mine, ledger), 0);
}

function imagesOf(job: string, places: readonly Place[], ledger: Pick<History, "waitingImages">): number {
  const numbers = places.map(({ counts }) => waitingOf(counts));
  const most = Math.max(...numbers);
  if (places.length === 1 || numbers.reduce((sum, one) => sum + one, 0) > MOST_COUNTED) return most;
  return ledger.waitingImages(job, places.map(({ name }) => name));
}
