/**
 * A session with a destination for a command that only asks (`doctor`, `verify`, `report`): staging names and work folder of
 * its own, so that a daemon beside it is not disturbed; both are gone afterwards.
 *
 * @module
 */
import { join } from "@std/path";
import type { Destination } from "../domain/job.ts";
import type { Settings } from "../domain/settings.ts";
import { methodNamed } from "../methods/methods.ts";
import type { Session } from "../methods/method.ts";
import type { System } from "../system/system.ts";

/** An open session, and where it may stage something. */
export interface Asking {
  readonly session: Session;
  readonly stagingRoot: string;
}

/**
 * Opens a session, does `work` with it, and clears up.
 *
 * @throws {Failure} what keeps the destination from being used.
 */
export async function askDestination<T>(
  destination: Destination,
  settings: Pick<Settings, "stateDirectory">,
  system: System,
  signal: AbortSignal,
  work: (asking: Asking) => Promise<T>,
): Promise<T> {
  const stagingRoot = `.image-transfer-ask-${system.pid}-${system.monotonic().toString(36).replace(".", "")}`;
  const workFolder = join(settings.stateDirectory, stagingRoot.slice(1));
  await system.makeFolder(workFolder, 0o700);
  try {
    const context = { system, stagingRoot, workFolder, tell: () => {} };
    await using session = await methodNamed(destination.method).connect(destination, context, signal);
    return await work({ session, stagingRoot });
  } finally {
    await system.removeTree(workFolder);
  }
}
