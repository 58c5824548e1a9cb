/**
 * The last sweep at a destination: what ended attempts left goes, and the parts of large files stay for the next start.
 *
 * @module
 */
import type { Session } from "../methods/method.ts";
import { withWatchdog } from "./watchdog.ts";
import type { DestinationContext } from "./destination_context.ts";
import { forgetSettled } from "./worker.ts";
import { stagedName } from "./batch.ts";

/** How long a sweep, or a connection for it, may take. */
export const SWEEP_MS = 10_000;

/** Removes what is ours there, but for the parts of large files that the next start goes on with. */
export async function finalSweep(context: DestinationContext, session: Session): Promise<void> {
  const watchdog = { what: `clean up at ${context.destination.name}`, timeoutMs: SWEEP_MS, clock: context.tools.system };
  await withWatchdog(watchdog, new AbortController().signal, async (end) => {
    const left = await partsThere(context, session, end);
    if (left.keep.length > 0) return await session.sweep(left.go, end);
    await session.sweep(null, end);
    context.attempts.clear();
  });
  context.littered = false;
}

async function partsThere(
  context: DestinationContext,
  session: Session,
  signal: AbortSignal,
): Promise<{ readonly keep: readonly string[]; readonly go: readonly string[] }> {
  const { attempts, tools, job, destination } = context;
  forgetSettled(context);
  // What a former process had in hand is for the next start to settle, where this one did not come to it.
  for (const delivery of context.recovered ? [] : tools.ledger.inFlight(job.name, destination.name)) {
    const attempt = delivery.state.state === "sending" ? delivery.state.attempt : "none";
    attempts.leave(delivery, stagedName(tools.context.stagingRoot, attempt, delivery));
  }
  const kept = session.resumes && context.keepsParts ? attempts.withParts() : new Set<string>();
  const there = kept.size === 0 ? [] : await session.leftovers(signal);
  return { keep: there.filter((attempt) => kept.has(attempt)), go: there.filter((attempt) => !kept.has(attempt)) };
}
