/**
 * Reads files again that were read when a rewrite could leave no trace in their facts, or before a writer was heard of. The ledger
 * knows which (`IntakeLedger.dueRereads`); what has other bytes by now is settled again. A few files at a time, beside everything else.
 */
import type { Job } from "../../config/settings.ts";
import type { FileFacts } from "../../domain/source_file.ts";
import type { IntakeLedger, Reading, Reread } from "../../ledger/intake_ledger.ts";
import type { System } from "../../system/system.ts";
import { bell } from "../../async/bell.ts";
import { sameVersion } from "./candidate.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { absolutePathOf } from "../source_path.ts";

export type Rereads = ReturnType<typeof rereads>;

/** Nothing is read before `run`; nothing is kept in memory. */
export function rereads(job: Job, { system, ledger, settle, certain, onError }: {
  readonly system: Pick<System, "now" | "sleep" | "facts" | "hash" | "openForWriting" | "separator">;
  readonly ledger: IntakeLedger;
  /** Settles files again whose bytes may be others by now. */
  readonly settle: (paths: readonly string[], signal: AbortSignal) => Promise<void>;
  /** Called when bytes have turned out to be certain. */
  readonly certain: () => void;
  readonly onError: (error: unknown) => void;
}) {
  const wakeUp = bell(system);
  let busy = false;

  async function readDue(signal: AbortSignal): Promise<void> {
    busy = true;
    try {
      const due = ledger.dueRereads(job.name, system.now(), AT_ONCE);
      if (due.length === 0) return;
      const pathOf = ({ facts }: Reread) => absolutePathOf(job.watchPath, facts.path, system.separator);
      // Before anything is read: a long write() that has begun shows in no facts.
      const open = await system.openForWriting(due.filter(({ wasRead }) => wasRead).map(pathOf), signal);
      const readings = await mapLimit(due, READS_AT_ONCE, async (one) => {
        const path = pathOf(one);
        return { ...one, found: !one.wasRead ? CERTAIN : open?.has(path) ? DOUBTFUL : await read(path, one.facts, signal) };
      }, signal);
      const doubtful = ledger.recordRereads(readings);
      if (doubtful.length > 0) await settle(doubtful, signal);
      if (doubtful.length < due.length) certain();
      wakeUp.ring();
    } catch (error) {
      if (!signal.aborted) onError(error);
    } finally {
      busy = false;
    }
  }

  async function read(path: string, known: FileFacts, signal: AbortSignal): Promise<Reading> {
    const isStill = async () => {
      const facts = await system.facts(path);
      return facts?.kind === "file" && sameVersion(known, { path: known.path, ...facts });
    };
    try {
      // What is gone may come back as it was: when its disk is mounted again.
      if (!await isStill()) return DOUBTFUL;
      const { sha256 } = await system.hash({ absolutePath: path, ...known }, signal);
      return await isStill() ? { is: "read", sha256 } : DOUBTFUL;
    } catch (error) {
      if (signal.aborted) throw error;
      // It is settled again, which says why it cannot be read.
      return DOUBTFUL;
    }
  }

  return {
    /** Reads what is due, until the signal is aborted. */
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        let waitMs = AGAIN_MS;
        try {
          const dueMs = (ledger.nextReread(job.name) ?? Infinity) - system.now();
          if (dueMs > 0) waitMs = dueMs;
          // Whoever stops the job does not wait for a disk that does not answer.
          else if (!busy) void readDue(signal);
        } catch (error) {
          onError(error);
        }
        if (waitMs > TICK_MS) await wakeUp.wait(TICK_MS, signal, "in step");
        else await wakeUp.wait(waitMs, signal);
      }
    },
    /** A writer of these known files was heard of: what was read of them may be out of date. */
    ask(paths: readonly string[]): void {
      if (paths.length === 0) return;
      ledger.requestRereads(job.name, paths, system.now());
      wakeUp.ring();
    },
    /** The ledger may have another one. */
    wake: (): void => wakeUp.ring(),
    // What comes from the future is not racy now, and nobody waits for a clock that was set wrong. What is being sent is waited for
    // by its outbox, which knows when that is in vain.
    /** Whether none is under way, and none will be due in the next seconds. */
    idle: (): boolean => !busy && ledger.dueRereads(job.name, system.now() + LONGEST_RACE_MS, 1).length === 0,
  };
}

const CERTAIN: Reading = { is: "certain" };
const DOUBTFUL: Reading = { is: "doubtful" };
/** Files of one transaction; a few hundred milliseconds of reading. */
const AT_ONCE = 100;
const READS_AT_ONCE = 4;
const AGAIN_MS = 1_000;
const TICK_MS = 5_000;
/** No file is racy for longer. */
const LONGEST_RACE_MS = 2_500;
