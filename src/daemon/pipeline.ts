/**
 * The pipeline of one job, both halves: the intake fills the ledger, one outbox per destination empties it, and
 * sources are removed where the job asks for it.
 */
import type { Destination, Job } from "../config/settings.ts";
import { pathField } from "../domain/names/printable.ts";
import type { FileFacts } from "../domain/source_file.ts";
import type { Emit } from "../domain/transfer_event.ts";
import { type Patterns, patternsOf } from "../intake/patterns.ts";
import { relativePathOf } from "../intake/source_path.ts";
import { type Admission, type IntakeLedger, REMEMBERS_NOTHING } from "../ledger/intake_ledger.ts";
import type { OutboxLedger, Removable } from "../ledger/outbox_ledger.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { waitingOf } from "../ledger/orphans.ts";
import { earlyLooks } from "../system/processes/early_looks.ts";
import type { System } from "../system/system.ts";
import type { Waiting } from "../intake/settle/candidate.ts";
import type { OutboxOptions } from "../delivery/destination_context.ts";
import { type Intake, intake } from "../intake/intake.ts";
import { type Idleness, type Outbox, outbox } from "../delivery/outbox.ts";
import { mirrors } from "../delivery/mirror/mirror.ts";
import { sourceRemoval } from "../delivery/remove_source.ts";
import { jobSchedule } from "./job_schedule.ts";
import { anySignal, onAbort } from "../async/abort.ts";

export interface PipelineTools {
  readonly system: System;
  readonly ledger: Ledger;
  readonly emit: Emit;
  /** The run ends when all is done: the schedule does not count. */
  readonly once: boolean;
  /** What the outbox of a destination is handed; asked once for each. */
  readonly outboxOptions: (destination: Destination) => OutboxOptions;
  readonly jobs: () => readonly Job[];
  readonly delivered: (job: Job) => void;
}

/** The work of one job; `outboxes` are in the order of its destinations. */
export interface Pipeline {
  readonly job: Job;
  readonly intake: Intake;
  readonly outboxes: readonly Outbox[];
  /** Works until the signal is aborted and what is in flight has ended or was parked. */
  run(signal: AbortSignal): Promise<void>;
  /** Wakes the outboxes: the ledger changed. */
  wake(): void;
  /** A person allows the removals at a mirror that wait for one; false where none do. */
  acceptRemovals(destination: string): boolean;
  /** Removes the sources that are delivered, where the job asks for it (`delete_source`): others have delivered theirs. */
  removeDelivered(): Promise<void>;
  /** Sends now, whatever the schedule says. */
  sendNow(): void;
  /** See {@linkcode JobSchedule.owesRun}. */
  owesRun(): boolean;
  /** When the schedule sends next, milliseconds since 1970 UTC; null while it does, or when only a person knows. */
  nextRun(): number | null;
  /** Resolves when everything there is was delivered, or the rest cannot be delivered now. Needs {@linkcode Pipeline.run} to run. */
  finished(signal: AbortSignal): Promise<Finish>;
}

/** The result of `run --once` for one job. */
export interface Finish {
  /** Files that are unfinished or rejected, and why. */
  readonly incomplete: readonly Pick<Waiting, "path" | "reason" | "detail">[];
  /** Destinations that were given up. */
  readonly unreached: readonly { readonly destination: string; readonly idleness: Idleness }[];
}

export function pipeline(job: Job, { system, ledger, emit, once, outboxOptions, jobs, delivered }: PipelineTools): Pipeline {
  const ending = new AbortController();
  const looks = earlyLooks(system);
  const remove = () => void removal.pass(ending.signal);
  const outboxes = job.destinations.map((destination) =>
    outbox({
      ...outboxOptions(destination),
      looks,
      delivered() {
        remove();
        delivered(job);
      },
      rewritten: () => void taking.scanNow(),
      growing: () => taking.growing(),
    })
  );
  const removing = { system, ledger, emit, wantedByOthers: wantedByOthers(job, jobs, { system, ledger }) };
  const removal = sourceRemoval(job, outboxes, removing);
  const wake = () => [...outboxes, schedule].forEach((one) => one?.wake());
  const taking = intake(job, {
    system,
    ledger,
    looks,
    emit(event) {
      emit(event);
      if (event.type === "removed") mirror.wake();
    },
    admitted: wake,
    loops: (failure) => outboxes.forEach((box) => box.hold(failure)),
    certain: remove,
    // What `auto` has chosen; null where nothing yet.
    chosenMethod(name) {
      const method = outboxes.find(({ destination }) => destination.name === name)?.about().method;
      return method === undefined || method === "auto" ? null : method;
    },
  });

  const mirror = mirrors(job, outboxes, {
    system,
    ledger,
    emit,
    everywhere: () => jobs().flatMap(({ destinations }) => destinations),
  });
  const schedule = once ? null : jobSchedule(job, { system, ledger, emit, intake: taking, outboxes });

  /** Waits until nothing is left that can be delivered now. */
  async function allDone(signal: AbortSignal): Promise<Finish> {
    using watched = anySignal(signal);
    void (async () => {
      while (!watched.signal.aborted) {
        await system.sleep(1000, watched.signal);
        // The folder cannot be watched any more.
        if (taking.failure() !== null) watched.abort();
      }
    })();
    while (true) {
      await taking.caughtUp();
      const idle = await Promise.all(
        outboxes.map(async (box) => ({ destination: box.destination.name, idleness: await box.idle(watched.signal) })),
      );
      // Something may have been admitted while the last files were sent.
      const { incomplete } = await taking.caughtUp();
      const late = idle.some(({ destination, idleness }) =>
        idleness.drained && waitingOf(ledger.counts(job.name, destination)) > 0
      );
      if (late && !signal.aborted) continue;
      return { incomplete, unreached: idle.filter(({ idleness }) => !idleness.drained) };
    }
  }

  return {
    job,
    intake: taking,
    outboxes,
    wake,
    acceptRemovals: mirror.accept,
    removeDelivered: () => removal.pass(ending.signal),
    sendNow: () => schedule?.ask(),
    owesRun: () => schedule?.owesRun() ?? false,
    nextRun: () => schedule?.next() ?? null,
    async run(signal) {
      using _following = onAbort(signal, () => ending.abort());
      await Promise.all([
        removal.restore(),
        taking.run(signal),
        schedule?.run(signal),
        once ? null : mirror.run(signal),
        ...outboxes.map((box) => box.run(signal)),
      ]);
      await removal.pass(ending.signal);
    },
    async finished(signal) {
      const finish = await allDone(signal);
      await mirror.settle(signal);
      await removal.pass(ending.signal);
      return finish;
    },
  };
}

/** Whether both jobs may deliver the same file. */
export function mayShare(a: Job, b: Job, { separator }: Pick<System, "separator">): boolean {
  return a.name !== b.name && (isIn(a.watchPath, b.watchPath, separator) || isIn(b.watchPath, a.watchPath, separator));
}

/** Tells of sources of a job whether one of the others still has to deliver them; `jobs` are those of the configuration now. */
function wantedByOthers(
  job: Job,
  jobs: () => readonly Job[],
  { ledger, system }: { readonly ledger: Pick<OutboxLedger, "isDelivered">; readonly system: Pick<System, "separator"> },
): (removable: Removable) => boolean {
  const patterns = new WeakMap<Job, Patterns>();
  const wants = (other: Job, path: string) => {
    const known = patterns.get(other) ?? patternsOf(other);
    patterns.set(other, known);
    return known.wants(path);
  };
  return ({ source, receipts }) =>
    jobs().some((other) => {
      if (other.dryRun || other.destinations.length === 0 || !mayShare(job, other, system)) return false;
      const path = relativePathOf(other.watchPath, source.absolutePath, system.separator);
      if (path === null || !wants(other, path)) return false;
      const names = other.destinations.map(({ name }) => name);
      return !ledger.isDelivered({ ...source, job: other.name, path }, receipts[0]?.sha256 ?? null, names);
    });
}

function isIn(folder: string, path: string, separator: System["separator"]): boolean {
  return relativePathOf(folder, path, separator) !== null;
}

/** With `dry_run: true` the folder is watched, and the log says what would be sent where. Nothing is queued, sent or removed. */
export function dryPipeline(job: Job, { system, ledger, emit }: Pick<PipelineTools, "system" | "ledger" | "emit">): Pipeline {
  const tell = ({ source, targets }: Admission) => {
    for (const { destination, target } of targets) {
      const where = target === source.path ? destination : `${destination} as ${pathField(target)}`;
      emit({ type: "notice", level: "info", message: `Dry run: ${pathField(source.absolutePath)} would be sent to ${where}` });
    }
  };
  const taking = intake(job, { system, ledger: unchanged(ledger, tell), emit, admitted: () => {} });
  return {
    job,
    intake: taking,
    outboxes: [],
    run: (signal) => taking.run(signal),
    wake: () => {},
    acceptRemovals: () => false,
    removeDelivered: () => Promise.resolve(),
    sendNow: () => {},
    owesRun: () => false,
    nextRun: () => null,
    finished: async (): Promise<Finish> => ({ ...await taking.caughtUp(), unreached: [] }),
  };
}

/** A ledger that is only read; `tell` hears of each version of a file once. */
function unchanged(ledger: IntakeLedger, tell: (admission: Admission) => void): IntakeLedger {
  const told = new Set<string>();
  const keyOf = ({ path, size, mtimeMs }: FileFacts) => `${path}\0${size}\0${mtimeMs}`;
  return {
    ...REMEMBERS_NOTHING,
    unknown: (job, files, destinations) => ({
      fresh: ledger.unknown(job, files, destinations).fresh.filter((file) => !told.has(keyOf(file))),
      recheck: [],
    }),
    admitted: ledger.admitted,
    leftAside: ledger.leftAside,
    admit(admissions) {
      for (const admission of admissions) {
        if (told.has(keyOf(admission.source))) continue;
        told.add(keyOf(admission.source));
        tell(admission);
      }
      return [];
    },
  };
}
