/**
 * What the daemon itself stands on: its state directory, which is swept at the start and watched from then on, the file with its process ID,
 * and the folders for links and batch files, and for whole files. The former is in memory if possible: a batch makes a link for every file,
 * and each would wait for a disk that is being flushed. The latter is on the disk of the state directory, because images may not fit into memory.
 */
import { join } from "@std/path";
import { Failure, type FailureRecord, failureRecord } from "../domain/failure.ts";
import { reasonOf } from "../domain/names/reason.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { LedgerCare, LedgerTrouble } from "../ledger/ledger.ts";
import type { Lock, System } from "../system/system.ts";
import { faultOf } from "../system/fault.ts";
import { EVERYBODYS_MEMORY, isInMemory } from "../system/host/surroundings.ts";
import { unusableState } from "../system/files/lock.ts";

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

/** The folder for links, an absolute path; removed when it is disposed of. */
export interface WorkFolder extends AsyncDisposable {
  readonly path: string;
  /** For what may not fit into memory; perhaps the same folder, and perhaps not made yet. */
  readonly onDisk: string;
}

type WorkSystem = Pick<
  System,
  "platform" | "uid" | "facts" | "followedFacts" | "names" | "removeTree" | "makeFolder" | "lock" | "random" | "runtimeFolder"
>;

/**
 * Makes the folder for links, and removes what former processes left, in memory or on disk. `instance` is the ledger's name. A folder in
 * memory holds a lock as long as its process lives: so what processes with another ledger left is known, too.
 *
 * @throws {Failure} `configuration` where not even the state directory can be used.
 */
export async function workFolder(stateDirectory: string, instance: string, system: WorkSystem): Promise<WorkFolder> {
  const onDisk = join(stateDirectory, "work");
  const memory = await inMemory(instance, system);
  const path = memory?.path ?? onDisk;
  try {
    await system.removeTree(onDisk);
    if (path === onDisk) await system.makeFolder(onDisk, 0o700);
  } catch (cause) {
    await memory?.[Symbol.asyncDispose]();
    throw unusableState(stateDirectory, cause);
  }
  return {
    path,
    onDisk,
    async [Symbol.asyncDispose]() {
      await memory?.[Symbol.asyncDispose]();
      await system.removeTree(onDisk);
    },
  };
}

/** The compiled program may not use `/dev` at all: there it is in the folder for sockets. */
async function inMemory(instance: string, system: WorkSystem): Promise<Omit<WorkFolder, "onDisk"> | null> {
  if (system.platform !== "linux") return null;
  for (const memory of [() => Promise.resolve(EVERYBODYS_MEMORY), system.runtimeFolder]) {
    try {
      const parent = await memory();
      const path = isInMemory(parent) ? await makeIn(parent, instance, system) : null;
      if (path !== null) return path;
    } catch (error) {
      // Forbidden, read-only or full: the state directory is used instead.
      if (faultOf(error) === "other") throw error;
    }
  }
  return null;
}

async function makeIn(memory: string, instance: string, system: WorkSystem): Promise<Omit<WorkFolder, "onDisk"> | null> {
  const own = `${PREFIX}${instance}-`;
  if ((await system.followedFacts(memory))?.kind !== "folder") return null;
  for (const name of await system.names(memory)) {
    if (name.startsWith(PREFIX)) await removeLeft(`${memory}/${name}`, name.startsWith(own), system);
  }
  // Any account may write in one of them, so the name must not be guessable.
  const chance = Array.from({ length: 3 }, () => Math.floor(system.random() * 2 ** 32).toString(36)).join("");
  const path = `${memory}/${own}${chance}`;
  await system.makeFolder(path, 0o700);
  // Null where another start took it for left, just then: it is gone.
  const held = await system.lock(`${path}/${LOCK}`);
  if (held === null) return null;
  return {
    path,
    async [Symbol.asyncDispose]() {
      await using _held = held;
      await system.removeTree(path);
    },
  };
}

/** One without a lock file is being made, or its process knows of no locks: only that of our own ledger is known to be left. */
async function removeLeft(path: string, own: boolean, system: WorkSystem): Promise<void> {
  const facts = await system.facts(path);
  if (facts?.kind !== "folder" || (facts.uid ?? system.uid) !== system.uid) return;
  const lock = `${path}/${LOCK}`;
  if ((await system.facts(lock))?.kind !== "file") return own ? await system.removeTree(path) : undefined;
  await using held = await system.lock(lock);
  if (held !== null) await system.removeTree(path);
}

const PREFIX = "image-transfer-";
const LOCK = ".lock";
