/**
 * The state of all computers at this moment.
 *
 * @module
 */
import type { FleetMember } from "../domain/fleet.ts";
import { daemons } from "./accounts.ts";
import { readFleet } from "./heartbeat.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";

/** The worst first. Ages are told by the server's clock, which wrote the heartbeats. @throws {Failure} */
export async function fleetNow(server: PocketbaseServer, signal: AbortSignal): Promise<readonly FleetMember[]> {
  await server.renew(signal);
  const known = await daemons(server, signal);
  return await readFleet(known, await server.clock(signal), server, signal);
}
