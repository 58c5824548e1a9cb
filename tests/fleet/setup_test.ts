/** Collections and accounts on real servers: what `pocketbase setup` makes, and what an account may do then. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { addAccount, daemons } from "../../src/fleet/accounts.ts";
import { COLLECTIONS, COMMANDS, DAEMONS, HEARTBEATS, JOBS } from "../../src/fleet/collections.ts";
import { pocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { ServerFailure } from "../../src/fleet/server_failure.ts";
import { setUp } from "../../src/fleet/setup.ts";
import { Failure } from "../../src/domain/failure.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { has } from "../support/needs.ts";
import { ROOT, startPocketbase } from "../support/pocketbase.ts";
import { tempFolder } from "../support/temp.ts";
import { pocketbaseSettings } from "./fleet_rig.ts";

const never = new AbortController().signal;

const options = { ignore: !has("pocketbase") };

Deno.test("setUp() makes the collections once, and keeps what others added", options, async () => {
  await using folder = await tempFolder();
  await using process = await startPocketbase(folder.at("data"));
  const root = pocketbaseServer(pocketbaseSettings(process.url, ROOT.email, ROOT.password), createSystem());
  assertEquals((await setUp(root, never)).map(({ done }) => done), [...COLLECTIONS.map(() => "created"), "updated"]);
  const again = async () => new Set((await setUp(root, never)).map(({ done }) => done));
  assertEquals(await again(), new Set(["unchanged"]));
  const { id } = await root.ask<{ id: string }>(`/api/collections/${JOBS}`, {}, never);
  await root.ask(`/api/collections/${id}`, { method: "PATCH", body: { listRule: "" } }, never);
  assertEquals((await setUp(root, never)).find(({ collection }) => collection === JOBS)?.done, "updated");
  assertEquals(await again(), new Set(["unchanged"]));
});

Deno.test("setUp() keeps the server from mailing to daemons that log in", options, async () => {
  await using folder = await tempFolder();
  await using process = await startPocketbase(folder.at("data"));
  const root = pocketbaseServer(pocketbaseSettings(process.url, ROOT.email, ROOT.password), createSystem());
  await setUp(root, never);
  const path = `/api/collections/${DAEMONS}`;
  const alert = async () =>
    (await root.ask<{ authAlert: { enabled: boolean; emailTemplate: { body: string } } }>(path, {}, never)).authAlert;
  const { enabled, emailTemplate } = await alert();
  assertEquals(enabled, false);
  // As a server was set up before.
  await root.ask(path, { method: "PATCH", body: { authAlert: { enabled: true, emailTemplate } } }, never);
  assertEquals((await setUp(root, never)).find(({ collection }) => collection === DAEMONS)?.done, "updated");
  assertEquals(await alert(), { enabled: false, emailTemplate });
  assertEquals((await setUp(root, never)).find(({ collection }) => collection === DAEMONS)?.done, "unchanged");
});

Deno.test("an account reads its own jobs, and writes only its own heartbeat", options, async () => {
  await using folder = await tempFolder();
  await using process = await startPocketbase(folder.at("data"));
  const root = pocketbaseServer(pocketbaseSettings(process.url, ROOT.email, ROOT.password), createSystem());
  await setUp(root, never);
  const of = async (name: string) => {
    const { admin_email, admin_password } = await addAccount(name, root, createSystem(), never);
    return pocketbaseServer(pocketbaseSettings(process.url, admin_email, admin_password), createSystem());
  };
  const spring = await of("spring");
  const nas = await of("nas");
  const { id, kind, name } = await spring.account(never);
  const other = await nas.account(never);
  assertEquals([kind, name], ["daemon", "spring"]);
  assertEquals((await daemons(spring, never)).map((one) => one.name).sort(), ["nas", "spring"]);

  const records = `/api/collections/${JOBS}/records`;
  const job = (daemon: string, name: string) => ({ daemon, name, enabled: true, settings: { watch_path: "/data" } });
  for (const body of [job(id, "own"), job("", "common"), job(other.id, "theirs")]) {
    await root.ask(records, { method: "POST", body }, never);
  }
  const seen = await spring.all<{ id: string; name: string }>(JOBS, {}, never);
  assertEquals(seen.map((one) => one.name).sort(), ["common", "own"]);

  // A stolen account changes no configuration, its own neither, and nobody's account.
  const refused = async (path: string, method: "POST" | "PATCH" | "DELETE", body?: unknown) => {
    const error = await assertRejects(() => spring.ask(path, { method, body }, never), ServerFailure);
    assert([400, 403, 404].includes(error.status), error.message);
  };
  await refused(records, "POST", job(other.id, "evil"));
  await refused(records, "POST", job(id, "evil"));
  for (const one of seen) {
    await refused(`${records}/${one.id}`, "PATCH", { settings: { watch_path: "/" } });
    await refused(`${records}/${one.id}`, "DELETE");
  }
  await refused(`/api/collections/${DAEMONS}/records/${other.id}`, "PATCH", { name: "x" });
  await refused(`/api/collections/${DAEMONS}/records/${id}`, "PATCH", { name: "nas2" });
  const beats = `/api/collections/${HEARTBEATS}/records`;
  await refused(beats, "POST", { daemon: other.id, level: "ok" });
  const own = await spring.ask<{ id: string }>(beats, { method: "POST", body: { daemon: id, level: "ok" } }, never);
  await refused(`${beats}/${own.id}`, "PATCH", { daemon: other.id });
  await spring.ask(`${beats}/${own.id}`, { method: "PATCH", body: { level: "trouble" } }, never);
  assertEquals((await nas.all<{ level: string }>(HEARTBEATS, {}, never)).map(({ level }) => level), ["trouble"]);
  // It gives commands in its own name only, and what became of them is written by the computer that was asked.
  const commands = `/api/collections/${COMMANDS}/records`;
  const names = { issued_as: "spring", computer: "nas" };
  const command = { ...names, daemon: other.id, issued_by: id, action: "scan", argument: "", state: "waiting" };
  await refused(commands, "POST", { ...command, issued_by: other.id });
  await refused(commands, "POST", { ...command, issued_as: "root@example.org" });
  await refused(commands, "POST", { ...command, state: "done" });
  const given = await spring.ask<{ id: string }>(commands, { method: "POST", body: command }, never);
  await refused(`${commands}/${given.id}`, "PATCH", { state: "done" });
  await refused(`${commands}/${given.id}`, "DELETE");
  await nas.ask(`${commands}/${given.id}`, { method: "PATCH", body: { state: "done", answer: "default" } }, never);
  await assertRejects(() => setUp(spring, never), Failure, "not a superuser's");
  // A new password ends the logins with the old one, and the account stays the same.
  assertEquals((await addAccount("spring", root, createSystem(), never)).admin_email.startsWith("spring."), true);
  await assertRejects(() => spring.renew(never), Failure, "Cannot log in");
  assertEquals((await daemons(nas, never)).length, 2);
});

Deno.test("a wrong password and a server that is away are told apart", options, async () => {
  await using folder = await tempFolder();
  const process = await startPocketbase(folder.at("data"));
  const settings = pocketbaseSettings(process.url, ROOT.email, "wrong-password");
  const wrong = await assertRejects(() => pocketbaseServer(settings, createSystem()).account(never), Failure, "Cannot log in");
  await process[Symbol.asyncDispose]();
  const away = await assertRejects(() => pocketbaseServer(settings, createSystem()).account(never), Failure, "Cannot reach");
  assertEquals([wrong.code, away.code], ["login_refused", "unreachable"]);
});
