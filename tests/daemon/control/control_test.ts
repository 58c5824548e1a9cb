import { assert, assertEquals, assertRejects } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { controlServer } from "../../../src/daemon/control/control_server.ts";
import { findDaemon } from "../../../src/daemon/control/control_client.ts";
import { statusReport } from "../../../src/reports/overview/status_report.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";
import { fakeDaemon, STATUS } from "../../web/fake_daemon.ts";

const system = createSystem();
const never = new AbortController().signal;
const find = (dir: TempFolder, timeoutMs?: number) =>
  findDaemon({ stateDirectory: dir.path, system, ...(timeoutMs === undefined ? {} : { timeoutMs }) }, never);

async function contentOf(dir: TempFolder): Promise<Record<string, unknown>> {
  return JSON.parse(await dir.read("control.json"));
}

Deno.test("controlServer() writes control.json for its owner only, and takes it away", async () => {
  await using dir = await tempFolder();
  {
    await using daemon = await fakeDaemon(dir.path);
    const { secret, ...rest } = await contentOf(dir);
    assertEquals(rest, { port: daemon.port, pid: Deno.pid, version: "0.1.0", url: "http://127.0.0.1:9090/" });
    assert(/^[0-9a-f]{64}$/.test(String(secret)));
    if (Deno.build.os !== "windows") assertEquals((await Deno.stat(dir.at("control.json"))).mode! & 0o777, 0o600);
  }
  await assertRejects(() => dir.read("control.json"), Deno.errors.NotFound);
});

Deno.test("control.json is not written again by the page that stops while it is taken away", async () => {
  await using dir = await tempFolder();
  const end = new AbortController();
  const app = { fetch: () => new Response() };
  const errors: unknown[] = [];
  const options = {
    stateDirectory: dir.path,
    version: "1",
    url: null,
    system,
    onError: (error: unknown) => errors.push(error),
  };
  const channel = await controlServer(app, options, end.signal);
  end.abort();
  const announced = channel.announce(null);
  await Promise.all([announced, channel.finished]);
  await channel.announce(null);
  assertEquals(errors, []);
  await assertRejects(() => dir.read("control.json"), Deno.errors.NotFound);
});

Deno.test("findDaemon() reaches the daemon, and everything it is told arrives", async () => {
  await using dir = await tempFolder();
  await using daemon = await fakeDaemon(dir.path);
  const client = await find(dir);
  assert(client !== null);
  assertEquals(await client.ask("status"), statusReport(STATUS));
  assertEquals(await client.ask("live"), { running: [], oldestWaiting: null, orphans: [] });
  assertEquals(await client.ask("reload", {}), { ok: true, message: "Configuration reloaded" });
  assertEquals(await client.ask("sync", {}), { jobs: ["spring"] });
  assertEquals(await client.ask("sync", { job: "a\nb" }), { jobs: ["spring"] });
  assertEquals(await client.ask("retry", { ids: null }), { count: 7 });
  const many = Array.from({ length: 100_000 }, (_, k) => k + 1);
  assertEquals(await client.ask("retry", { ids: many }), { count: 100_000 });
  assertEquals(await client.ask("pause", { destination: null, by: "ann" }), { destinations: ["freya"] });
  assertEquals(await client.ask("resume", { destination: "nas", former: "ask" }), {
    destinations: ["nas"],
    retrying: [],
    undecided: [],
  });
  assertEquals(daemon.told, [
    ["reload"],
    ["sync", undefined],
    ["sync", "a\nb"],
    ["retry", null],
    ["retry", many],
    ["pause", null, "ann"],
    ["resume", "nas", "ask"],
  ]);
  assertEquals(daemon.errors, []);
});

Deno.test("stop() comes back when the daemon has let go of its lock", async () => {
  await using dir = await tempFolder();
  await using daemon = await fakeDaemon(dir.path);
  const client = await find(dir);
  assertEquals(await client?.stop(10_000), true);
  assertEquals(daemon.told, [["stop", "requested by the stop command"]]);
  assertEquals(await find(dir), null);
});

Deno.test("stop() says when the daemon does not end", async () => {
  await using dir = await tempFolder();
  await using _daemon = await fakeDaemon(dir.path, { stop: () => undefined });
  assertEquals(await (await find(dir))?.stop(200), false);
});

Deno.test("findDaemon() finds none where nothing is, and makes nothing there", async () => {
  await using dir = await tempFolder();
  assertEquals(await find(dir), null);
  assertEquals(await Array.fromAsync(Deno.readDir(dir.path)), []);
  assertEquals(await findDaemon({ stateDirectory: dir.at("no", "such"), system }, never), null);
});

const LEFTOVERS: readonly [string, (port: number) => string][] = [
  ["a killed daemon whose port is free", () => aFile(9)],
  ["a killed daemon whose port another program has", (port) => aFile(port)],
  ["an empty file", () => ""],
  ["half a file", () => aFile(9).slice(0, 30)],
  ["another kind of file", () => "[]"],
  ["a file with a port that is none", () => aFile(70_000)],
];

function aFile(port: number): string {
  return JSON.stringify({ port, secret: "0".repeat(64), pid: 4_000_000, version: "0.1.0", url: null });
}

for (const [what, content] of LEFTOVERS) {
  Deno.test(`findDaemon() is not deceived by the control.json of ${what}`, async () => {
    await using dir = await tempFolder();
    const end = new AbortController();
    const handler = () => new Response("another program");
    const other = await system.listen({ host: "127.0.0.1", port: 0, handler }, end.signal);
    await dir.write("control.json", content(other.port));
    await dir.write("lock", "");
    assertEquals(await find(dir), null);
    end.abort();
    await other.finished;
  });
}

Deno.test("findDaemon() tells a daemon that hangs from one that is not there", async () => {
  await using dir = await tempFolder();
  let letGo = () => {};
  const stuck = new Promise<void>((resolve) => letGo = resolve);
  await using _daemon = await fakeDaemon(dir.path, { status: () => stuck.then(() => statusReport(STATUS)) });
  const failure = await assertRejects(() => find(dir, 200), Failure, "has not responded for 0.2 s");
  assertEquals(failure.code, "timeout");
  letGo();
});

Deno.test("findDaemon() says when somebody holds the state directory who cannot be asked", async () => {
  await using dir = await tempFolder();
  await using _lock = (await system.lock(dir.at("lock")))!;
  let now = 0;
  const quick = { ...system, monotonic: () => now, sleep: (ms: number) => Promise.resolve(void (now += ms)) };
  const failure = await assertRejects(
    () => findDaemon({ stateDirectory: dir.path, system: quick }, never),
    Failure,
    "is not responding",
  );
  assertEquals(failure.code, "unreachable");
});

Deno.test("a failure of the daemon arrives with code, message and hint; an internal error without details", async () => {
  await using dir = await tempFolder();
  await using daemon = await fakeDaemon(dir.path, {
    pause: () => {
      throw new Failure("configuration", 'Unknown destination "x"', { hint: "Known destinations: freya." });
    },
    sync: () => {
      throw new Error("secret details");
    },
  });
  const client = (await find(dir))!;
  const failure = await assertRejects(
    () => client.ask("pause", { destination: "x", by: "ann" }),
    Failure,
    'Unknown destination "x"',
  );
  assertEquals([failure.code, failure.hint], ["configuration", "Known destinations: freya."]);
  const internal = await assertRejects(() => client.ask("sync", {}), Failure, "Internal error");
  assert(!internal.message.includes("secret details"));
  assertEquals(daemon.errors.map(String), ["Error: secret details"]);
});

Deno.test("controlServer() refuses what does not know the secret, comes from a page, or is no request of ours", async () => {
  await using dir = await tempFolder();
  await using daemon = await fakeDaemon(dir.path);
  const { secret } = await contentOf(dir);
  const good = { authorization: `Bearer ${secret}` };
  const status = async (headers: Record<string, string>, path = "/status", method: "GET" | "POST" = "GET", body?: string) =>
    (await system.askLocal(daemon.port, { method, path, headers, ...(body === undefined ? {} : { body }) }, never)).status;
  assertEquals(await status(good), 200);
  assertEquals(await status({}), 403);
  assertEquals(await status({ authorization: "Bearer " }), 403);
  assertEquals(await status({ authorization: `Bearer ${"0".repeat(64)}` }), 403);
  assertEquals(await status({ authorization: `Bearer ${secret}0` }), 403);
  assertEquals(await status({ ...good, origin: `http://127.0.0.1:${daemon.port}` }), 403);
  assertEquals(await statusWithHost(daemon.port, "evil.example", String(secret)), 403);
  assertEquals(await statusWithHost(daemon.port, `127.0.0.1:${daemon.port}`, String(secret)), 200);
  assertEquals(await status(good, "/nothing"), 404);
  assertEquals(await status(good, "/stop"), 404);
  for (const body of ["", "{", "[]", '{"ids":"all"}', '{"ids":[1.5]}', '{"ids":[-1]}']) {
    assertEquals(await status(good, "/retry", "POST", body), 409);
  }
  assertEquals(await status(good, "/retry", "POST", `{"ids":[${"1,".repeat(3e6)}1]}`), 409);
  assertEquals([daemon.told, daemon.errors], [[], []]);
});

/** `fetch` does not let a test lie about the host, as a page with a rebound name would. */
async function statusWithHost(port: number, host: string, secret: string): Promise<number> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const lines = ["GET /status HTTP/1.0", `Host: ${host}`, `Authorization: Bearer ${secret}`, "", ""];
  await connection.write(new TextEncoder().encode(lines.join("\r\n")));
  const answer = new Uint8Array(1000);
  const length = await connection.read(answer) ?? 0;
  return Number(new TextDecoder().decode(answer.subarray(0, length)).split(" ")[1]);
}
