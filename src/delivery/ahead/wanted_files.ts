/**
 * Which files are sent to a destination before they are finished, and of which what was sent is still wanted.
 *
 * @module
 */
import type { DestinationContext } from "../destination_context.ts";

/** The largest deliveries that wait: it is large files that were sent early. */
const MOST_WAITING = 500;

/** Whether anything may be sent early to this destination: only hashes show what was rewritten since. */
export function sendsEarly({ job, destination }: Pick<DestinationContext, "job" | "destination">): boolean {
  return job.growingFiles !== null && destination.verify === "checksum";
}

/** Keys of the files that grow, and of those that are finished and not sent yet. */
export function wantedFiles({ ahead, ledger, job, destination, growing }: DestinationContext): ReadonlySet<string> {
  const waiting = ledger.query({
    ...{ job: job.name, destination: destination.name, states: ["queued", "sending", "deferred"] },
    ...{ sort: "size", descending: true, limit: MOST_WAITING },
  });
  return new Set([...growing(), ...waiting.map(({ delivery: { source } }) => source)].map(ahead.keyOf));
}
