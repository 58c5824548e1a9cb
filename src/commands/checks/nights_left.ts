/**
 * How long the free space of a destination lasts at the rate of the last nights.
 *
 * @module
 */
import type { Destination } from "../../config/settings.ts";
import type { History } from "../../ledger/history.ts";

/** Nights that the rate is taken from. */
const NIGHTS = 7;
/** Fewer say nothing. */
const ENOUGH = 2;

/** Nights that fit into the space above `minimum_free_space_gb`; null where there is too little history, or nothing was sent. */
export function nightsLeft(
  { job, name, minimumFreeBytes }: Pick<Destination, "job" | "name" | "minimumFreeBytes">,
  freeBytes: number,
  ledger: Pick<History, "nights" | "nightTotals">,
): number | null {
  const sent = ledger.nights().slice(-NIGHTS).flatMap((night) =>
    ledger.nightTotals(night).places.filter((place) => place.job === job && place.destination === name).map(({ bytes }) => bytes)
  );
  const sum = sent.reduce((all, bytes) => all + bytes, 0);
  if (sent.length < ENOUGH || sum === 0) return null;
  return Math.max(0, Math.floor((freeBytes - minimumFreeBytes) / (sum / sent.length)));
}
