/**
 * A session with a destination for a command that only asks (`doctor`, `verify`, `report`). It has its own staging names and work
 * folder, so that it does not disturb a running daemon; both are removed afterwards, or by the next command if this one is killed.
 */
import { dirname, join } from "@std/path";
import type { Destination, Settings } from "../../config/settings.ts";
import { methodNamed } from "../../methods/methods.ts";
import type { Session } from "../../methods/method.ts";
import { unusableState } from "../../system/files/lock.ts";
import type { System } from "../../system/system.ts";
import type { Tools } from "../command.ts";

/** An open session, and where it may stage something. */
export interface Asking {
  readonly session: Session;
  readonly stagingRoot: string;
}

export type AskTools = Pick<Tools, "system" | "readLedger" | "signal">;

/**
 * Opens a session, does `work` with it, and clears up.
 *
 * @throws {Failure} what keeps the destination from being used.
 */
export async function askDestination<T>(
  destination: Destination,
  settings: Pick<Settings, "stateDirectory">,
  tools: AskTools,
  work: (asking: Asking) => Promise<T>,
): Promise<T> {
  const { system, signal, readLedger } = tools;
  // The same every time, so that the next command removes what a killed one left there, and ends its connection.
  const instance = () => {
    using ledger = readLedger(settings.stateDirectory);
    return ledger.instance === "" ? "new" : ledger.instance;
  };
  // Of its own for each destination: two may share a folder.
  const place = new TextEncoder().encode(JSON.stringify([destination.job, destination.name]));
  const key = new Uint8Array(await crypto.subtle.digest("SHA-256", place), 0, 4).toHex();
  const stagingRoot = `.image-transfer-ask-${instance()}-${key}`;
  const workFolder = join(settings.stateDirectory, "asking", system.randomHex(16));
  await using _lock = await makeWorkFolder(workFolder, settings, system);
  try {
    const context = { system, stagingRoot, workFolder, log: () => {} };
    const method = await methodNamed(destination.transport.method);
    await using session = await method.connect(destination, context, signal);
    return await work({ session, stagingRoot });
  } finally {
    await system.removeTree(workFolder);
    await system.remove(`${workFolder}.lock`);
  }
}

/** Makes it and locks it, and clears up after others. */
async function makeWorkFolder(
  workFolder: string,
  { stateDirectory }: Pick<Settings, "stateDirectory">,
  system: System,
): Promise<AsyncDisposable | null> {
  try {
    const asking = dirname(workFolder);
    await system.makeFolder(asking, 0o700);
    // Work folders of commands that were killed: nobody holds their locks.
    const { entries } = await system.list(asking);
    for (const { name } of entries.filter(({ name }) => name.endsWith(".lock"))) {
      await using lock = await system.lock(join(asking, name));
      if (lock === null) continue;
      await system.removeTree(join(asking, name.slice(0, -".lock".length)));
      await system.remove(join(asking, name));
    }
    const lock = await system.lock(`${workFolder}.lock`);
    await system.makeFolder(workFolder, 0o700);
    return lock;
  } catch (cause) {
    throw unusableState(stateDirectory, cause);
  }
}
