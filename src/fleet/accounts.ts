/**
 * Accounts of daemons on a server, one for each computer.
 *
 * @module
 */
import { DAEMONS, NO_MAIL } from "./collections.ts";
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";
import { nonsense } from "./server_failure.ts";
import { superuser } from "./setup.ts";
import type { System } from "../system/system.ts";

/** What a computer logs in with: the keys of its `pocketbase` section. */
export interface NewAccount {
  readonly admin_email: string;
  readonly admin_password: string;
}

/** A computer that has an account. */
export interface Daemon {
  readonly id: string;
  readonly name: string;
}

/** Makes an account, or gives the one of that name another address and password, which ends its logins. @throws {Failure} */
export async function addAccount(
  name: string,
  server: PocketbaseServer,
  system: Pick<System, "randomHex">,
  signal: AbortSignal,
): Promise<NewAccount> {
  await superuser(server, signal);
  const password = system.randomHex(32);
  const email = `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "") || "daemon"}.${
    system.randomHex(4)
  }@${NO_MAIL}`;
  const body = { email, emailVisibility: false, verified: true, password, passwordConfirm: password };
  const known = named(name, await daemons(server, signal));
  if (known === undefined) await server.ask(RECORDS, { method: "POST", body: { name, ...body } }, signal);
  else await server.ask(`${RECORDS}/${known.id}`, { method: "PATCH", body }, signal);
  return { admin_email: email, admin_password: password };
}

/** Ends an account with its logins, heartbeat, jobs and log lines; the commands that it gave or was given stay. Returns its name. @throws {Failure} */
export async function removeAccount(
  name: string,
  server: PocketbaseServer,
  system: Pick<System, "randomHex">,
  signal: AbortSignal,
): Promise<string> {
  await superuser(server, signal);
  const { id, name: known } = theComputer(name, await daemons(server, signal));
  // Its logins end at once: half a minute may pass until a server has deleted all its log lines.
  await addAccount(known, server, system, signal);
  await server.ask(`${RECORDS}/${id}`, { method: "DELETE" }, signal);
  return known;
}

/** Computers whose accounts have another address than {@linkcode addAccount} gives: whoever reads its mail can have a new password. @throws {Failure} */
export async function otherAddresses(server: PocketbaseServer, signal: AbortSignal): Promise<string[]> {
  const known = await server.all<{ name: unknown; email: unknown }>(DAEMONS, { fields: "name,email" }, signal);
  return known.filter(({ email }) => !String(email).endsWith(`@${NO_MAIL}`)).map(({ name }) => String(name));
}

const RECORDS = `/api/collections/${DAEMONS}/records`;

/** The computer of that name, in the same case if there is one. @throws {Failure} where there is none. */
export function theComputer(name: string, known: readonly Daemon[]): Daemon {
  const found = known.find((one) => one.name === name) ?? named(name, known);
  if (found !== undefined) return found;
  throw new Failure("configuration", `Unknown computer "${printable(name)}"`, {
    hint: `Known computers: ${known.map(({ name }) => printable(name)).join(", ")}`,
  });
}

/** The computer of that name, in any case. */
export function named(name: string, known: readonly Daemon[]): Daemon | undefined {
  return known.find((one) => one.name.toLowerCase() === name.toLowerCase());
}

/** All computers that have an account. @throws {Failure} */
export async function daemons(server: PocketbaseServer, signal: AbortSignal): Promise<Daemon[]> {
  const known = await server.all<Daemon>(DAEMONS, { fields: "id,name" }, signal);
  if (!known.every(({ id, name }) => typeof id === "string" && typeof name === "string")) throw nonsense(server.url);
  return known;
}
