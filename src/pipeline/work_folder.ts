/**
 * The folder on this side for links and batch files. In memory where the system offers that: a batch makes a link for
 * every file, and on a disk that is being flushed each of them waits.
 *
 * @module
 */
import { join } from "@std/path";
import { faultOf } from "../system/fault.ts";
import type { System } from "../system/system.ts";

export interface WorkFolder extends AsyncDisposable {
  readonly path: string;
}

type WorkSystem = Pick<System, "platform" | "followedFacts" | "list" | "removeTree" | "makeFolder" | "random">;

/** Where Linux keeps files in memory, for every account. */
const MEMORY = "/dev/shm";

/**
 * Makes the folder, empty, and removes what a former process left. `instance` is the ledger's name: only one process has it.
 *
 * @throws what the operating system says where not even the state directory can be used.
 */
export async function workFolder(stateDirectory: string, instance: string, system: WorkSystem): Promise<WorkFolder> {
  const path = await inMemory(instance, system) ?? await inState(stateDirectory, system);
  return { path, [Symbol.asyncDispose]: () => system.removeTree(path) };
}

async function inMemory(instance: string, system: WorkSystem): Promise<string | null> {
  if (system.platform !== "linux") return null;
  const prefix = `image-transfer-${instance}-`;
  try {
    if ((await system.followedFacts(MEMORY))?.kind !== "folder") return null;
    const { entries } = await system.list(MEMORY);
    for (const { name } of entries) if (name.startsWith(prefix)) await system.removeTree(`${MEMORY}/${name}`);
    // Everybody may write there: a name that nobody can guess belongs to us.
    const chance = Array.from({ length: 3 }, () => Math.floor(system.random() * 2 ** 32).toString(36)).join("");
    const path = `${MEMORY}/${prefix}${chance}`;
    await system.makeFolder(path, 0o700);
    return path;
  } catch (error) {
    // Forbidden, read-only, full: the state directory does as well.
    if (faultOf(error) === "other") throw error;
    return null;
  }
}

async function inState(stateDirectory: string, system: WorkSystem): Promise<string> {
  const path = join(stateDirectory, "work");
  await system.removeTree(path);
  await system.makeFolder(path, 0o700);
  return path;
}
