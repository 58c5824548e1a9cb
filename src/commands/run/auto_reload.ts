/**
 * Reads the configuration again when its file changes. The file is checked every two seconds, which works with
 * editors that replace the file, symlinks and network drives.
 *
 * @module
 */
import type { Daemon } from "../../daemon/daemon.ts";
import type { System } from "../../system/system.ts";

const LOOK_EVERY_MS = 2_000;

/**
 * Runs until the daemon stops. A change counts once the file is the same in two checks in a row.
 *
 * @param read the {@linkcode configState} of the file when it was read
 */
export async function autoReload(
  system: Pick<System, "sleep" | "followedFacts">,
  daemon: Pick<Daemon, "settings" | "reload" | "ending">,
  read: string,
): Promise<void> {
  let known = read;
  let before = known;
  while (!daemon.ending.aborted) {
    await system.sleep(LOOK_EVERY_MS, daemon.ending, "in step");
    if (daemon.ending.aborted) return;
    const now = await configState(daemon.settings().file, system);
    const still = now === before;
    before = now;
    if (!still || now === known) continue;
    known = now;
    if (daemon.settings().autoReload) await daemon.reload();
  }
}

/** Identifies the state of the file; if it is missing or unreadable, the reload says so. */
export async function configState(file: string | null, system: Pick<System, "followedFacts">): Promise<string> {
  if (file === null) return "";
  try {
    const facts = await system.followedFacts(file);
    return facts === null ? "missing" : `${facts.identity}/${facts.size}/${facts.mtimeMs}`;
  } catch {
    return "unreadable";
  }
}
