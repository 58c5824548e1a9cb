/**
 * The local folders for links and batch files, and for whole files. The former is in memory if possible: a batch makes a link for
 * every file, and each would wait for a disk that is being flushed. The latter is on the disk of the state directory, because
 * images may not fit into memory.
 */
import { join } from "@std/path";
import { faultOf } from "../system/fault.ts";
import type { System } from "../system/system.ts";
import { EVERYBODYS_MEMORY, isInMemory } from "../system/host/surroundings.ts";
import { unusableState } from "../system/files/lock.ts";

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
async function inMemory(instance: string, system: WorkSystem): Promise<InMemory | null> {
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

interface InMemory extends AsyncDisposable {
  readonly path: string;
}

async function makeIn(memory: string, instance: string, system: WorkSystem): Promise<InMemory | null> {
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
