/**
 * Notifies systemd that the daemon is ready, alive, and stopping. Without its watchdog, a Worker of ours notices a main thread that stands still.
 *
 * @module
 */
import type { Daemon } from "../../daemon/daemon.ts";
import type { System } from "../../system/system.ts";

/** Keeps the service manager informed until the daemon has begun to end. */
export async function keepServiceManager(
  system: Pick<System, "notifyServiceManager" | "env" | "sleep" | "guardMainThread">,
  daemon: Pick<Daemon, "ending">,
): Promise<void> {
  await system.notifyServiceManager("READY=1");
  const watchdogMs = Number(system.env("WATCHDOG_USEC") ?? "0") / 1000;
  // systemd's watchdog does the same, and takes no memory.
  if (watchdogMs === 0) system.guardMainThread(daemon.ending);
  const restMs = watchdogMs > 0 ? watchdogMs / 3 : DAY_MS;
  while (!daemon.ending.aborted) {
    await system.sleep(restMs, daemon.ending);
    if (watchdogMs > 0) await system.notifyServiceManager("WATCHDOG=1");
  }
  await system.notifyServiceManager("STOPPING=1");
}

const DAY_MS = 24 * 60 * 60 * 1000;
