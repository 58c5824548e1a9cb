/** The state of the running jobs, their destinations and the ledger, for status, page, metrics and report. */
import type { Settings } from "../config/settings.ts";
import { freeSpace } from "../delivery/mount.ts";
import type { Outbox } from "../delivery/outbox.ts";
import { VERSION } from "../domain/version.ts";
import type { Cadences } from "../events/cadence.ts";
import type { Hooks } from "../events/hooks/hooks.ts";
import type { Progress } from "../events/progress.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { orphans } from "../ledger/orphans.ts";
import { limitNow } from "../methods/bandwidth.ts";
import type { Waiting } from "../intake/settle/candidate.ts";
import type { DaemonState, JobNow } from "../reports/page_source.ts";
import type { System } from "../system/system.ts";
import type { Pipelines } from "./pipelines.ts";
import type { FleetView } from "./fleet_view.ts";
import type { StateWatch } from "./state_directory.ts";

/** What the state is read from; functions where it may change with a reload. */
interface RunningTools {
  readonly ledger: Ledger;
  readonly progress: Progress;
  readonly fleet: Pick<FleetView, "now" | "rejected">;
  readonly cadence: Cadences;
  readonly jobs: Pick<Pipelines, "list" | "outboxes">;
  readonly hooks: Pick<Hooks, "waiting">;
  readonly state: Pick<StateWatch, "trouble">;
  readonly settings: () => Settings;
  readonly system: Pick<System, "pid" | "now">;
  readonly startedAt: number;
  /** Null where no page is served. */
  readonly page: () => { readonly url: string } | null;
}

export function runningState(
  { ledger, progress, fleet, cadence, jobs, hooks, state, settings, system, startedAt, page }: RunningTools,
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

/** With what has been sent of them already. */
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
