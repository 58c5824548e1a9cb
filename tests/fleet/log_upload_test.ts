/** The log on its way to a real server: outages, lost answers, a bounded disk. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { bell } from "../../src/async/bell.ts";
import { Failure } from "../../src/domain/failure.ts";
import { addAccount } from "../../src/fleet/accounts.ts";
import { LOGS } from "../../src/fleet/collections.ts";
import { logGatherer, logSpool, type SpooledLine, uploadLogs } from "../../src/fleet/log_upload.ts";
import { pocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { ServerFailure } from "../../src/fleet/server_failure.ts";
import { setUp } from "../../src/fleet/setup.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { has, needs } from "../support/needs.ts";
import { ROOT, startPocketbase } from "../support/pocketbase.ts";
import { dice } from "../support/seeded.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { tempFolder } from "../support/temp.ts";
import { pocketbaseSettings } from "./fleet_rig.ts";

const never = new AbortController().signal;

function lines(count: number, level: SpooledLine["level"] = "info", first = 0): SpooledLine[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${level[0]}${String(first + index).padStart(14, "0")}`,
    time: new Date(first + index).toISOString(),
    level,
    message: `${level} ${first + index}`,
  }));
}

Deno.test("no log line is lost or doubled through 20 outages of the server", { ignore: !has("pocketbase") }, async () => {
  const random = dice(7);
  await using folder = await tempFolder();
  let process = await startPocketbase(folder.at("data"));
  const { port, url } = process;
  const system = createSystem();
  const root = pocketbaseServer(pocketbaseSettings(url, ROOT.email, ROOT.password), system);
  await setUp(root, never);
  const { admin_email, admin_password } = await addAccount("spring", root, system, never);
  const server = pocketbaseServer(pocketbaseSettings(url, admin_email, admin_password), system);
  const spool = await logSpool(folder.at("spool"), system);
  const { id, name } = await server.account(never);
  const done = new AbortController();
  const outages = (async () => {
    for (let outage = 0; outage < 20; outage++) {
      await new Promise((resolve) => setTimeout(resolve, random.int(30, 180)));
      await process[Symbol.asyncDispose]();
      await new Promise((resolve) => setTimeout(resolve, random.int(0, 60)));
      process = await startPocketbase(folder.at("data"), { port });
    }
    done.abort();
  })();
  let written = 0;
  while (!done.signal.aborted || spool.counts().waiting > 0) {
    if (!done.signal.aborted) await spool.write(lines(20, "info", 20 * written++));
    try {
      await uploadLogs(spool, { id, name }, server, never);
    } catch (error) {
      assert(error instanceof Failure, String(error));
    }
  }
  await outages;
  const there = await server.all<{ message: string }>(LOGS, { fields: "message", sort: "time" }, never);
  assertEquals(there.map(({ message }) => message), lines(20 * written).map(({ message }) => message));
  await process[Symbol.asyncDispose]();
});

Deno.test("lines stay here while the server does not know this computer", { ignore: !has("pocketbase") }, async () => {
  await using folder = await tempFolder();
  await using process = await startPocketbase(folder.at("data"));
  const system = createSystem();
  const root = pocketbaseServer(pocketbaseSettings(process.url, ROOT.email, ROOT.password), system);
  await setUp(root, never);
  const spool = await logSpool(folder.at("spool"), system);
  await spool.write(lines(3));
  const deleted = { id: "abcdefghijklmno", name: "spring" };
  await assertRejects(() => uploadLogs(spool, deleted, root, never), ServerFailure);
  assertEquals(spool.counts().waiting, 3);
});

Deno.test("a full spool gives up lines for debugging first, then the oldest others, and errors last", async () => {
  await using folder = await tempFolder();
  const spool = await logSpool(folder.path, createSystem(), 4200);
  await spool.write(lines(10, "error"));
  await spool.write(lines(10, "debug"));
  await spool.write(lines(20, "info"));
  await spool.write(lines(10, "warning"));
  const left = async (opened = spool) => {
    const kept: string[] = [];
    for (let segment = await opened.oldest(); segment !== null; segment = await opened.oldest()) {
      kept.push(...segment.lines.map(({ level }) => level));
      await opened.remove(segment);
    }
    return kept.join(" ").replaceAll(/(\w+)( \1)*/g, "$1").split(" ");
  };
  assertEquals(spool.counts().dropped, 10);
  await spool.write(lines(20, "warning", 100));
  assertEquals(spool.counts().dropped, 30);
  // A restart finds what is left, and leaves out what a crash damaged.
  const [file] = (await createSystem().names(folder.path)).sort();
  await Deno.writeTextFile(folder.at(file!), '{"id":"x', { append: true });
  const again = await logSpool(folder.path, createSystem(), 4200);
  assertEquals(again.counts(), { waiting: 40, dropped: 0 });
  assertEquals(await left(again), ["error", "warning"]);
});

Deno.test("lines that come one by one share a file, but none is added to a file that is being uploaded", async () => {
  await using folder = await tempFolder();
  // A clock that was set back must not change the order.
  let now = 1_000_000;
  const system = { ...createSystem(), now: () => now -= 1000 };
  const spool = await logSpool(folder.path, system);
  for (const line of lines(30)) await spool.write([line]);
  assertEquals((await system.names(folder.path)).length, 1);
  const lent = await spool.oldest();
  for (const line of lines(30, "info", 30)) await spool.write([line]);
  assertEquals([lent?.lines.length, (await system.names(folder.path)).length], [30, 2]);
  const again = await logSpool(folder.path, system);
  assertEquals((await again.oldest())?.lines.map(({ id }) => id), lines(30).map(({ id }) => id));
  await spool.remove(lent!);
  assertEquals((await spool.oldest())?.lines.map(({ id }) => id), lines(30, "info", 30).map(({ id }) => id));
});

Deno.test("a disk that is full for long is not filled further by the attempts to write", needs("root"), async () => {
  await using folder = await tempFolder();
  await using disk = await mountSmallDisk(folder.at("disk"), 1);
  const system = createSystem();
  const spool = await logSpool(disk.path, system);
  await spool.write(lines(3));
  for (let attempt = 0; attempt < 5; attempt++) await assertRejects(() => spool.write(lines(20_000)));
  assertEquals([spool.counts().waiting, (await system.names(disk.path)).length], [3, 1]);
});

Deno.test("what cannot be put on this disk is gathered still, before what comes later", async () => {
  const gatherer = logGatherer(() => "info", bell(createSystem()), createSystem());
  const say = (message: string) => gatherer.listen({ at: 0, type: "notice", level: "info", message });
  say("first");
  await assertRejects(() => gatherer.hand(() => (say("second"), Promise.reject(new Error("No space left on device")))));
  const handed: string[] = [];
  await gatherer.hand((taken) => Promise.resolve(void handed.push(...taken.map(({ message }) => message))));
  assertEquals(handed, ["first", "second"]);
});
