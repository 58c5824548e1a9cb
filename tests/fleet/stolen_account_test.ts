/** What somebody can do who has the account of one computer, at a real server with the collections of `pocketbase setup`. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { addAccount, daemons, otherAddresses, removeAccount } from "../../src/fleet/accounts.ts";
import { CLAIMS, COMMANDS, DAEMONS, HEARTBEATS } from "../../src/fleet/collections.ts";
import { type PocketbaseServer, pocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { listCommands, sendCommand } from "../../src/fleet/remote_commands.ts";
import { ServerFailure } from "../../src/fleet/server_failure.ts";
import { setUp } from "../../src/fleet/setup.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { pocketbaseSettings } from "./fleet_rig.ts";
import { type FleetServer, fleetServer, linkRig, never } from "./link_rig.ts";

const options = { ignore: !has("pocketbase") };
const COLLECTION = `/api/collections/${COMMANDS}`;
const RECORDS = `${COLLECTION}/records`;
const system = createSystem();

/** Another computer with an account; whoever has its settings is the computer to the server. */
async function thief({ url, root }: FleetServer, name = "autumn") {
  const { admin_email, admin_password } = await addAccount(name, root, system, never);
  const settings = pocketbaseSettings(url, admin_email, admin_password);
  const server = pocketbaseServer(settings, system);
  return { settings, server, id: (await server.account(never)).id, name };
}

/** How the server answers an attempt: its HTTP status, 0 where it does as it is told. */
async function attempt(server: PocketbaseServer, path: string, method: "GET" | "POST" | "PATCH" | "DELETE", body?: unknown) {
  try {
    await server.ask(path, { method, body }, never);
    return 0;
  } catch (error) {
    assert(error instanceof ServerFailure, String(error));
    return error.status;
  }
}

Deno.test("a stolen account cannot be moved to another e-mail address", options, async () => {
  await using folder = await tempFolder();
  // The server's mail, one file: whoever has the new address reads it.
  await folder.write("bin/sendmail", `#!/bin/sh\ncat >> "${folder.at("mail")}"\n`);
  await Deno.chmod(folder.at("bin/sendmail"), 0o755);
  const env = { PATH: `${folder.at("bin")}:${Deno.env.get("PATH")}` };
  await using server = await fleetServer(folder.at("data"), env);
  const { settings, server: stolen } = await thief(server);
  const path = `/api/collections/${DAEMONS}`;
  await stolen.ask(`${path}/request-email-change`, { method: "POST", body: { newEmail: "thief@example.org" } }, never);
  const token = /confirm-email-change\/([\w.-]+)/.exec((await Deno.readTextFile(folder.at("mail"))).replaceAll("=\n", ""))?.[1];
  assert(token !== undefined, "the mail");
  const confirm = { token, password: settings.adminPassword };
  assertEquals(await attempt(stolen, `${path}/confirm-email-change`, "POST", confirm), 400);
  const [account] = await server.root.all<{ email: string }>(DAEMONS, { filter: 'name = "autumn"' }, never);
  assertEquals(account?.email, settings.adminEmail);
});

Deno.test(
  "setup --add gives an account whose address was changed a fresh one, and setUp() bars the way on old servers",
  options,
  async () => {
    await using folder = await tempFolder();
    await using server = await fleetServer(folder.at("data"));
    const { settings, server: stolen, id } = await thief(server);
    const path = `/api/collections/${DAEMONS}`;
    // As a server was set up before, where the address was changed.
    const { fields } = await server.root.ask<{ fields: { name: string }[] }>(path, {}, never);
    const open = fields.map((field) => field.name === "email" ? { ...field, onlyDomains: [] } : field);
    await server.root.ask(path, { method: "PATCH", body: { fields: open, manageRule: 'name != ""' } }, never);
    await server.root.ask(`${path}/records/${id}`, { method: "PATCH", body: { email: "thief@example.org" } }, never);
    const { indexes } = await server.root.ask<{ indexes: string[] }>(COLLECTION, {}, never);
    const former = indexes.filter((index) => !index.includes("UNIQUE"));
    await server.root.ask(COLLECTION, { method: "PATCH", body: { indexes: former } }, never);
    const command = { daemon: server.id, issued_by: id, action: "pause", state: "waiting" };
    for (let i = 0; i < 2; i++) await server.root.ask(RECORDS, { method: "POST", body: command }, never);
    const steps = await setUp(server.root, never);
    const updated = steps.filter(({ done }) => done === "updated").map(({ collection }) => collection);
    assertEquals(updated, [DAEMONS, COMMANDS]);
    assertEquals(await attempt(server.root, `${path}/records/${id}`, "PATCH", { email: "other@example.org" }), 400);
    assertEquals(await otherAddresses(server.root, never), ["autumn"]);
    const renewed = await addAccount("Autumn", server.root, system, never);
    assertEquals(await otherAddresses(server.root, never), []);
    assert(/^autumn\.\w+@daemon\.invalid$/.test(renewed.admin_email) && renewed.admin_email !== settings.adminEmail);
    await assertRejects(() => stolen.renew(never), ServerFailure, "Cannot log in");
    const again = pocketbaseServer(pocketbaseSettings(server.url, renewed.admin_email, renewed.admin_password), system);
    assertEquals((await again.account(never)).id, id);
  },
);

Deno.test(
  "pocketbase remove ends an account with its logins and heartbeat; what it did stays written down",
  options,
  async () => {
    await using folder = await tempFolder();
    await using server = await fleetServer(folder.at("data"));
    const { server: stolen, id, name } = await thief(server);
    await stolen.ask(`/api/collections/${HEARTBEATS}/records`, { method: "POST", body: { daemon: id, level: "good" } }, never);
    const command = { to: "spring", action: "pause", argument: "nas" } as const;
    const sent = await sendCommand(command, { id, name }, stolen, () => Promise.resolve(), never);
    assertEquals(sent.state, "waiting");
    await assertRejects(() => removeAccount("winter", server.root, system, never), Error, 'Unknown computer "winter"');
    assertEquals(await removeAccount("Autumn", server.root, system, never), "autumn");

    await assertRejects(() => stolen.renew(never), ServerFailure, "Cannot log in");
    assertEquals((await daemons(server.root, never)).map((one) => one.name), ["spring"]);
    assertEquals(await server.root.all(HEARTBEATS, {}, never), []);
    // What still waits is not carried out, although it was allowed.
    await using link = await linkRig(folder, { ...server.account, mayDo: ["pause"], mayDoFrom: ["autumn"] });
    const trail = async () => (await listCommands(server.root, never))[0]!;
    await link.until(async () => (await trail()).state === "refused", "the refusal");
    assertEquals(link.ordered, []);
    const { from, to, answer } = await trail();
    assertEquals([from, to, answer], ["autumn", "spring", "the account that sent it has been removed"]);
    // The computer that was asked may go as well; nobody else sees what has no owner any more.
    await removeAccount("spring", server.root, system, never);
    assertEquals([(await trail()).from, (await trail()).to], ["autumn", "spring"]);
    const guest = await fetch(`${server.url}${RECORDS}`);
    assertEquals((await guest.json()).items, []);
  },
);

Deno.test("only computers in may_do_from, and superusers, may command a computer", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const [winter, autumn] = [await thief(server, "winter"), await thief(server)];
  await using link = await linkRig(folder, { ...server.account, mayDo: ["pause", "scan"], mayDoFrom: ["Winter"] });
  const send = async ({ id, name, server }: Pick<Awaited<ReturnType<typeof thief>>, "name" | "server"> & { id: string | null }) =>
    (await sendCommand({ to: "spring", action: "pause", argument: name }, { id, name }, server, pause, never)).answer;
  assertEquals(await send(autumn), "this computer's pocketbase.may_do_from does not list autumn");
  assertEquals(await send({ id: server.id, name: "spring", server: pocketbaseServer(server.account, system) }), NOT_ITSELF);
  await send(winter);
  await send({ id: null, name: "root@example.org at freya", server: server.root });
  assertEquals(link.ordered, ["pause winter", "pause root@example.org at freya"]);
});

const NOT_ITSELF = "this computer's pocketbase.may_do_from does not list spring";
const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 100));

Deno.test("a stolen account gives no command in another's name, and changes no answer of its own", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const { server: stolen, id } = await thief(server);
  const command = { daemon: server.id, issued_by: id, action: "pause", argument: "nas", state: "waiting" };
  for (const names of [{}, { issued_as: "root@example.org", computer: "spring" }, { issued_as: "autumn", computer: "winter" }]) {
    assertEquals(await attempt(stolen, RECORDS, "POST", { ...command, ...names }), 400);
  }
  // What it was asked, it may answer once.
  const asked = { ...command, daemon: id, issued_by: server.id };
  const { id: given } = await server.root.ask<{ id: string }>(RECORDS, { method: "POST", body: asked }, never);
  assertEquals(await attempt(stolen, `${RECORDS}/${given}`, "PATCH", { state: "done", answer: "nas" }), 0);
  assertEquals(await attempt(stolen, `${RECORDS}/${given}`, "PATCH", { state: "failed", answer: "never" }), 404);
  assertEquals(await attempt(stolen, `${RECORDS}/${given}`, "DELETE"), 403);
  // What another computer was asked, it cannot keep from it.
  const { id: theirs } = await server.root.ask<{ id: string }>(RECORDS, { method: "POST", body: command }, never);
  const claims = `/api/collections/${CLAIMS}/records`;
  for (const claim of [{ id: theirs, command: theirs }, { id: theirs, command: given }]) {
    assertEquals(await attempt(stolen, claims, "POST", { ...claim, daemon: id, instance: "thief" }), 400);
  }
});

Deno.test("an account has one command under way to each computer, and so many an hour", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const { server: stolen, id } = await thief(server);
  const names = { issued_as: "autumn", computer: "spring" };
  const command = { ...names, daemon: server.id, issued_by: id, action: "pause", argument: "", state: "waiting" };
  const give = async (argument: string) => await attempt(stolen, RECORDS, "POST", { ...command, argument });
  assertEquals([await give("0"), await give("1")], [0, 400]);
  const sent = sendCommand(
    { to: "spring", action: "scan", argument: "" },
    { id, name: "autumn" },
    stolen,
    () => Promise.resolve(),
    never,
  );
  await assertRejects(() => sent, Error, "spring has not answered an earlier command from autumn");
  // A superuser is not held up by it.
  const asRoot = { ...command, issued_by: server.id, issued_as: "root@example.org at freya" };
  assertEquals(await attempt(server.root, RECORDS, "POST", asRoot), 0);

  const account = { ...server.account, mayDo: ["pause"], mayDoFrom: ["autumn"] } as const;
  await using link = await linkRig(folder, { ...account, refreshMs: 600_000 }, {
    sleep: (ms, signal) => system.sleep(ms / 20, signal),
  });
  const states = async () => {
    const all = await server.root.all<{ state: string; answer: string }>(COMMANDS, { sort: "created" }, never);
    return all.map(({ state, answer }) => state === "refused" ? answer : state);
  };
  for (let turn = 1; turn < 62; turn++) {
    await link.until(async () => await give(String(turn)) === 0, `command ${turn}`);
  }
  await link.until(async () => (await states()).at(-2) !== "waiting", "the refusal");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const all = await states();
  assertEquals(all.slice(-3), ["done", "autumn has sent more than 60 commands within an hour", "waiting"]);
  assertEquals([all.filter((one) => one === "done").length, await give("more")], [61, 400]);
});
