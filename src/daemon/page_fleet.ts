/**
 * What the page asks of the fleet: commands for other computers, through the PocketBase server. It logs in at the first one.
 *
 * @module
 */
import type { Settings } from "../config/settings.ts";
import { Failure } from "../domain/failure.ts";
import type { PocketbaseServer } from "../fleet/pocketbase_server.ts";
import type { PageFleet } from "../reports/page_source.ts";
import type { System } from "../system/system.ts";

/** Each call throws a `Failure` where there is no server, or it cannot be asked. */
export function pageFleet(settings: () => Settings, system: System, signal: AbortSignal): PageFleet {
  let known: { readonly of: string; readonly server: PocketbaseServer } | null = null;
  const connected = async () => {
    const { pocketbase } = settings();
    if (pocketbase === null) throw new Failure("configuration", "No PocketBase server is configured");
    const of = JSON.stringify(pocketbase);
    if (known?.of !== of) {
      const { pocketbaseServer } = await import("../fleet/pocketbase_server.ts");
      known = { of, server: pocketbaseServer({ ...pocketbase, retryAttempts: 0 }, system) };
    }
    return { pocketbase, server: known.server };
  };
  return {
    async send({ computer, action, argument }) {
      const { pocketbase, server } = await connected();
      const { senderOf } = await import("../fleet/accounts.ts");
      const { sendCommand } = await import("../fleet/remote_commands.ts");
      const from = await senderOf(server, pocketbase, system, signal);
      const wait = (ms: number) => system.sleep(ms, signal);
      return await sendCommand({ to: computer, action, argument }, from, server, wait, signal);
    },
    async commands() {
      const { server } = await connected();
      const { listCommands } = await import("../fleet/remote_commands.ts");
      return await listCommands(server, signal);
    },
  };
}
