/** Accounts of daemons on a server, one for each computer, and which computer this is there. */
import * as z from "zod";
import type { PocketbaseSettings } from "../config/settings.ts";
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import type { System } from "../system/system.ts";
import { DAEMONS, NO_MAIL } from "./collections.ts";
import type { Account, PocketbaseServer } from "./pocketbase_server.ts";
import { understood } from "./server_failure.ts";

/** What a computer logs in with: the keys of its `pocketbase` section. */
export interface NewAccount {
  readonly admin_email: string;
  readonly admin_password: string;
}

export interface Identity {
  readonly id: string;
  readonly name: string;
}

const RECORDS = `/api/collections/${DAEMONS}/records`;
const identity = z.object({ id: z.string(), name: z.string() });

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

/** The computer of that name, in the same case if there is one. @throws {Failure} where there is none. */
export function theComputer(name: string, known: readonly Identity[]): Identity {
  const found = known.find((one) => one.name === name) ?? named(name, known);
  if (found !== undefined) return found;
  throw new Failure("configuration", `Unknown computer "${printable(name)}"`, {
    hint: `Known computers: ${known.map(({ name }) => printable(name)).join(", ")}`,
  });
}

export function named(name: string, known: readonly Identity[]): Identity | undefined {
  return known.find((one) => one.name.toLowerCase() === name.toLowerCase());
}

/** All computers that have an account. @throws {Failure} */
export async function daemons(server: PocketbaseServer, signal: AbortSignal): Promise<Identity[]> {
  return understood(z.array(identity), await server.all(DAEMONS, { fields: "id,name" }, signal), server.url);
}

/** @throws {Failure} unless it is a superuser's account. */
export async function superuser(server: PocketbaseServer, signal: AbortSignal): Promise<Account> {
  const account = await server.account(signal);
  if (account.kind === "superuser") return account;
  throw new Failure(
    "permission_denied",
    `Cannot change ${server.url}: ${account.name} is a daemon's account, not a superuser's`,
    {
      hint: "Specify a superuser: --email root@example.org; you are asked for its password, or it is read from --password-file.",
    },
  );
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
  return await recordOf(instance ?? system.hostname, server, system, signal);
}

/** The record of a computer; with a superuser's account, one is made if there is none. @throws {Failure} */
export async function recordOf(
  name: string,
  server: PocketbaseServer,
  system: Pick<System, "randomHex">,
  signal: AbortSignal,
): Promise<Identity> {
  const find = async () => named(name, await daemons(server, signal));
  const known = await find();
  if (known !== undefined) return known;
  await addAccount(name, server, system, signal);
  const made = await find();
  if (made === undefined) throw new Failure("internal", `The account for ${name} was not created`);
  return made;
}
