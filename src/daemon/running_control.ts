/** What commands and the page ask of a running daemon, answered by its jobs and its ledger. */
import type { Outbox } from "../delivery/outbox.ts";
import { failureRecord } from "../domain/failure.ts";
import type { Settings } from "../config/settings.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { forgetOrphans, oldestToSend } from "../ledger/orphans.ts";
import type { DaemonControl, Opening } from "../reports/daemon_control.ts";
import { nightSummary, tonightOf } from "../reports/night/night_summary.ts";
import { judged } from "../reports/overview/facts.ts";
import type { DaemonState } from "../reports/page_source.ts";
import type { System } from "../system/system.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Pipelines } from "./pipelines.ts";
import { checkName } from "./known_name.ts";

/** What the answers come from; functions where they may change with a reload. */
interface ControlTools {
  readonly system: Pick<System, "now">;
  readonly ledger: Ledger;
  readonly events: { readonly emit: Emit };
  readonly jobs: Pipelines;
  readonly state: DaemonState;
  readonly settings: () => Settings;
  /** Null where no page is served. */
  readonly page: () => { opening(): Opening } | null;
  readonly stop: DaemonControl["stop"];
  readonly reload: DaemonControl["reload"];
  readonly acceptRemoved: DaemonControl["acceptRemoved"];
  /** Runs what must not run during a reload. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

const DOWN: ReadonlySet<string> = new Set(["backing_off", "on_hold"]);

/** The control of the daemon that runs these jobs. */
export function runningControl(
  { system, ledger, events, jobs, state, settings, page, stop, reload, acceptRemoved, inTurn }: ControlTools,
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
    settings,
    stop,
    reload,
    acceptRemoved,
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
