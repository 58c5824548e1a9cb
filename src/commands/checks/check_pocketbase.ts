/**
 * What `doctor` looks at of the PocketBase server: whether it can be reached, trusted and used. Nothing is written there.
 *
 * @module
 */
import type { Settings } from "../../config/settings.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { span } from "../../domain/span.ts";
import type { System } from "../../system/system.ts";
import { fault, type Finding, HERE, ok, warning } from "./finding.ts";

/** Longer is told of. */
const CLOCKS_DIFFER_MS = 60_000;
const ANSWER_MS = 10_000;

/** Nothing where no server is configured. */
export async function checkPocketbase(
  { pocketbase }: Pick<Settings, "pocketbase">,
  system: System,
  signal: AbortSignal,
): Promise<Finding[]> {
  if (pocketbase === null) return [];
  const { identify } = await import("../../fleet/identity.ts");
  const { pocketbaseServer } = await import("../../fleet/pocketbase_server.ts");
  const once = { ...pocketbase, retryAttempts: 0, timeoutMs: Math.min(pocketbase.timeoutMs, ANSWER_MS) };
  const server = pocketbaseServer(once, system);
  try {
    const { kind, name } = await server.account(signal);
    // A superuser's computer is only looked up by the daemon, which adds it where it is missing.
    await server.requireCurrent(signal);
    if (kind === "daemon") await identify(server, pocketbase, system.hostname, signal);
    const ahead = system.now() - await server.clock(signal);
    return [
      ok(HERE, `PocketBase ${server.url}: connected as ${printable(name)}`),
      ...Math.abs(ahead) > CLOCKS_DIFFER_MS
        ? [warning(
          HERE,
          `The clock of this computer is ${span(Math.abs(ahead))} ${ahead > 0 ? "ahead of" : "behind"} that of ${server.url}`,
          "Set both clocks by NTP.",
        )]
        : [],
    ];
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Failure)) throw error;
    // Deliveries do not need it, and an outage passes; a mistake does not.
    return [error.next === "later" ? warning(HERE, error.message, error.hint) : fault(HERE, error)];
  }
}
