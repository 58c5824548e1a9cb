/** What is wrong between a computer and its server is told by its name: no login is blamed for a proxy, and no disk for a login. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import { DAEMONS, LOGS } from "../../src/fleet/collections.ts";
import { pocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { setUp } from "../../src/fleet/setup.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { has } from "../support/needs.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { tempFolder } from "../support/temp.ts";
import { pocketbaseSettings } from "./fleet_rig.ts";
import { fleetServer, never } from "./link_rig.ts";

const options = { ignore: !has("pocketbase") };
const PAGE = "<!doctype html><title>Sign in to the campus network</title><h1>Welcome</h1>";

/** What a program in front of the server answers, and what a person reads. */
const PAGES: Record<string, { status: number; headers?: Record<string, string>; says: string; hint: string }> = {
  "a page in place of an answer": {
    status: 200,
    says: 'a web page answers there ("Sign in to the campus network")',
    hint: "url",
  },
  "not found": { status: 404, says: 'a web page answers there ("Sign in to the campus network", HTTP 404)', hint: "url" },
  forbidden: { status: 403, says: 'a web page answers there ("Sign in to the campus network", HTTP 403)', hint: "url" },
  "no server behind it": { status: 502, says: "the proxy in front of it gets no answer (HTTP 502)", hint: "is running" },
  "another address": {
    status: 302,
    headers: { location: "https://login.example/" },
    says: "it redirects to https://login.example/",
    hint: "pocketbase.url",
  },
};

for (const [what, { status, headers = {}, says, hint }] of Object.entries(PAGES)) {
  Deno.test(`a proxy's page (${what}) is named, and no account is blamed for it`, async () => {
    const end = new AbortController();
    const answer = () => new Response(PAGE, { status, headers: { "content-type": "text/html", ...headers } });
    const front = Deno.serve({ hostname: "127.0.0.1", port: 0, signal: end.signal, onListen() {} }, answer);
    for (const email of ["spring.1@daemon.invalid", "root@example.org"]) {
      const settings = pocketbaseSettings(`http://127.0.0.1:${front.addr.port}`, email, "secret-word");
      const fault = await assertRejects(() => pocketbaseServer(settings, createSystem()).account(never), Failure);
      assertStringIncludes(fault.message, says);
      assertStringIncludes(fault.hint, hint);
    }
    end.abort();
    await front.finished;
  });
}

Deno.test("a superuser that is removed meanwhile is named, also to who only writes", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const records = "/api/collections/_superusers/records";
  const body = { email: "guest@example.org", password: "guest-password", passwordConfirm: "guest-password" };
  const { id } = await server.root.ask<{ id: string }>(records, { method: "POST", body }, never);
  const guest = pocketbaseServer(pocketbaseSettings(server.url, body.email, body.password), createSystem());
  await guest.account(never);
  await server.root.ask(`${records}/${id}`, { method: "DELETE" }, never);
  const line = { daemon: server.id, time: "x", level: "info", message: "x" };
  const write = () => guest.ask(`/api/collections/${LOGS}/records`, { method: "POST", body: line }, never);
  for (const act of [write, () => guest.renew(never), () => setUp(guest, never)]) {
    const fault = await assertRejects(act, Failure);
    assertStringIncludes(fault.message, "guest@example.org was removed there, or its password was changed");
  }
});

Deno.test("a login that has expired is renewed where something is written, and not taken for a full disk", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const client = pocketbaseServer(server.account, createSystem());
  await client.account(never);
  // With another secret, all tokens have ended.
  const authToken = { duration: 3600, secret: crypto.randomUUID() + crypto.randomUUID() };
  await server.root.ask(`/api/collections/${DAEMONS}`, { method: "PATCH", body: { authToken } }, never);
  const body = { daemon: server.id, time: "2026-01-15", level: "info", message: "written" };
  await client.ask(`/api/collections/${LOGS}/records`, { method: "POST", body }, never);
  assertEquals((await server.root.all(LOGS, {}, never)).length, 1);
});

Deno.test("a superuser with a second factor is named", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const body = { mfa: { enabled: true, duration: 1800 }, otp: { enabled: true, duration: 180, length: 8 } };
  await server.root.ask("/api/collections/_superusers", { method: "PATCH", body }, never);
  const settings = pocketbaseSettings(server.url, "root@example.org", "root-password-1");
  const fault = await assertRejects(() => pocketbaseServer(settings, createSystem()).account(never), Failure);
  assertEquals(fault.code, "login_refused");
  assertStringIncludes(fault.message, "root@example.org needs a second factor (MFA)");
});

Deno.test("a full disk of the server is named by setup as well", { ignore: !has("pocketbase") || !has("root") }, async () => {
  await using folder = await tempFolder();
  await using disk = await mountSmallDisk(folder.at("disk"), 40);
  await using server = await fleetServer(`${disk.path}/data`);
  const [{ id }] = (await server.root.ask<{ items: [{ id: string }] }>(
    "/api/collections",
    { query: { filter: `name = "${LOGS}"` } },
    never,
  )).items;
  await server.root.ask(`/api/collections/${id}`, { method: "DELETE" }, never);
  using file = await Deno.open(`${disk.path}/filler`, { create: true, write: true });
  for (const size of [1 << 16, 4096, 512]) {
    try {
      while (true) await file.write(new Uint8Array(size));
    } catch (error) {
      if (!String(error).includes("No space")) throw error;
    }
  }
  const fault = await assertRejects(() => setUp(server.root, never), Failure);
  assertStringIncludes(`${fault.message}. ${fault.hint}`, "disk of the server");
});
