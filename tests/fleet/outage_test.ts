/** A real server that is killed, restarted, upgraded, full or slow while a computer is linked to it. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { JOBS, LOGS } from "../../src/fleet/collections.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";
import { has } from "../support/needs.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { tempFolder } from "../support/temp.ts";
import { type FleetServer, fleetServer, linkRig, never } from "./link_rig.ts";

const options = { ignore: !has("pocketbase") };
const RECORDS = `/api/collections/${JOBS}/records`;

async function addJob({ root }: FleetServer, name: string, watch_path: string): Promise<string> {
  const body = { name, enabled: true, settings: { watch_path, remote_base_path: "/nas" } };
  return (await root.ask<{ id: string }>(RECORDS, { method: "POST", body }, never)).id;
}

async function logged({ root }: FleetServer): Promise<string[]> {
  const lines = await root.all<{ message: string }>(LOGS, { sort: "time,id" }, never);
  return lines.map(({ message }) => message).filter((message) => /^line \d+$/.test(message));
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line ${index}`);

Deno.test("a change that is due while the server is killed arrives as soon as it is back", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  // Only realtime can be this fast.
  await using link = await linkRig(folder, { ...server.account, refreshMs: 600_000 });
  const job = await addJob(server, "guider", "/guider");
  await link.until(() => link.jobs().includes("guider"), "the first change");
  for (let round = 0; round < 3; round++) {
    // The server is gone before the link has asked for what changed.
    await server.root.ask(`${RECORDS}/${job}`, { method: "PATCH", body: { name: `guider${round}` } }, never);
    await server.kill();
    await server.start();
    await link.until(() => link.jobs().includes(`guider${round}`), `change ${round}`);
  }
  await link.until(() => link.notices().at(-1)?.startsWith("PocketBase: connected to") ?? false, "the connection");
});

Deno.test("a server whose disk is full loses no line, and is told as such", {
  ignore: !has("pocketbase") || !has("root"),
}, async () => {
  await using folder = await tempFolder();
  await using disk = await mountSmallDisk(folder.at("disk"), 40);
  await using server = await fleetServer(`${disk.path}/data`);
  await using link = await linkRig(folder, server.account);
  for (const line of numbered(20)) link.say(line);
  await link.until(async () => (await logged(server)).length === 20, "the first lines");
  const filler = `${disk.path}/filler`;
  await fill(filler);
  for (const line of numbered(80).slice(20)) link.say(line);
  const said = () => link.notices().find((message) => message.includes("cannot save"));
  await link.until(() => said() !== undefined, "the message");
  assertMatch(said()!, /cannot save \(HTTP 400: .+\)\. Is the disk of the server full\?/);
  // What needs no writing goes on: the jobs are still read.
  const asked = () =>
    link.events.filter((event) => event.type === "pocketbase" && event.collection === JOBS && event.result === "ok").length;
  const before = asked();
  await link.until(() => asked() > before, "the jobs are read");
  await Deno.remove(filler);
  await link.until(async () => (await logged(server)).length >= 80, "the rest");
  await link.until(() => link.notices().at(-1)!.startsWith("PocketBase: connected to"), "the end of it");
  assertEquals((await logged(server)).sort(), numbered(80).sort());
});

/** To the last byte. */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { create: true, write: true });
  for (const size of [1 << 16, 4096, 512]) {
    try {
      while (true) await file.write(new Uint8Array(size));
    } catch (error) {
      assert(String(error).includes("No space"), String(error));
    }
  }
}

Deno.test("PocketBase's own rate limits slow the log down, and lose nothing of it", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const rules = [{ label: "/api/batch", maxRequests: 1, duration: 1, audience: "" }];
  await server.root.ask("/api/settings", { method: "PATCH", body: { rateLimits: { enabled: true, rules } } }, never);
  await using link = await linkRig(folder, { ...server.account, retryAttempts: 5, retryDelayMs: 300 });
  for (const line of numbered(150)) link.say(line);
  await link.until(async () => (await logged(server)).length >= 150, "the log");
  assertEquals((await logged(server)).sort(), numbered(150).sort());
  const refused = link.events.filter((event) =>
    event.type === "pocketbase" && event.collection === "batch" && event.result === "error"
  );
  assert(refused.length > 0 && refused.length < 20, `${refused.length} refusals`);
});

Deno.test(
  "a realtime connection that is half open is made again; one on which heartbeats come back is kept",
  options,
  async () => {
    await using folder = await tempFolder();
    await using server = await fleetServer(folder.at("data"));
    const real = createSystem();
    const made: { isDeaf: boolean }[] = [];
    const hearRemote: System["hearRemote"] = async (...asked) => {
      const connection = { isDeaf: false };
      const { pieces, ...heard } = await real.hearRemote(...asked);
      made.push(connection);
      // No end, no error, and nothing any more but what a proxy sends of its own: as behind a router that forgot the connection.
      const next = async () => {
        const piece = await (connection.isDeaf ? real.sleep(200) : pieces.next());
        return connection.isDeaf || piece === undefined ? { done: false, value: ": still here\n\n" } : piece;
      };
      return { ...heard, pieces: { next } as typeof pieces };
    };
    await using link = await linkRig(folder, { ...server.account, timeoutMs: 2000 }, { hearRemote });
    const beatsMore = async (count: number) => {
      const before = link.beats();
      await link.until(() => link.beats() > before + count, "heartbeats");
    };
    await link.until(() => made.length === 1, "the connection");
    await beatsMore(8);
    assertEquals(made.length, 1);
    made[0]!.isDeaf = true;
    await link.until(() => made.length === 2, "another connection");
    await beatsMore(8);
    assertEquals([made.length, link.notices()], [2, []]);
  },
);
