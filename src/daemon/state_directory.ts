/**
 * What the daemon itself stands on: its state directory, which is swept at the start and watched from then on, and the file with its process ID.
 */
import { join } from "@std/path";
import { Failure, type FailureRecord, failureRecord } from "../domain/failure.ts";
import { reasonOf } from "../domain/names/reason.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { LedgerCare, LedgerTrouble } from "../ledger/ledger.ts";
import type { Lock, System } from "../system/system.ts";

const LOOK_MS = 5_000;
const LOOKS_WITH_ONCE = 2;
/** Unfinished files of ours; those of a command that runs just now are young. */
const UNFINISHED = /^\.image-transfer-|^host-key-\d+$|\.part$/;
const OLD_MS = 3_600_000;
/** What SQLite leaves beside a damaged ledger that was read; a log with something in it belongs to the ledger. */
const BESIDE_DAMAGED = /^ledger-damaged-.*\.sqlite-(shm|wal)$/;
/** Files of ours that hold secrets or keep others out, besides the ledger, which sees to itself. A copy of them may have any mode. */
const PRIVATE = /^(lock|web\.json|control\.json|pocketbase-(jobs|commands)\.json|ledger-damaged-.*)$/;

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

export type StateWatch = ReturnType<typeof stateWatch>;

/** Watches the lock, the ledger and their disk. Without them nothing is delivered, whatever the destinations say. */
export function stateWatch({ system, stateDirectory, lock, ledger, emit, once, end }: StateTools) {
  let seen: LedgerTrouble | null = null;

  async function look(): Promise<LedgerTrouble | null> {
    try {
      if (await lock.isInPlace()) return ledger.lookAfter();
      const message = `The lock file in "${stateDirectory}" was removed, or another disk is mounted there`;
      const hint = "image-transfer stops, because another one may start beside it. Mount the right disk there, then start it.";
      return { failure: failureRecord(new Failure("device_missing", message, { hint })), ends: true };
    } catch (error) {
      return { failure: failureRecord(error), ends: false };
    }
  }

  async function checkAll(signal: AbortSignal): Promise<void> {
    try {
      await ledger.checkAll((path) => system.checkDatabase(path, signal));
    } catch (error) {
      if (signal.aborted) return;
      emit({ type: "notice", level: "warning", message: `Cannot check the ledger: ${failureRecord(error).message}` });
    }
  }

  return {
    /** What keeps the daemon itself from delivering; null where nothing does. */
    trouble: (): FailureRecord | null => (ledger.trouble() ?? seen)?.failure ?? null,
    /** Looks now and then until the signal is aborted. */
    async run(signal: AbortSignal): Promise<void> {
      const checking = checkAll(signal);
      let told: string | null = null;
      for (let looks = 0; !signal.aborted; looks = seen === null ? 0 : looks + 1) {
        seen = await look();
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

/**
 * Removes what processes left there that were killed, or that met a full disk, and keeps other accounts out of the files that stay. Whatever cannot
 * be removed is left to the next start.
 */
export async function sweepState(
  stateDirectory: string,
  system: Pick<System, "names" | "facts" | "remove" | "setMode" | "now">,
  emit: Emit,
): Promise<void> {
  try {
    for (const name of await system.names(stateDirectory)) {
      const path = join(stateDirectory, name);
      const beside = BESIDE_DAMAGED.exec(name)?.[1];
      const isPrivate = PRIVATE.test(name);
      if (!isPrivate && !UNFINISHED.test(name)) continue;
      const facts = await system.facts(path);
      if (facts?.kind !== "file") continue;
      if (isPrivate && (facts.mode & 0o077) !== 0) await system.setMode(path, 0o600);
      if (isPrivate && beside === undefined) continue;
      const isLeft = beside === undefined ? system.now() - facts.mtimeMs > OLD_MS : beside === "shm" || facts.size === 0;
      if (isLeft) await system.remove(path);
    }
  } catch (error) {
    emit({ type: "notice", level: "debug", message: `Cannot clean up the state directory: ${failureRecord(error).message}` });
  }
}

export type PidFile = ReturnType<typeof pidFile>;

/**
 * The file with the process ID, for scripts; removed when it is disposed of. Nothing is written before `adopt`. If it cannot be written, the daemon
 * runs without it.
 */
export function pidFile(system: Pick<System, "pid" | "writeText" | "remove">, emit: Emit) {
  let written: string | null = null;
  let wanted: string | null = null;
  const warn = (message: string) => emit({ type: "notice", level: "warning", message });

  async function remove(): Promise<void> {
    const path = written;
    written = null;
    if (path === null) return;
    try {
      await system.remove(path);
    } catch (error) {
      warn(`Cannot remove pid_file "${path}": ${reasonOf(error)}`);
    }
  }

  return {
    /** Writes this one instead of the previous one; null for none. Never throws. */
    async adopt(path: string | null): Promise<void> {
      if (path === wanted) return;
      wanted = path;
      await remove();
      if (path === null) return;
      try {
        await system.writeText(path, `${system.pid}\n`);
        written = path;
      } catch (error) {
        warn(`Cannot write pid_file "${path}": ${reasonOf(error)}. Delivery continues; choose another path for the file`);
      }
    },
    [Symbol.asyncDispose]: remove,
  };
}
