/** Removes what ended attempts left at a destination: beside the batches, and finally when the outbox ends. */
import { failureRecord } from "../domain/failure.ts";
import type { Growing } from "./ahead/ahead_parts.ts";
import { attemptOf, stagedName } from "./attempts.ts";
import type { DestinationContext } from "./destination_context.ts";
import { openSession, type TimedSession, withWatchdog } from "./timed_session.ts";

export type Sweeper = ReturnType<typeof sweeper>;

/** Sweeps beside the batches of one session, one call at a time. A failure is only a debug line in the log: the next call tries again. */
export function sweeper(context: DestinationContext, session: TimedSession) {
  let last: Promise<void> = Promise.resolve();
  return {
    soon(signal: AbortSignal): void {
      last = last.then(() => {
        forgetEnded(context);
        return context.attempts.sweep(session, signal);
      }).catch((error) => context.emit({ type: "notice", level: "debug", message: failureRecord(error).message }));
    },
    /** Resolves when nothing is being swept. */
    done: (): Promise<void> => last,
  };
}

/** The last sweep, with a session of its own: a clean stop leaves nothing but the parts that the next start resumes. */
export async function sweepAll(context: DestinationContext): Promise<void> {
  try {
    await using session = await openSession(context, SWEEP_MS, new AbortController().signal);
    await finalSweep(context, session);
  } catch (error) {
    const { name } = context.destination;
    const message = `Cannot remove the temporary files at ${name}: ${failureRecord(error).message}. The next start does`;
    context.emit({ type: "notice", level: "warning", message });
  }
}

/** Removes everything of ours except the parts of large files that the next start resumes. */
export async function finalSweep(context: DestinationContext, session: TimedSession): Promise<void> {
  const { job, destination, system, ledger, attempts, ahead, state, methodContext } = context;
  const watchdog = { what: `clean up at ${destination.name}`, timeoutMs: SWEEP_MS, clock: system };
  await withWatchdog(watchdog, new AbortController().signal, async (end) => {
    forgetEnded(context);
    // If this process did not recover what a former one had in hand, the next start does.
    for (const delivery of state.staging === "own" ? [] : ledger.inFlight(job.name, destination.name)) {
      attempts.leave(delivery, stagedName(methodContext.stagingRoot, attemptOf(delivery), delivery));
    }
    const resumed = session.resumes ? attempts.withParts() : [];
    const growing = session.parts ? ahead.attemptsOf(wantedFiles(context)) : [];
    const kept = new Set(state.keepsParts ? [...resumed, ...growing] : []);
    const there = kept.size === 0 ? [] : await session.leftovers(end);
    if (there.some((attempt) => kept.has(attempt))) {
      return await session.sweep(there.filter((attempt) => !kept.has(attempt)), end);
    }
    await session.sweep(null, end);
    attempts.clear();
  });
  state.staging = "empty";
}

/** The files that grow, and those that are finished and not sent yet. */
export function wantedFiles({ ledger, job, destination, growing }: DestinationContext): Growing[] {
  const waiting = ledger.query({
    job: job.name,
    destination: destination.name,
    states: ["queued", "sending", "deferred"],
    // It is large files that were sent early.
    sort: "size",
    descending: true,
    limit: MOST_WAITING,
  });
  return [...growing(), ...waiting.map(({ delivery: { source } }) => source)];
}

const MOST_WAITING = 500;

/** A delivery whose part was left may have ended without another attempt: because of a newer version, or a person. */
function forgetEnded({ attempts, ledger }: DestinationContext): void {
  const left = attempts.left();
  if (left.length === 0) return;
  const rows = ledger.query({ ids: left.map(({ id }) => id), states: ["queued", "sending", "deferred"] });
  const waiting = new Set(rows.map(({ delivery }) => delivery.id));
  for (const delivery of left) if (!waiting.has(delivery.id)) attempts.forget(delivery);
}

/** How long the last sweep, or a connection for it, may take. */
const SWEEP_MS = 10_000;
