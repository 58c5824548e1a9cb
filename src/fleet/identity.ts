/**
 * Which computer this is on the server.
 *
 * @module
 */
import type { PocketbaseSettings } from "../config/settings.ts";
import { Failure } from "../domain/failure.ts";
import { addAccount, daemons, named } from "./accounts.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";
import type { System } from "../system/system.ts";

/** The record of this computer. */
export interface Identity {
  readonly id: string;
  readonly name: string;
}

/** Who gives a command: a computer, or a superuser at a computer that has no record. */
export interface Sender {
  /** Null for a superuser. */
  readonly id: string | null;
  readonly name: string;
}

/** Unlike {@linkcode identify} it makes no record: whoever only gives commands is no computer that should report. @throws {Failure} */
export async function senderOf(
  server: PocketbaseServer,
  settings: Pick<PocketbaseSettings, "instance">,
  system: Pick<System, "hostname" | "randomHex">,
  signal: AbortSignal,
): Promise<Sender> {
  const account = await server.renew(signal);
  if (account.kind === "daemon") return await identify(server, settings, system, signal);
  const name = settings.instance ?? system.hostname;
  return named(name, await daemons(server, signal)) ?? { id: null, name: `${account.name} at ${name}`.slice(0, 200) };
}

/**
 * A daemon's account is the computer's record. A superuser, as in a configuration of seed 2, acts for the computer named
 * `instance`, else as this one is; its record is made if there is none.
 *
 * @throws {Failure}
 */
export async function identify(
  server: PocketbaseServer,
  { instance }: Pick<PocketbaseSettings, "instance">,
  system: Pick<System, "hostname" | "randomHex">,
  signal: AbortSignal,
): Promise<Identity> {
  const account = await server.renew(signal);
  await server.requireCurrent(signal);
  if (account.kind === "daemon") {
    if (instance !== null && instance.toLowerCase() !== account.name.toLowerCase()) {
      throw new Failure("configuration", `Cannot act for "${instance}": the account belongs to "${account.name}"`, {
        hint: "Correct pocketbase.instance, or log in with the account of that computer.",
      });
    }
    return { id: account.id, name: account.name };
  }
  const name = instance ?? system.hostname;
  const find = async () => named(name, await daemons(server, signal));
  const known = await find();
  if (known !== undefined) return known;
  await addAccount(name, server, system, signal);
  return await find() ?? { id: "", name };
}
