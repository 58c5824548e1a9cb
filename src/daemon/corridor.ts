/**
 * The corridor of one job, both halves: the intake fills the ledger, one outbox per destination empties it, and
 * sources are removed where the job asks for it.
 *
 * @module
 */
import type { Destination, Job } from "../domain/job.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { waitingOf } from "../ledger/orphans.ts";
import type { Method, MethodContext } from "../methods/method.ts";
import type { System } from "../system/system.ts";
import type { Waiting } from "../intake/settle/candidate.ts";
import type { Breaker } from "../delivery/breaker.ts";
import { type Intake, intake } from "../intake/intake.ts";
import type { LoopGuard } from "./loop_guard.ts";
import { type Idleness, type Outbox, outbox } from "../delivery/outbox.ts";
import { type SourceRemoval, sourceRemoval } from "../delivery/remove_source.ts";
import type { Semaphore } from "../async/semaphore.ts";

/** What a corridor is handed. `methodOf` and `contextOf` are asked once for each destination. */
export interface CorridorTools {
  readonly system: System;
  readonly ledger: Ledger;
  readonly emit: Emit;
  readonly methodOf: (destination: Destination) => Pick<Method, "connect">;
  readonly contextOf: (destination: Destination) => MethodContext;
  /** The breaker that all destinations on one host share. */
  readonly breakerOf: (destination: Destination) => Breaker;
  /** Looks whether files come back, over all corridors. */
  readonly loops: LoopGuard;
  /** Makes the places to send of one destination, out of those that all destinations share. */
  readonly concurrentSyncsOf: () => Semaphore;
  /** What is in flight gets so long to end. */
  readonly shutdownTimeoutMs: number;
  /** Most sources that a lane looks at or hashes at once. */
  readonly fileOperations: number;
  /** Most deliveries of one batch. */
  readonly batchFiles: number;
  /** The run ends when all is done. */
  readonly once: boolean;
}

/** The work of one job; `outboxes` are in the order of its destinations. */
export interface Corridor {
  readonly job: Job;
  readonly intake: Intake;
  readonly outboxes: readonly Outbox[];
  /** Works until the signal is aborted and what is in flight has ended or was parked. */
  run(signal: AbortSignal): Promise<void>;
  /** Wakes the outboxes: the ledger changed. */
  wake(): void;
  /** Resolves when everything there is was delivered, or waiting for the rest is in vain. Needs {@linkcode Corridor.run} to run. */
  finished(signal: AbortSignal): Promise<Finish>;
}

/** How a run that ends by itself came out for one job. */
export interface Finish {
  /** Files found that are not finished or cannot be taken, and why. */
  readonly incomplete: readonly Pick<Waiting, "path" | "reason" | "detail">[];
  /** Destinations that were given up. */
  readonly unreached: readonly { readonly destination: string; readonly idleness: Idleness }[];
}

/** Nothing happens before {@linkcode Corridor.run}. */
export function corridor(job: Job, tools: CorridorTools): Corridor {
  const { system, ledger, emit } = tools;
  const ending = new AbortController();
  const removal: { do: SourceRemoval | null } = { do: null };
  const outboxes = job.destinations.map((destination) =>
    outbox(job, destination, {
      system,
      ledger,
      emit,
      method: tools.methodOf(destination),
      context: tools.contextOf(destination),
      host: tools.breakerOf(destination),
      loops: tools.loops,
      concurrentSyncs: tools.concurrentSyncsOf(),
      shutdownTimeoutMs: tools.shutdownTimeoutMs,
      fileOperations: tools.fileOperations,
      batchFiles: tools.batchFiles,
      once: tools.once,
      delivered: () => void removal.do?.pass(ending.signal),
      rewritten: () => void taking.scanNow(),
    })
  );
  removal.do = sourceRemoval(job, outboxes, { system, ledger, emit });
  const wake = () => outboxes.forEach((box) => box.wake());
  const taking = intake(job, {
    system,
    ledger,
    emit,
    admitted: wake,
    loops: (failure) => outboxes.forEach((box) => box.hold(failure)),
    certain: () => void removal.do?.pass(ending.signal),
    chosenMethod: (name) => {
      const method = outboxes.find(({ destination }) => destination.name === name)?.about().method;
      return method === undefined || method === "auto" ? null : method;
    },
  });

  return {
    job,
    intake: taking,
    outboxes,
    wake,
    async run(signal) {
      signal.addEventListener("abort", () => ending.abort(), { once: true });
      await Promise.all([taking.run(signal), ...outboxes.map((box) => box.run(signal))]);
      await removal.do?.pass(ending.signal);
    },
    async finished(signal) {
      using patience = whileWatched(taking, system, signal);
      while (true) {
        await taking.settled();
        const idle = await Promise.all(
          outboxes.map(async (box) => ({ destination: box.destination.name, idleness: await box.idle(patience.signal) })),
        );
        // Something may have been admitted while the last files were sent.
        const { incomplete } = await taking.settled();
        const late = idle.some(({ destination, idleness }) =>
          idleness.drained && waitingOf(ledger.counts(job.name, destination)) > 0
        );
        if (late && !signal.aborted) continue;
        await removal.do?.pass(ending.signal);
        return { incomplete, unreached: idle.filter(({ idleness }) => !idleness.drained) };
      }
    },
  };
}

/** A signal that is aborted when the run ends, or when the folder cannot be watched any more. */
function whileWatched(
  taking: Intake,
  clock: Pick<System, "sleep">,
  signal: AbortSignal,
): Disposable & { readonly signal: AbortSignal } {
  const end = new AbortController();
  const stop = () => end.abort();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  void (async () => {
    while (!end.signal.aborted) {
      await clock.sleep(1000, end.signal);
      if (taking.failure() !== null) stop();
    }
  })();
  return {
    signal: end.signal,
    [Symbol.dispose]() {
      stop();
      signal.removeEventListener("abort", stop);
    },
  };
}
