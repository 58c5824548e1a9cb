/** What many computers at one real server need: few requests, spread in time, indexes, and logs that do not grow for ever. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { addAccount } from "../../src/fleet/accounts.ts";
import { HEARTBEATS, JOBS, LOGS } from "../../src/fleet/collections.ts";
import { fleetNow } from "../../src/fleet/heartbeat.ts";
import { logSpool, uploadLogs } from "../../src/fleet/log_upload.ts";
import { type PocketbaseServer, pocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { setUp } from "../../src/fleet/setup.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { type Asked, lightDaemon } from "../support/light_daemon.ts";
import { has } from "../support/needs.ts";
import { ROOT, startPocketbase } from "../support/pocketbase.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { pocketbaseSettings } from "./fleet_rig.ts";
import { until } from "../support/until.ts";
import { IDLE, linkRig } from "./link_rig.ts";

const never = new AbortController().signal;
const options = { ignore: !has("pocketbase") };
const HOOK = new URL("../../service/pocketbase-logs.pb.js", import.meta.url);

async function prepared(folder: TempFolder) {
  const process = await startPocketbase(folder.at("data"));
  const root = pocketbaseServer(pocketbaseSettings(process.url, ROOT.email, ROOT.password), createSystem());
  await setUp(root, never);
  return { process, root, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

Deno.test("a computer at rest costs a heartbeat, and reads those of others only while somebody looks", options, async () => {
  await using folder = await tempFolder();
  await using server = await prepared(folder);
  const { root, process } = server;
  const asked: Asked[] = [];
  const shared = { system: createSystem(), status: IDLE.status(), asked };
  await using daemons = new AsyncDisposableStack();
  const all = [];
  for (let i = 0; i < 5; i++) {
    const account = await addAccount(`camera-${i}`, root, createSystem(), never);
    const keys = { url: process.url, config_refresh_interval_secs: 2 };
    all.push(daemons.use(await lightDaemon(folder.at(`camera-${i}`), account, keys, shared)));
  }
  await saveJob("common", folder, root);
  await Promise.all(all.map((one) => one.inForce("common")));
  await until(async () => (await fleetNow(root, never)).every(({ level }) => level === "good"));
  asked.length = 0;
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  // One each two seconds from each, and not one more; the first pause is a short one.
  const beats = asked.filter(({ collection }) => collection === HEARTBEATS).length;
  assert(beats >= 5 && beats <= 25, `${beats} requests`);
  const members = await all[0]!.look();
  assertEquals(members.map(({ name, level }) => [name, level]), all.map((_, index) => [`camera-${index}`, "good"]));
  // Somebody removes a record: it is written anew.
  const [record] = await root.all<{ id: string }>(HEARTBEATS, {}, never);
  await root.ask(`/api/collections/${HEARTBEATS}/records/${record!.id}`, { method: "DELETE" }, never);
  await until(async () => (await fleetNow(root, never)).every(({ level }) => level === "good"));
});

Deno.test(
  "computers that start together do not write their heartbeats together: the first pause is a random one",
  options,
  async () => {
    await using folder = await tempFolder();
    await using server = await prepared(folder);
    const { admin_email, admin_password } = await addAccount("spring", server.root, createSystem(), never);
    const account = { ...pocketbaseSettings(server.process.url, admin_email, admin_password), refreshMs: 3_600_000 };
    await using link = await linkRig(folder, account, { random: () => 0.01 });
    const begin = Date.now();
    const seen = async () => (await fleetNow(server.root, never))[0]?.seen_at ?? null;
    await until(async () => await seen() !== null);
    const first = await seen();
    await until(async () => await seen() !== first);
    assert(Date.now() - begin < 50_000, "a hundredth of a minute, not a minute");
    assertEquals(link.notices(), []);
  },
);

Deno.test("fifty log lines cost one request, and those that are there already are not doubled", options, async () => {
  await using folder = await tempFolder();
  await using server = await prepared(folder);
  const account = await addAccount("spring", server.root, createSystem(), never);
  const system = createSystem();
  let requests = 0;
  const counting: typeof system = { ...system, askRemote: (...question) => (requests++, system.askRemote(...question)) };
  const settings = pocketbaseSettings(server.process.url, account.admin_email, account.admin_password);
  const daemon = pocketbaseServer(settings, counting);
  const { id, name } = await daemon.account(never);
  const spool = await logSpool(folder.at("spool"), system);
  const line = (index: number) => ({
    id: `l${String(index).padStart(14, "0")}`,
    time: new Date(index).toISOString(),
    level: "info" as const,
    message: `line ${index}`,
  });
  const send = async (from: number, to: number) => {
    await spool.write(Array.from({ length: to - from }, (_, index) => line(from + index)));
    requests = 0;
    await uploadLogs(spool, { id, name }, daemon, never);
    return requests;
  };
  assertEquals(await send(0, 50), 1);
  // The answer to these was lost; then more was said.
  await send(20, 60);
  const there = await server.root.all<{ message: string }>(LOGS, { sort: "time" }, never);
  assertEquals(there.map(({ message }) => message), Array.from({ length: 60 }, (_, index) => `line ${index}`));
});

Deno.test("setUp() gives the collections of a former version their new indexes", options, async () => {
  await using folder = await tempFolder();
  await using server = await prepared(folder);
  const { root } = server;
  const path = `/api/collections/${LOGS}`;
  const { indexes } = await root.ask<{ indexes: string[] }>(path, {}, never);
  const former = indexes.filter((index) => !index.includes(`${LOGS}_created`));
  assertEquals(former.length, indexes.length - 1);
  await root.ask(path, { method: "PATCH", body: { indexes: former } }, never);
  const batch = { enabled: true, timeout: 3, maxRequests: 50 };
  await root.ask("/api/settings", { method: "PATCH", body: { batch } }, never);
  const updated = (await setUp(root, never)).filter(({ done }) => done !== "unchanged");
  assertEquals(updated, [LOGS, "batch requests"].map((collection) => ({ collection, done: "updated" })));
  assertEquals((await root.ask<{ indexes: string[] }>(path, {}, never)).indexes.length, indexes.length);
  assertEquals((await setUp(root, never)).filter(({ done }) => done !== "unchanged"), []);
});

Deno.test("the server's hook deletes old log lines, and only those", options, async () => {
  await using folder = await tempFolder();
  await Deno.mkdir(folder.at("pb_hooks"));
  await Deno.copyFile(HOOK, folder.at("pb_hooks/pocketbase-logs.pb.js"));
  await using server = await prepared(folder);
  const { root } = server;
  await addAccount("spring", root, createSystem(), never);
  const [{ id: daemon } = { id: "" }] = await root.all<{ id: string }>("image_transfer_daemons", {}, never);
  for (let index = 0; index < 3; index++) {
    const body = { daemon, time: new Date().toISOString(), level: "info", message: `line ${index}` };
    await root.ask(`/api/collections/${LOGS}/records`, { method: "POST", body }, never);
  }
  const age = (days: number, which: string) => {
    using database = new DatabaseSync(folder.at("data/data.db"), { timeout: 5000 });
    const at = new Date(Date.now() - days * 86_400_000).toISOString().replace("T", " ");
    database.prepare(`UPDATE ${LOGS} SET created = ? WHERE message = ?`).run(at, which);
  };
  age(91, "line 0");
  age(89, "line 1");
  await root.ask("/api/crons/image_transfer_logs", { method: "POST" }, never);
  const left = async () => (await root.all<{ message: string }>(LOGS, { sort: "message" }, never)).map(({ message }) => message);
  await until(async () => (await left()).length === 2);
  assertEquals(await left(), ["line 1", "line 2"]);
});

Deno.test("a server that does not answer logins in time is asked for them with growing pauses", async () => {
  let logins = 0;
  const end = new AbortController();
  const waiting = Promise.withResolvers<void>();
  const silent = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: end.signal, onListen() {} },
    () => (logins++, waiting.promise.then(() => new Response(""))),
  );
  const url = `http://127.0.0.1:${silent.addr.port}`;
  let time = 0;
  const system = { ...createSystem(), monotonic: () => time, random: () => 0.5 };
  const settings = { ...pocketbaseSettings(url, "a.1@daemon.invalid", "secret-word"), timeoutMs: 1000 };
  const server = pocketbaseServer(settings, system);
  // As the parts of a link do, each on its own.
  const tryAll = async () => {
    for (let part = 0; part < 5; part++) await assertRejects(() => server.account(never), Error, "did not answer in time");
    return logins;
  };
  assertEquals(await tryAll(), 1);
  time += 5_001;
  assertEquals(await tryAll(), 2);
  time += 5_001;
  assertEquals(await tryAll(), 2);
  time += 5_001;
  assertEquals(await tryAll(), 3);
  waiting.resolve();
  end.abort();
  await silent.finished;
});

async function saveJob(name: string, folder: TempFolder, root: PocketbaseServer): Promise<void> {
  await Deno.mkdir(folder.at(name), { recursive: true });
  const settings = { watch_path: folder.at(name), transfer_method: "local", remote_base_path: folder.at(`${name}-there`) };
  await root.ask(`/api/collections/${JOBS}/records`, { method: "POST", body: { name, enabled: true, settings } }, never);
}
