/**
 * The last sweep at a destination: what ended attempts left goes, and the parts of large files stay for the next start.
 *
 * @module
 */
import type { Session } from "../methods/method.ts";
import { guarded } from "./guarded.ts";
import type { Office } from "./office.ts";
import { forgetSettled } from "./outbox_lane.ts";
import { stagedName } from "./way.ts";

/** How long a sweep, or a connection for it, may take. */
export const SWEEP_MS = 10_000;

/** Removes what is ours there, but for the parts of large files that the next start goes on with. */
export async function finalSweep(office: Office, session: Session): Promise<void> {
  const guard = { what: `clean up at ${office.destination.name}`, timeoutMs: SWEEP_MS, clock: office.tools.system };
  await guarded(guard, new AbortController().signal, async (end) => {
    const left = await partsThere(office, session, end);
    if (left.keep.length > 0) return await session.sweep(left.go, end);
    await session.sweep(null, end);
    office.attempts.clear();
  });
  office.littered = false;
}

async function partsThere(
  office: Office,
  session: Session,
  signal: AbortSignal,
): Promise<{ readonly keep: readonly string[]; readonly go: readonly string[] }> {
  const { attempts, tools, job, destination } = office;
  forgetSettled(office);
  // What a former process had in hand is for the next start to settle, where this one did not come to it.
  for (const delivery of office.recovered ? [] : tools.ledger.inFlight(job.name, destination.name)) {
    const attempt = delivery.state.state === "sending" ? delivery.state.attempt : "none";
    attempts.leave(delivery, stagedName(tools.context.stagingRoot, attempt, delivery));
  }
  const kept = session.resumes && office.keepsParts ? attempts.withParts() : new Set<string>();
  const there = kept.size === 0 ? [] : await session.leftovers(signal);
  return { keep: there.filter((attempt) => kept.has(attempt)), go: there.filter((attempt) => !kept.has(attempt)) };
}
