/**
 * Accounts of daemons on a server, one for each computer.
 *
 * @module
 */
import { DAEMONS } from "./collections.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";
import { nonsense } from "./server_failure.ts";
import { superuser } from "./setup.ts";

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

/** Makes an account, or gives the one of that name a new password. @throws {Failure} */
export async function addAccount(name: string, server: PocketbaseServer, signal: AbortSignal): Promise<NewAccount> {
  await superuser(server, signal);
  const password = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(24)))).replaceAll(/[+/=]/g, "x");
  const passwords = { password, passwordConfirm: password };
  const known = (await daemons(server, signal)).find((one) => one.name.toLowerCase() === name.toLowerCase());
  const path = `/api/collections/${DAEMONS}/records`;
  // Nothing is ever sent there: the top-level domain is reserved (RFC 2606).
  const email = `${
    name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "") || "daemon"
  }.${idPart()}@daemon.invalid`;
  if (known === undefined) {
    const body = { name, email, emailVisibility: false, verified: true, ...passwords };
    await server.ask(path, { method: "POST", body }, signal);
    return { admin_email: email, admin_password: password };
  }
  const changed = await server.ask<{ email: string }>(`${path}/${known.id}`, { method: "PATCH", body: passwords }, signal);
  return { admin_email: changed.email, admin_password: password };
}

/** All computers that have an account. @throws {Failure} */
export async function daemons(server: PocketbaseServer, signal: AbortSignal): Promise<Daemon[]> {
  const known = await server.all<Daemon>(DAEMONS, { fields: "id,name" }, signal);
  if (!known.every(({ id, name }) => typeof id === "string" && typeof name === "string")) throw nonsense(server.url);
  return known;
}

function idPart(): string {
  return [...crypto.getRandomValues(new Uint8Array(4))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
