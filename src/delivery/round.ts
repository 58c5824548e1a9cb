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
import { guarded } from "./guarded.ts";
import type { Office } from "./office.ts";
import { outboxLane, sweepSoon, swept, works } from "./outbox_lane.ts";
import { doesNotFit } from "./steps/put.ts";
import { recover } from "./recover.ts";
import { takeStock } from "./take_stock.ts";
import type { Way } from "./way.ts";

const GROUND_FRESH_MS = 5_000;
const GROUND_EVERY_MS = 30_000;
const CONNECT_MS = 60_000;
const CLOSE_MS = 5_000;

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
  const over = new AbortController();
  const end = () => over.abort();
  // A pause may come while the connection is made.
  office.endRound = end;
  const session = await connect(office, CONNECT_MS, soft);
  let working: Promise<unknown> = Promise.resolve();
  soft.addEventListener("abort", end, { once: true });
  if (soft.aborted) end();
  try {
    const way = wayOf(office, session, soft);
    // The host answered, whatever the folder there says.
    office.tools.host.admit();
    const place = await findPlace(office, session, soft, hard);
    let { mountAt } = place;
    demandRoom(office);
    office.own.admit();
    if (over.signal.aborted) return;
    office.session = session;
    opened(session);
    await settleFormer(office, way, hard);
    if (over.signal.aborted) return;
    // A former process may have ended between the last record and the removal of its source.
    office.tools.delivered?.();
    office.tools.ledger.makeDue(office.job.name, office.destination.name);

    const fail = (failure: FailureRecord) => {
      if (!over.signal.aborted) office.trip(failure);
      over.abort();
    };
    place.looking.catch((error) => fail(failureRecord(error)));
    const lookAround = async () => {
      if (office.tools.system.monotonic() - mountAt < GROUND_FRESH_MS) return;
      mountAt = await mountNow(office, session, hard);
    };
    // One lane more than may send: it checks and hashes the next batch while the others' is on its way.
    const lanes = Array.from(
      { length: office.destination.parallelTransfers + 1 },
      () => outboxLane(office, way, { look: lookAround, fail, over: over.signal, hard }),
    );
    working = Promise.all([...lanes, watchMount(office, lookAround, fail, over.signal)]);
    await Promise.race([working, aborted(over.signal)]);
  } finally {
    soft.removeEventListener("abort", end);
    over.abort();
    office.session = null;
    office.endRound = () => {};
    // What other lanes have in hand goes on with the old session, while the next round begins with a new one.
    const ending = drain(office, session, working, soft);
    office.draining.add(ending);
    void ending.finally(() => office.draining.delete(ending));
  }
}

/** Waits for the lanes of a round that is over, tidies up, and closes its session. Never throws. */
async function drain(office: Office, session: Session, working: Promise<unknown>, soft: AbortSignal): Promise<void> {
  try {
    await working;
    await swept(session);
    if (soft.aborted && office.draining.size <= 1) await finalSweep(office, session);
  } catch (error) {
    office.tools.emit({ type: "notice", level: "debug", message: failureRecord(error).message });
  } finally {
    await close(office, session);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Tidies up at the destination with a session of its own, if none is open: a clean stop leaves nothing but what it goes on with. */
export async function sweepAll(office: Office): Promise<void> {
  try {
    const session = await connect(office, SWEEP_MS, new AbortController().signal);
    try {
      await finalSweep(office, session);
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

/**
 * The mount, and the search for a way from there back to a watched folder. Where the last search found none it goes on beside the
 * transfers: `looking` fails with `loop`.
 *
 * @throws {Failure} what keeps the destination from being used.
 */
async function findPlace(office: Office, session: Session, soft: AbortSignal, hard: AbortSignal) {
  const { destination, tools, attempts } = office;
  // Named like an attempt, and swept like one.
  const probe = attempts.begin();
  try {
    const mountAt = await mountNow(office, session, soft, probe);
    const looking = tools.loops.check(destination, { stagingRoot: tools.context.stagingRoot, name: probe }, hard).finally(() => {
      attempts.end(probe);
      sweepSoon(office, session, hard);
    });
    looking.catch(() => undefined); // Heard by whoever asked.
    if (tools.loops.doubts(destination)) {
      await looking.finally(() => swept(session)).catch(async (error) => {
        // Nothing goes there, and nobody would look for it in the watched folder.
        if (failureRecord(error).code === "loop" && office.draining.size === 0) await finalSweep(office, session);
        throw error;
      });
    }
    return { mountAt, looking };
  } catch (error) {
    attempts.end(probe);
    throw error;
  }
}

async function mountNow(office: Office, session: Session, signal: AbortSignal, probe?: string): Promise<number> {
  const { destination, tools } = office;
  const guard = { what: `find the folder at ${destination.name}`, timeoutMs: destination.timeoutMs, clock: tools.system };
  const log = (level: "info" | "warning", message: string) => tools.emit({ type: "notice", level, message });
  const options = {
    destination,
    ledger: tools.ledger,
    accept: office.accept !== null,
    log,
    ...(probe === undefined ? {} : { probe }),
  };
  const mount = await guarded(guard, signal, (end) => findMount(session, options, end));
  if (office.accept !== null) {
    await takeStock(office, session, office.accept, signal);
    tools.ledger.rememberDevice(destination.job, destination.name, mount.device ?? "");
    office.accept = null;
  }
  office.freeBytes = mount.freeBytes;
  if (mount.made) office.made = true;
  demandSpace(mount, destination);
  return tools.system.monotonic();
}

/**
 * A destination that holds for want of room is not said to take files again before one of them fits.
 *
 * @throws {Failure} `disk_full`
 */
function demandRoom({ job, destination, tools, own, freeBytes }: Office): void {
  const state = own.state();
  if (freeBytes === null || state.state !== "on_hold" || state.failure.code !== "disk_full") return;
  const states = ["queued", "deferred"] as const;
  const [smallest] = tools.ledger.query({ job: job.name, destination: destination.name, states, sort: "size", limit: 1 });
  if (smallest === undefined) return;
  const { source } = smallest.delivery;
  const room = freeBytes - destination.minimumFreeBytes - destination.copySafetyMarginBytes;
  if (source.size > room) throw doesNotFit(source, destination);
}

async function settleFormer(office: Office, way: Way, hard: AbortSignal): Promise<void> {
  office.littered = true;
  if (office.recovered) return;
  await recover(office.tools.ledger.inFlight(office.job.name, office.destination.name), way, hard);
  office.recovered = true;
}

/** Looks after the mount while nothing is sent, so that an idle connection that died is found before a file needs it. */
async function watchMount(
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

function tellUnswept(office: Office, error: unknown): void {
  const message = `Cannot remove the temporary files at ${office.destination.name}: ${
    failureRecord(error).message
  }. The next start does`;
  office.tools.emit({ type: "notice", level: "warning", message });
}

async function close(office: Office, session: Session): Promise<void> {
  const guard = { what: `close the session with ${office.destination.name}`, timeoutMs: CLOSE_MS, clock: office.tools.system };
  try {
    await guarded(guard, new AbortController().signal, async () => await session[Symbol.asyncDispose]());
  } catch (error) {
    office.tools.emit({ type: "notice", level: "debug", message: failureRecord(error).message });
  }
}

function wayOf(office: Office, session: Session, soft: AbortSignal): Way {
  const { tools, destination } = office;
  return {
    destination,
    sourceAway: office.sourceAway,
    session,
    system: tools.system,
    ledger: tools.ledger,
    emit: tools.emit,
    stagingRoot: tools.context.stagingRoot,
    attempts: office.attempts,
    underway: office.underway,
    lanes: office.lanes,
    slots: tools.slots,
    names: office.names,
    fileOperations: tools.fileOperations,
    once: tools.once,
    stopping: () => soft.aborted,
    roomBytes: () => office.freeBytes === null ? null : office.freeBytes - destination.minimumFreeBytes,
    moved: () => works(office),
    doubted: () => tools.doubted?.(),
  };
}
