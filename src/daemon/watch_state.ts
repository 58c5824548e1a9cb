/**
 * Watches what the daemon itself stands on: its lock, its ledger and their disk. Without them nothing is delivered, whatever the
 * destinations say.
 *
 * @module
 */
import { Failure, type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { LedgerCare, LedgerTrouble } from "../ledger/ledger.ts";
import type { Lock, System } from "../system/system.ts";

interface StateTools {
  readonly system: Pick<System, "sleep" | "checkDatabase">;
  readonly stateDirectory: string;
  readonly lock: Pick<Lock, "isInPlace">;
  readonly ledger: LedgerCare;
  readonly emit: Emit;
  /** What it finds ends a run that somebody waits for. */
  readonly once: boolean;
  /** Called where only a new start helps, or with `once` after a while. */
  readonly end: (failure: FailureRecord) => void;
}

/** How the state directory is. */
export interface StateWatch {
  /** What keeps the daemon itself from delivering; null where nothing does. */
  trouble(): FailureRecord | null;
  /** Looks now and then until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
}

export function stateWatch(tools: StateTools): StateWatch {
  const { system, ledger, emit, once, end } = tools;
  let seen: LedgerTrouble | null = null;
  return {
    trouble: () => (ledger.trouble() ?? seen)?.failure ?? null,
    async run(signal) {
      const checking = checkAll(tools, signal);
      let told: string | null = null;
      for (let looks = 0; !signal.aborted; looks = seen === null ? 0 : looks + 1) {
        seen = await look(tools);
        if (signal.aborted) break;
        const failure = seen?.failure ?? null;
        if ((failure?.code ?? null) !== told) emit({ type: "trouble", failure });
        told = failure?.code ?? null;
        if (failure !== null && (seen?.ends || once && looks >= LOOKS_WITH_ONCE)) end(failure);
        else await system.sleep(LOOK_MS, signal, "in step");
      }
      await checking;
    },
  };
}

async function look({ lock, ledger, stateDirectory }: StateTools): Promise<LedgerTrouble | null> {
  try {
    if (await lock.isInPlace()) return ledger.lookAfter();
    const failure = new Failure(
      "device_missing",
      `The lock file in "${stateDirectory}" was removed, or another disk is mounted there`,
      {
        hint: "image-transfer stops, because another one may start beside it. Mount the right disk there, then start it.",
      },
    );
    return { failure: failureRecord(failure), ends: true };
  } catch (error) {
    return { failure: failureRecord(error), ends: false };
  }
}

async function checkAll({ system, ledger, emit }: StateTools, signal: AbortSignal): Promise<void> {
  try {
    await ledger.checkAll((path) => system.checkDatabase(path, signal));
  } catch (error) {
    if (signal.aborted) return;
    emit({ type: "notice", level: "warning", message: `Cannot check the ledger: ${failureRecord(error).message}` });
  }
}

const LOOK_MS = 5_000;
const LOOKS_WITH_ONCE = 2;
