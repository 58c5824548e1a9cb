/**
 * What the page asks, answered by the running corridors.
 *
 * @module
 */
import type { Ledger } from "../ledger/ledger.ts";
import type { EventStream } from "../events/event_stream.ts";
import type { Progress } from "../events/progress.ts";
import type { Corridor } from "./corridor.ts";
import { freeSpace } from "../delivery/free_space.ts";
import type { DaemonControl } from "../reports/daemon_control.ts";
import type { PageSource } from "../reports/page_source.ts";

/** Functions, because a reload exchanges corridors and the control. */
export function runningSource(
  control: () => DaemonControl,
  ledger: Ledger,
  corridors: () => readonly Corridor[],
  listen: EventStream["listen"],
  progress: Progress,
): PageSource {
  return {
    status: () => control().status(),
    live: () => control().live(),
    sync: (job) => control().sync(job),
    retry: (ids) => control().retry(ids),
    pause: (destination, by) => control().pause(destination, by),
    resume: (destination) => control().resume(destination),
    ledger,
    listen,
    progress,
    jobs: () =>
      corridors().map(({ job, intake }) => ({
        job,
        how: intake.how(),
        failure: intake.failure(),
        unmatched: intake.unmatched(),
        waiting: intake.waiting(),
      })),
    destinations() {
      const boxes = corridors().flatMap(({ outboxes }) => outboxes);
      const free = freeSpace(boxes, ledger);
      return boxes.map((box) => ({
        destination: box.destination,
        method: box.about().method,
        state: box.state(),
        freeBytes: free(box),
        survey: async (targets, signal) => await box.session()?.survey(targets, signal) ?? null,
      }));
    },
  };
}
