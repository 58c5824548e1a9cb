/** What a running daemon answers from its jobs and its ledger: its state, and what commands and the page ask of it. */
import type { Settings } from "../config/settings.ts";
import { freeSpace } from "../delivery/mount.ts";
import type { Outbox } from "../delivery/outbox.ts";
import { failureRecord } from "../domain/failure.ts";
import { VERSION } from "../domain/version.ts";
import type { Cadences } from "../events/cadence.ts";
import type { EventStream } from "../events/event_stream.ts";
import type { Hooks } from "../events/hooks/hooks.ts";
import type { Progress } from "../events/progress.ts";
import type { Waiting } from "../intake/settle/candidate.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { forgetOrphans, oldestToSend, orphans } from "../ledger/orphans.ts";
import { limitNow } from "../methods/bandwidth.ts";
import type { DaemonControl, Opening } from "../reports/daemon_control.ts";
import { nightSummary, tonightOf } from "../reports/night/night_summary.ts";
import { judged } from "../reports/overview/facts.ts";
import type { DaemonState, JobNow } from "../reports/page_source.ts";
import type { System } from "../system/system.ts";
import type { FleetView } from "./fleet_view.ts";
import { checkName } from "./known_name.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Pipelines } from "./pipelines.ts";
import type { StateWatch } from "./state_directory.ts";

/** The parts of a daemon that answer; functions where they may change with a reload. */
interface Running {
  readonly system: Pick<System, "pid" | "now">;
  readonly ledger: Ledger;
  readonly events: Pick<EventStream, "emit">;
  readonly progress: Progress;
  readonly cadence: Cadences;
  readonly hooks: Pick<Hooks, "waiting">;
  readonly fleet: Pick<FleetView, "now" | "rejected">;
  readonly jobs: Pipelines;
  readonly state: Pick<StateWatch, "trouble">;
  readonly startedAt: number;
  readonly settings: () => Settings;
  /** Null where no page is served. */
  readonly page: () => { readonly url: string; opening(): Opening } | null;
  /** Runs what must not run during a reload. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

export function runningState(
  { ledger, progress, fleet, cadence, jobs, hooks, state, settings, system, startedAt, page }: Running,
): DaemonState {
  return {
    ledger,
    progress,
    about: () => ({
      pid: system.pid,
      version: VERSION,
      startedAt,
      url: page()?.url ?? null,
      configuration: settings().file,
    }),
    trouble: state.trouble,
    fleet: fleet.now,
    jobsRejected: fleet.rejected,
    hooks: () => hooks.waiting(),
    orphans: () => orphans(ledger, settings().jobs),
    jobs: () =>
      jobs.list().map(({ job, intake, nextRun, outboxes }) => ({
        job,
        removedOnServer: settings().removedOnServer?.some((name) => name.toLowerCase() === job.name.toLowerCase()) ?? false,
        nextRun: nextRun(),
        how: intake.how(),
        eventsMissing: intake.eventsMissing(),
        failure: intake.failure(),
        unmatched: intake.unmatched(),
        leftAside: intake.leftAside(),
        ...cadence.of(job.name),
        waiting: withAhead(intake.waiting(), outboxes),
      })),
    destinations() {
      const boxes = jobs.outboxes();
      const free = freeSpace(boxes, ledger);
      return boxes.map((box) => {
        const { method, made } = box.about();
        return {
          destination: box.destination,
          method,
          made,
          state: box.state(),
          freeBytes: free(box),
          heldRemovals: ledger.mirrorOf(box.destination.job, box.destination.name)?.held ?? null,
          audit: box.destination.audit === null
            ? null
            : { plan: box.destination.audit, run: ledger.auditOf(box.destination.job, box.destination.name) },
          limit: limitNow(box.destination, system),
          survey: async (targets, signal) => await box.session()?.survey(targets, signal) ?? null,
        };
      });
    },
  };
}

function withAhead(waiting: readonly Waiting[], outboxes: readonly Outbox[]): JobNow["waiting"] {
  const parts = outboxes.flatMap((box) => box.ahead().map((part) => ({ destination: box.destination.name, ...part })));
  if (parts.length === 0) return waiting;
  return waiting.map((file) => {
    const ahead = parts.filter(({ path }) => path === file.path).map(({ destination, bytes, stalled }) => ({
      destination,
      bytes,
      stalled,
    }));
    return ahead.length === 0 ? file : { ...file, ahead };
  });
}

const DOWN: ReadonlySet<string> = new Set(["backing_off", "on_hold"]);

/** `daemon` is what concerns the daemon as a whole. */
export function runningControl(
  { system, ledger, events, jobs, settings, page, inTurn }: Running,
  state: DaemonState,
  daemon: Pick<DaemonControl, "stop" | "reload" | "acceptRemoved">,
): DaemonControl {
  const wakeAll = () => jobs.list().forEach(({ wake }) => wake());

  function jobsNamed(name: string | undefined): Pipeline[] {
    if (name !== undefined) checkName("job", name, jobs.list().map(({ job }) => job.name));
    return jobs.list().filter(({ job }) => name === undefined || job.name === name);
  }

  function outboxesNamed(name: string | null): Outbox[] {
    const all = jobs.outboxes();
    if (name === null) return all;
    checkName("destination", name, all.map(({ destination }) => destination.name));
    return all.filter(({ destination }) => destination.name === name);
  }

  return {
    ...daemon,
    settings,
    opening: () => page()?.opening() ?? null,
    status: () => judged(state, system.now()).status,
    live() {
      const now = system.now();
      const running = state.progress.running(now);
      return {
        running,
        ending: running.filter(({ job }) => jobs.ending().includes(job)),
        oldestWaiting: oldestToSend(ledger, settings().jobs),
        orphans: state.orphans(),
        tonight: nightSummary(state, tonightOf(state.jobs(), now)),
      };
    },
    sync(name) {
      const wanted = jobsNamed(name);
      for (const { intake, job, sendNow, wake } of wanted) {
        intake.scanNow().catch((error) => {
          const message = `Cannot list the folder of ${job.name}: ${failureRecord(error).message}`;
          events.emit({ type: "notice", level: "error", message, error });
        });
        sendNow();
        wake();
      }
      return wanted.map(({ job }) => job.name);
    },
    retry(ids) {
      const count = ledger.requeue(ids, system.now());
      wakeAll();
      // Retrying everything includes the destinations.
      if (ids === null) jobs.outboxes().forEach((box) => box.probe());
      return count;
    },
    sendAgain(ids) {
      const queued = ledger.sendAgain(ids, system.now());
      wakeAll();
      return queued;
    },
    markGone: (ids, reason) => ledger.markGone(ids, reason, system.now()),
    pause(name, by) {
      const boxes = outboxesNamed(name);
      for (const box of boxes) box.pause(by);
      return namesOf(boxes);
    },
    async resume(name, former) {
      const boxes = outboxesNamed(name);
      const undecided: { destination: string; images: number }[] = [];
      for (const box of boxes) {
        // Another disk is accepted only where the destination is named.
        if (name === null) {
          await box.resume();
          continue;
        }
        const { images } = box.otherDisk() ?? { images: null };
        if (former !== "ask") await box.resume(former);
        else await box.resume(images === 0 ? "keep" : undefined);
        if (former === "ask" && images !== null && images > 0) undecided.push({ destination: box.destination.name, images });
      }
      const down = boxes.filter((box) => DOWN.has(box.state().state));
      wakeAll();
      return { destinations: namesOf(boxes.filter((box) => !down.includes(box))), retrying: namesOf(down), undecided };
    },
    acceptRemovals(name) {
      const all = jobs.list().flatMap((pipeline) =>
        pipeline.outboxes.map(({ destination }) => ({ pipeline, destination, full: `${destination.job}/${destination.name}` }))
      );
      const chosen = all.filter(({ destination, full }) => name === null || name === full || name === destination.name);
      if (name !== null && chosen.length === 0) checkName("destination", name, all.map(({ full }) => full));
      return chosen.filter(({ pipeline, destination }) => pipeline.acceptRemovals(destination.name)).map(({ full }) => full);
    },
    audit: (name) =>
      jobsNamed(name).flatMap(({ job, outboxes }) =>
        outboxes.filter((box) => box.audit()).map(({ destination }) => `${job.name}/${destination.name}`)
      ),
    acceptAudit: (name) =>
      jobsNamed(name).flatMap(({ outboxes }) => outboxes)
        .reduce((sum, { destination: { job, name } }) => sum + ledger.acceptAudit(job, name), 0),
    // Until a reload has ended, a destination that it removes is still in use.
    forget: (name) => inTurn(() => Promise.resolve(forgetOrphans(ledger, settings().jobs, name, system.now()))),
  };
}

function namesOf(boxes: readonly Outbox[]): string[] {
  return [...new Set(boxes.map(({ destination }) => destination.name))];
}
