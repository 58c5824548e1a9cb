/**
 * The life of one session: connect, find the mount, settle what was in hand, carry batches in several lanes until the
 * destination fails or the outbox stops, close.
 *
 * @module
 */
import { type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { Session } from "../methods/method.ts";
import { finalSweep, SWEEP_MS } from "./final_sweep.ts";
import { demandSpace, findMount } from "./mount.ts";
import { withWatchdog } from "./watchdog.ts";
import type { DestinationContext } from "./destination_context.ts";
import { runWorker, sweepSoon, swept, works } from "./worker.ts";
import { doesNotFit } from "./steps/put.ts";
import { recover } from "./recover.ts";
import { acceptDisk } from "./accept_disk.ts";
import type { Batch } from "./batch.ts";

const GROUND_FRESH_MS = 5_000;
const GROUND_EVERY_MS = 30_000;
const CONNECT_MS = 60_000;
const CLOSE_MS = 5_000;

/**
 * One round with a session. `opened` is called when the destination is ready for files.
 *
 * @throws {Failure} what keeps the destination from being used; failures of batches trip the breaker and end the round.
 */
export async function runSession(
  context: DestinationContext,
  opened: (session: Session) => void,
  soft: AbortSignal,
  hard: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const end = () => over.abort();
  // A pause may come while the connection is made.
  context.endRound = end;
  const session = await connect(context, CONNECT_MS, soft);
  let working: Promise<unknown> = Promise.resolve();
  soft.addEventListener("abort", end, { once: true });
  if (soft.aborted) end();
  try {
    const batch = batchOf(context, session, soft);
    // The host answered, whatever the folder there says.
    context.tools.host.close();
    const place = await findPlace(context, session, soft, hard);
    let { mountAt } = place;
    demandRoom(context);
    context.breaker.close();
    if (over.signal.aborted) return;
    context.session = session;
    opened(session);
    await recoverFormer(context, batch, hard);
    if (over.signal.aborted) return;
    // A former process may have ended between the last record and the removal of its source.
    context.tools.delivered?.();
    context.tools.ledger.makeDue(context.job.name, context.destination.name);

    const fail = (failure: FailureRecord) => {
      if (!over.signal.aborted) context.trip(failure);
      over.abort();
    };
    place.looking.catch((error) => fail(failureRecord(error)));
    const lookAround = async () => {
      if (context.tools.system.monotonic() - mountAt < GROUND_FRESH_MS) return;
      mountAt = await mountNow(context, session, hard);
    };
    // One lane more than may send: it checks and hashes the next batch while the others' is on its way.
    const parallelTransfers = Array.from(
      { length: context.destination.parallelTransfers + 1 },
      () => runWorker(context, batch, { look: lookAround, fail, over: over.signal, hard }),
    );
    working = Promise.all([...parallelTransfers, watchMount(context, lookAround, fail, over.signal)]);
    await Promise.race([working, aborted(over.signal)]);
  } finally {
    soft.removeEventListener("abort", end);
    over.abort();
    context.session = null;
    context.endRound = () => {};
    // What other lanes have in hand goes on with the old session, while the next round begins with a new one.
    const ending = drain(context, session, working, soft);
    context.draining.add(ending);
    void ending.finally(() => context.draining.delete(ending));
  }
}

/** Waits for the lanes of a round that is over, tidies up, and closes its session. Never throws. */
async function drain(context: DestinationContext, session: Session, working: Promise<unknown>, soft: AbortSignal): Promise<void> {
  try {
    await working;
    await swept(session);
    if (soft.aborted && context.draining.size <= 1) await finalSweep(context, session);
  } catch (error) {
    context.tools.emit({ type: "notice", level: "debug", message: failureRecord(error).message });
  } finally {
    await close(context, session);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Tidies up at the destination with a session of its own, if none is open: a clean stop leaves nothing but what it goes on with. */
export async function sweepAll(context: DestinationContext): Promise<void> {
  try {
    const session = await connect(context, SWEEP_MS, new AbortController().signal);
    try {
      await finalSweep(context, session);
    } finally {
      await close(context, session);
    }
  } catch (error) {
    tellUnswept(context, error);
  }
}

async function connect(context: DestinationContext, longestMs: number, signal: AbortSignal): Promise<Session> {
  const { destination, tools } = context;
  const watchdog = {
    what: `connect to ${destination.name}`,
    timeoutMs: Math.min(longestMs, destination.timeoutMs),
    clock: tools.system,
  };
  let late = false;
  try {
    return await withWatchdog(watchdog, signal, async (end) => {
      const session = await tools.method.connect(destination, tools.context, end);
      if (late) await session[Symbol.asyncDispose]();
      return session;
    });
  } finally {
    late = true;
  }
}

/**
 * The mount, and the search for a way from there back to a watched folder. Where the last search found none it goes on beside the
 * transfers: `looking` fails with `loop`.
 *
 * @throws {Failure} what keeps the destination from being used.
 */
async function findPlace(context: DestinationContext, session: Session, soft: AbortSignal, hard: AbortSignal) {
  const { destination, tools, attempts } = context;
  // Named like an attempt, and swept like one.
  const probe = attempts.begin();
  try {
    const mountAt = await mountNow(context, session, soft, probe);
    const looking = tools.loops.check(destination, { stagingRoot: tools.context.stagingRoot, name: probe }, hard).finally(() => {
      attempts.end(probe);
      sweepSoon(context, session, hard);
    });
    looking.catch(() => undefined); // Heard by whoever asked.
    if (tools.loops.doubts(destination)) {
      await looking.finally(() => swept(session)).catch(async (error) => {
        // Nothing goes there, and nobody would look for it in the watched folder.
        if (failureRecord(error).code === "loop" && context.draining.size === 0) await finalSweep(context, session);
        throw error;
      });
    }
    return { mountAt, looking };
  } catch (error) {
    attempts.end(probe);
    throw error;
  }
}

async function mountNow(context: DestinationContext, session: Session, signal: AbortSignal, probe?: string): Promise<number> {
  const { destination, tools } = context;
  const watchdog = { what: `find the folder at ${destination.name}`, timeoutMs: destination.timeoutMs, clock: tools.system };
  const log = (level: "info" | "warning", message: string) => tools.emit({ type: "notice", level, message });
  const options = {
    destination,
    ledger: tools.ledger,
    accept: context.accept !== null,
    log,
    ...(probe === undefined ? {} : { probe }),
  };
  const mount = await withWatchdog(watchdog, signal, (end) => findMount(session, options, end));
  if (context.accept !== null) {
    await acceptDisk(context, session, context.accept, signal);
    tools.ledger.rememberDevice(destination.job, destination.name, mount.device ?? "");
    context.accept = null;
  }
  context.freeBytes = mount.freeBytes;
  if (mount.made) context.made = true;
  demandSpace(mount, destination);
  return tools.system.monotonic();
}

/**
 * A destination that holds for want of room is not said to take files again before one of them fits.
 *
 * @throws {Failure} `disk_full`
 */
function demandRoom({ job, destination, tools, breaker, freeBytes }: DestinationContext): void {
  const state = breaker.state();
  if (freeBytes === null || state.state !== "on_hold" || state.failure.code !== "disk_full") return;
  const states = ["queued", "deferred"] as const;
  const [smallest] = tools.ledger.query({ job: job.name, destination: destination.name, states, sort: "size", limit: 1 });
  if (smallest === undefined) return;
  const { source } = smallest.delivery;
  const room = freeBytes - destination.minimumFreeBytes - destination.copySafetyMarginBytes;
  if (source.size > room) throw doesNotFit(source, destination);
}

async function recoverFormer(context: DestinationContext, batch: Batch, hard: AbortSignal): Promise<void> {
  context.littered = true;
  if (context.recovered) return;
  await recover(context.tools.ledger.inFlight(context.job.name, context.destination.name), batch, hard);
  context.recovered = true;
}

/** Looks after the mount while nothing is sent, so that an idle connection that died is found before a file needs it. */
async function watchMount(
  context: DestinationContext,
  look: () => Promise<void>,
  fail: (failure: FailureRecord) => void,
  over: AbortSignal,
): Promise<void> {
  while (true) {
    await context.tools.system.sleep(GROUND_EVERY_MS, over);
    if (over.aborted) return;
    try {
      await look();
      context.breaker.succeed();
      context.tools.host.succeed();
    } catch (error) {
      fail(failureRecord(error));
    }
  }
}

function tellUnswept(context: DestinationContext, error: unknown): void {
  const message = `Cannot remove the temporary files at ${context.destination.name}: ${
    failureRecord(error).message
  }. The next start does`;
  context.tools.emit({ type: "notice", level: "warning", message });
}

async function close(context: DestinationContext, session: Session): Promise<void> {
  const watchdog = {
    what: `close the session with ${context.destination.name}`,
    timeoutMs: CLOSE_MS,
    clock: context.tools.system,
  };
  try {
    await withWatchdog(watchdog, new AbortController().signal, async () => await session[Symbol.asyncDispose]());
  } catch (error) {
    context.tools.emit({ type: "notice", level: "debug", message: failureRecord(error).message });
  }
}

function batchOf(context: DestinationContext, session: Session, soft: AbortSignal): Batch {
  const { tools, destination } = context;
  return {
    destination,
    sourceAway: context.sourceAway,
    session,
    system: tools.system,
    ledger: tools.ledger,
    emit: tools.emit,
    stagingRoot: tools.context.stagingRoot,
    attempts: context.attempts,
    transfers: context.transfers,
    parallelTransfers: context.parallelTransfers,
    concurrentSyncs: tools.concurrentSyncs,
    names: context.names,
    fileOperations: tools.fileOperations,
    once: tools.once,
    stopping: () => soft.aborted,
    roomBytes: () => context.freeBytes === null ? null : context.freeBytes - destination.minimumFreeBytes,
    moved: () => works(context),
    rewritten: () => tools.rewritten?.(),
  };
}
