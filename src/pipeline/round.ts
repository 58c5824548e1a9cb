/**
 * The life of one session: connect, find the ground, settle what was in hand, carry batches in several lanes until the
 * destination fails or the outbox stops, close.
 *
 * @module
 */
import { type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { Session } from "../methods/method.ts";
import { carry } from "./carry.ts";
import { crashPoint } from "./crash_point.ts";
import { findGround } from "./ground.ts";
import { guarded } from "./guarded.ts";
import type { Office } from "./office.ts";
import { recover } from "./recover.ts";
import type { Way } from "./way.ts";

const BATCH_BYTES = 64 * 1024 * 1024;
/** How long a lane waits for company of a fresh file while another lane is busy anyway. */
const LINGER_MS = 50;
const GROUND_FRESH_MS = 5_000;
const GROUND_EVERY_MS = 30_000;
const CONNECT_MS = 60_000;
const CLOSE_MS = 5_000;
const SWEEP_MS = 10_000;
const MINUTE = 60_000;
/** No back-off lasts longer: a delivery due later than this says that the clock was set back. */
const LONGEST_WAIT_MS = 10 * MINUTE;

/**
 * One round with a session. `opened` is called when the destination is ready for files.
 *
 * @throws {Failure} what keeps the destination from being used; failures of batches trip the breaker and end the round.
 */
export async function round(
  office: Office,
  opened: (session: Session) => void,
  soft: AbortSignal,
  hard: AbortSignal,
): Promise<void> {
  const session = await connect(office, CONNECT_MS, soft);
  const over = new AbortController();
  const end = () => over.abort();
  soft.addEventListener("abort", end, { once: true });
  try {
    const way = wayOf(office, session);
    // The host answered, whatever the folder there says.
    office.tools.host.admit();
    let groundAt = await groundNow(office, session, soft);
    office.own.admit();
    office.session = session;
    opened(session);
    await settleFormer(office, way, hard);
    if (soft.aborted) return;
    office.tools.ledger.hurry(office.job.name, office.destination.name);

    const fail = (failure: FailureRecord) => {
      if (!over.signal.aborted) office.trip(failure);
      over.abort();
    };
    const lookAround = async () => {
      if (office.tools.system.monotonic() - groundAt < GROUND_FRESH_MS) return;
      groundAt = await groundNow(office, session, hard);
    };
    const watching = watchGround(office, lookAround, fail, over.signal);
    // One lane more than may send: it checks and hashes the next batch while the others' is on its way.
    const lanes = Array.from(
      { length: office.destination.parallelTransfers + 1 },
      () => lane(office, way, lookAround, fail, over.signal, hard),
    );
    await Promise.all(lanes);
    over.abort();
    await watching;
    await sweeping.get(session);
    if (soft.aborted) await sweepWith(office, session);
  } finally {
    soft.removeEventListener("abort", end);
    over.abort();
    office.session = null;
    await close(office, session);
  }
}

/** Removes all that is ours at the destination, with a session of its own if none is open: a clean stop leaves nothing. */
export async function sweepAll(office: Office): Promise<void> {
  try {
    const session = await connect(office, SWEEP_MS, new AbortController().signal);
    try {
      await sweepWith(office, session);
    } finally {
      await close(office, session);
    }
  } catch (error) {
    tellUnswept(office, error);
  }
}

async function connect(office: Office, longestMs: number, signal: AbortSignal): Promise<Session> {
  const { destination, tools } = office;
  const guard = {
    what: `connect to ${destination.name}`,
    timeoutMs: Math.min(longestMs, destination.timeoutMs),
    clock: tools.system,
  };
  let late = false;
  try {
    return await guarded(guard, signal, async (end) => {
      const session = await tools.method.connect(destination, tools.context, end);
      if (late) await session[Symbol.asyncDispose]();
      return session;
    });
  } finally {
    late = true;
  }
}

async function groundNow(office: Office, session: Session, signal: AbortSignal): Promise<number> {
  const { destination, tools } = office;
  const guard = { what: `find the folder at ${destination.name}`, timeoutMs: destination.timeoutMs, clock: tools.system };
  const options = { destination, ledger: tools.ledger, accept: office.accept };
  const ground = await guarded(guard, signal, (end) => findGround(session, options, end));
  office.accept = false;
  office.freeBytes = ground.freeBytes;
  return tools.system.monotonic();
}

async function settleFormer(office: Office, way: Way, hard: AbortSignal): Promise<void> {
  office.littered = true;
  if (office.recovered) return;
  await recover(office.tools.ledger.inFlight(office.job.name, office.destination.name), way, hard);
  office.recovered = true;
}

/** Looks after the ground while nothing is sent, so that an idle connection that died is found before a file needs it. */
async function watchGround(
  office: Office,
  look: () => Promise<void>,
  fail: (failure: FailureRecord) => void,
  over: AbortSignal,
): Promise<void> {
  while (true) {
    await office.tools.system.sleep(GROUND_EVERY_MS, over);
    if (over.aborted) return;
    try {
      await look();
      office.own.prove();
      office.tools.host.prove();
    } catch (error) {
      fail(failureRecord(error));
    }
  }
}

/** Claims and carries batches, one after the other. */
async function lane(
  office: Office,
  way: Way,
  look: () => Promise<void>,
  fail: (failure: FailureRecord) => void,
  over: AbortSignal,
  hard: AbortSignal,
): Promise<void> {
  const { tools, job, destination } = office;
  const { system, ledger } = tools;
  let full = false;
  while (!over.aborted && !office.paused) {
    try {
      const due = ledger.nextDue(job.name, destination.name);
      const inMs = due === null ? MINUTE : due - system.now();
      if (inMs > LONGEST_WAIT_MS) ledger.hurry(job.name, destination.name);
      if (inMs > 0) {
        await office.wakeup.wait(Math.min(inMs, MINUTE), over);
        continue;
      }
      if (office.busy > 0 && !full) {
        await system.sleep(LINGER_MS, over);
        if (over.aborted || ledger.nextDue(job.name, destination.name) === null) continue;
      }
      await look();
      if (over.aborted || office.paused) return;
      const attempt = office.attempts.begin();
      const { order } = destination;
      const batch = ledger.claim({
        job: job.name,
        destination: destination.name,
        order,
        maxFiles: tools.batchFiles,
        maxBytes: BATCH_BYTES,
        attempt,
        now: system.now(),
      });
      if (batch.length === 0) {
        office.attempts.abandon(attempt);
        await office.wakeup.wait(LINGER_MS, over);
        continue;
      }
      crashPoint("after_claim", system);
      full = batch.length >= tools.batchFiles || batch.reduce((sum, { source }) => sum + source.size, 0) >= BATCH_BYTES / 2;
      office.busy += 1;
      try {
        const trouble = await carry(batch, attempt, way, hard);
        if (trouble) fail(trouble);
        else if (!hard.aborted) works(office);
      } finally {
        office.busy -= 1;
        office.wakeup.wake();
      }
      tools.delivered?.();
      sweepSoon(office, way.session, hard);
    } catch (error) {
      const failure = failureRecord(error);
      if (failure.code === "internal") tools.tell({ type: "notice", level: "error", message: failure.message, error });
      fail(failure);
    }
  }
}

function works(office: Office): void {
  office.own.prove();
  office.tools.host.prove();
}

/** Sweeps ended attempts beside the way of the batches, one call at a time. */
function sweepSoon(office: Office, session: Session, signal: AbortSignal): void {
  const former = sweeping.get(session) ?? Promise.resolve();
  const guard = {
    what: `sweep at ${office.destination.name}`,
    timeoutMs: office.destination.timeoutMs,
    clock: office.tools.system,
  };
  const next = former
    .then(() => guarded(guard, signal, (end) => office.attempts.sweep(session, end)))
    .catch((error) => office.tools.tell({ type: "notice", level: "debug", message: failureRecord(error).message }));
  sweeping.set(session, next);
}
const sweeping = new WeakMap<Session, Promise<void>>();

async function sweepWith(office: Office, session: Session): Promise<void> {
  const guard = { what: `sweep at ${office.destination.name}`, timeoutMs: SWEEP_MS, clock: office.tools.system };
  await guarded(guard, new AbortController().signal, (end) => session.sweep(null, end));
  office.attempts.clear();
  office.littered = false;
}

function tellUnswept(office: Office, error: unknown): void {
  const message = `Cannot remove the temporary files at ${office.destination.name}: ${
    failureRecord(error).message
  }. The next start does`;
  office.tools.tell({ type: "notice", level: "warning", message });
}

async function close(office: Office, session: Session): Promise<void> {
  const guard = { what: `close the session with ${office.destination.name}`, timeoutMs: CLOSE_MS, clock: office.tools.system };
  try {
    await guarded(guard, new AbortController().signal, async () => await session[Symbol.asyncDispose]());
  } catch (error) {
    office.tools.tell({ type: "notice", level: "debug", message: failureRecord(error).message });
  }
}

function wayOf(office: Office, session: Session): Way {
  const { tools, destination } = office;
  return {
    destination,
    watchPath: office.job.watchPath,
    session,
    system: tools.system,
    ledger: tools.ledger,
    tell: tools.tell,
    stagingRoot: tools.context.stagingRoot,
    attempts: office.attempts,
    underway: office.underway,
    lanes: office.lanes,
    slots: tools.slots,
    fileOperations: tools.fileOperations,
    once: tools.once,
    roomBytes: () => office.freeBytes === null ? null : office.freeBytes - destination.minimumFreeBytes,
    moved: () => works(office),
  };
}
