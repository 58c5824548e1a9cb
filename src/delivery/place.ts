/**
 * The place that a session delivers to: finds the mount, accepts another disk if a person said so, searches for a loop back to a
 * watched folder, and checks the place again from time to time.
 */
import { type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { OpenSession } from "./batch.ts";
import { type DestinationContext, succeed } from "./destination_context.ts";
import { demandSpace, findMount, placeOf, strangePlace } from "./mount.ts";
import { doesNotFit } from "./steps/put.ts";
import { finalSweep } from "./sweep.ts";
import { chunks } from "../domain/chunks.ts";
import { counted } from "../domain/words.ts";
import type { FormerFiles } from "../domain/delivery.ts";
import { sameFingerprint } from "../domain/source_file.ts";
import type { Session } from "../methods/method.ts";

const FRESH_MS = 5_000;
const LOOK_EVERY_MS = 30_000;

export interface Place {
  look(): Promise<void>;
  /** Rejects with `loop` if files would come back. If the last search found no loop, this one runs beside the transfers. */
  readonly loopSearch: Promise<void>;
}

export async function findPlace(open: OpenSession): Promise<Place> {
  const { context, sweeper, soft, hard } = open;
  const { destination, system, attempts, loops, methodContext, state } = context;
  // Named like an attempt, and swept like one.
  const probe = attempts.begin();
  if (state.staging === "empty") state.staging = "former";
  try {
    await findMountNow(open, soft, probe);
    let lookedAt = system.monotonic();
    const loopSearch = loops.check(destination, { stagingRoot: methodContext.stagingRoot, name: probe }, hard).finally(() => {
      attempts.end(probe);
      sweeper.soon(hard);
    });
    loopSearch.catch(() => undefined); // The session listens to it later.
    if (loops.doubts(destination)) {
      try {
        await loopSearch.finally(() => sweeper.done());
      } catch (error) {
        // Nothing is sent there, so nothing else would remove the probe from the watched folder.
        if (failureRecord(error).code === "loop" && state.closing.size === 0) await finalSweep(context, open.session);
        throw error;
      }
    }
    const look = async () => {
      if (system.monotonic() - lookedAt < FRESH_MS) return;
      await findMountNow(open, hard);
      lookedAt = system.monotonic();
    };
    return { look, loopSearch };
  } catch (error) {
    attempts.end(probe);
    // A lost connection sweeps nothing.
    if (failureRecord(error).next === "hold") sweeper.soon(hard);
    throw error;
  }
}

async function findMountNow({ context, session }: OpenSession, signal: AbortSignal, probe?: string): Promise<void> {
  const { destination, ledger, state, emit } = context;
  const mount = await findMount(session, {
    destination,
    ledger,
    accept: state.acceptedDisk !== null,
    log: (level, message) => emit({ type: "notice", level, message }),
    ...(probe === undefined ? {} : { probe }),
  }, signal);
  if (state.acceptedDisk !== null) {
    await acceptDisk(context, session, state.acceptedDisk, signal);
    ledger.rememberDevice(destination.job, destination.name, placeOf(mount, destination));
    state.acceptedDisk = null;
  } else if (!state.known.found && mount.device === null) {
    const message = await strangePlace(session, { destination, ledger }, signal);
    if (message !== null) emit({ type: "notice", level: "warning", message });
  }
  state.known = { ...state.known, freeBytes: mount.freeBytes, found: true, made: state.known.made || mount.made === true };
  demandSpace(mount, destination);
}

/**
 * A destination that is on hold because it is full is not open again until one of the files fits.
 *
 * @throws {Failure} `disk_full`
 */
export function demandRoom({ job, destination, ledger, breaker, state: { known } }: DestinationContext): void {
  const state = breaker.state();
  if (known.freeBytes === null || state.state !== "on_hold" || state.failure.code !== "disk_full") return;
  const states = ["queued", "deferred"] as const;
  const [smallest] = ledger.query({ job: job.name, destination: destination.name, states, sort: "size", limit: 1 });
  if (smallest === undefined) return;
  const { source } = smallest.delivery;
  const room = known.freeBytes - destination.minimumFreeBytes - destination.copySafetyMarginBytes;
  if (source.size > room) throw doesNotFit(source, destination);
}

/** Checks the place while nothing is sent, so that a dead idle connection is noticed before a file needs it. */
export async function watchPlace(
  place: Place,
  context: DestinationContext,
  fail: (failure: FailureRecord) => void,
  over: AbortSignal,
): Promise<void> {
  while (true) {
    await context.system.sleep(LOOK_EVERY_MS, over, "in step");
    if (over.aborted) return;
    try {
      await place.look();
      succeed(context);
    } catch (error) {
      fail(failureRecord(error));
    }
  }
}

const AT_ONCE = 500;

/**
 * Looks for every delivered file, by its size.
 *
 * @throws {Failure} if the destination does not answer: then it has to be done again.
 */
async function acceptDisk(
  context: DestinationContext,
  session: Pick<Session, "survey">,
  former: FormerFiles,
  signal: AbortSignal,
): Promise<void> {
  const { job, destination, ledger, system, emit } = context;
  const rows = ledger.each({ job: job.name, destination: destination.name, states: ["delivered"] });
  const count = { delivered: 0, gone: 0, again: 0 };
  for (const some of chunks(rows, AT_ONCE)) {
    const stats = await session.survey(some.map(({ delivery }) => delivery.target), signal);
    const gone = some.filter(({ delivery }, index) => stats[index]?.bytes !== delivery.source.size);
    ledger.markGone(gone.map(({ delivery }) => delivery.id), ANOTHER_DISK, system.now());
    count.delivered += some.length;
    count.gone += gone.length;
  }
  if (former === "send_again") count.again = await sendAgain(context);
  if (count.gone === 0 && count.again === 0) return;
  const what = former === "send_again" ? `sending ${count.again} again` : "not sending them again";
  const message = `Another disk or folder was accepted for ${destination.name}: ` +
    `${count.gone} of ${counted(count.delivered, "delivered file")} missing there; ${what}`;
  emit({ type: "notice", level: "warning", message });
}

/** Queues the files that are marked as gone, unless their source has changed; returns how many. */
export async function sendAgain({ job, destination, ledger, system, sourceAway }: DestinationContext): Promise<number> {
  const gone = ledger.each({ job: job.name, destination: destination.name, gone: true });
  // While the watched folder is missing, nothing is known about its files.
  const away = await sourceAway();
  const chosen: number[] = [];
  for (const { delivery: { id, source } } of gone) {
    const facts = away ? null : await system.facts(source.absolutePath);
    if (away || (facts?.kind === "file" && sameFingerprint(facts, source))) chosen.push(id);
  }
  return ledger.sendAgain(chosen, system.now()).length;
}

const ANOTHER_DISK = "It is no longer at the destination: another disk or folder was accepted in place of the one that has it";
