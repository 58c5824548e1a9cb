/**
 * Keeps a running daemon linked to its PocketBase server, if its configuration names one. Whatever that needs is loaded only then.
 *
 * @module
 */
import { bell } from "../../async/bell.ts";
import { readConfig } from "../../config/read/load.ts";
import type { Daemon } from "../../daemon/daemon.ts";
import type { System } from "../../system/system.ts";
import type { UnheardLines } from "./unheard_lines.ts";

/** Runs until the daemon stops. */
export async function keepFleet(daemon: Daemon, unheard: Pick<UnheardLines, "listen">, system: System): Promise<void> {
  const reloaded = bell(system);
  const stopListening = daemon.events.listen(({ type }) => type === "reloaded" && reloaded.ring());
  const { file } = daemon.settings();
  try {
    while (!daemon.ending.aborted && daemon.settings().pocketbase === null) await reloaded.wait(DAY_MS, daemon.ending);
    if (daemon.ending.aborted) return;
    const { keepLink } = await import("../../fleet/link.ts");
    const { fleetSums } = await import("../../reports/fleet/fleet_sums.ts");
    await keepLink(
      {
        system,
        daemon,
        sums: (status) => fleetSums(daemon.ledger, daemon.settings().jobs, status, system.now()),
        fleetAsked: daemon.fleetAsked,
        emit: daemon.events.emit,
        listen: unheard.listen,
        ending: daemon.ending,
        stopped: daemon.stopped,
        check: async (jobs) => file === null ? daemon.settings() : (await readConfig(file, system, jobs)).settings,
      },
      reloaded,
      daemon.ending,
    );
  } finally {
    stopListening();
  }
}

const DAY_MS = 86_400_000;
