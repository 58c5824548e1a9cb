/**
 * A job with `dry_run: true`: its folder is watched, and the log says what would be sent where. Nothing is queued, sent or removed.
 *
 * @module
 */
import type { Job } from "../config/settings.ts";
import { pathField } from "../domain/names/printable.ts";
import type { FileFacts } from "../domain/source_file.ts";
import { intake } from "../intake/intake.ts";
import type { Admission, IntakeLedger } from "../ledger/intake_ledger.ts";
import { type Corridor, type CorridorTools, type Finish } from "./corridor.ts";

/** Nothing happens before it is run. */
export function dryCorridor(job: Job, { system, ledger, emit }: Pick<CorridorTools, "system" | "ledger" | "emit">): Corridor {
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
    unknown: (job, files, destinations) => ({
      fresh: ledger.unknown(job, files, destinations).fresh.filter((file) => !told.has(keyOf(file))),
      recheck: [],
    }),
    admitted: ledger.admitted,
    leftAside: ledger.leftAside,
    rememberLeftAside: () => {},
    admit(admissions) {
      for (const admission of admissions) {
        if (told.has(keyOf(admission.source))) continue;
        told.add(keyOf(admission.source));
        tell(admission);
      }
      return [];
    },
    recheck: () => [],
    dueRereads: () => [],
    nextReread: () => null,
    recordRereads: () => [],
    requestRereads: () => {},
  };
}
