/** When a destination took nothing: the notes of the ledger as spans of time, for strips and plots. */
import type { AvailabilityNote } from "../../ledger/availability_ledger.ts";
import type { Outage } from "../api_types.ts";

/** Most that are shown for a destination: the latest. */
const MOST = 60;

/**
 * The outages of a destination between `from` and `to`, in order; `to` of one that lasts is null. Where the daemon did not run, that
 * counts and not what was noted before.
 */
export function outagesOf(
  place: { readonly job: string; readonly name: string },
  notes: readonly AvailabilityNote[],
  from: number,
): Outage[] {
  const outages: Outage[] = [];
  let now: { readonly state: Outage["state"] | "open"; readonly since: number } = { state: "open", since: from };
  const become = (state: Outage["state"] | "open", at: number) => {
    if (state === now.state) return;
    const end = Math.max(at, from);
    if (now.state !== "open" && end > now.since) outages.push({ from: now.since, to: end, state: now.state });
    now = { state, since: end };
  };
  // A pause outlives the daemon, and is not noted again.
  let paused = false;
  for (const { at, job, destination, state } of notes) {
    if (job === "" && destination === "") become(state === "running" ? paused ? "paused" : "open" : state as Outage["state"], at);
    else if (job === place.job && destination === place.name) {
      paused = state === "paused";
      become(state as Outage["state"] | "open", at);
    }
  }
  if (now.state !== "open") outages.push({ from: now.since, to: null, state: now.state });
  return outages.slice(-MOST);
}
