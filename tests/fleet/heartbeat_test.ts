/** What a heartbeat tells of a computer with very many destinations. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fleetNow } from "../../src/fleet/heartbeat.ts";
import { HEARTBEATS } from "../../src/fleet/collections.ts";
import { beatReport, readFleet } from "../../src/fleet/heartbeat.ts";
import type { StatusReport } from "../../src/reports/api_types.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { fleetServer, IDLE, linkRig, never, NO_FILES } from "./link_rig.ts";

Deno.test("beatReport() names a hundred destinations at most, those in trouble first: a record has room for no more", () => {
  const destinations = Array.from({ length: 400 }, (_, index) => ({
    job: "spring",
    name: `nas-${index}`,
    state: index === 399 ? "half_open" : "open",
    queued: 1,
    sending: 0,
    deferred: 0,
    free_bytes: 1e12,
  }));
  const status = { deliveries: { failed: 0, delivered: 0 }, destinations, started_at: null, url: null };
  const report = beatReport({
    status: status as unknown as StatusReport,
    live: { running: [], oldestWaiting: null, orphans: [] },
    sums: NO_FILES,
    clockAheadMs: null,
    mayDo: [],
  });
  assertEquals(report.destinations.length, 100);
  assertEquals(report.destinations.slice(0, 2).map(({ name }) => name), ["nas-399", "nas-0"]);
});

Deno.test("a computer whose headline names very many destinations is heard", { ignore: !has("pocketbase") }, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const text = `Cannot reach ${Array.from({ length: 100 }, (_, index) => `nas-${index}`).join(", ")}`;
  const status = { ...IDLE.status(), headline: { level: "good", text, advice: "" } } as const;
  await using link = await linkRig(folder, server.account, {}, () => status);
  const member = async () => (await fleetNow(server.root, never))[0];
  await link.until(async () => (await member())?.level === "good", "a heartbeat");
  assertEquals((await member())?.headline, text.slice(0, 500));
});

Deno.test("a second daemon with the same account is named, in the log of both and in the fleet, while it is there", {
  ignore: !has("pocketbase"),
}, async () => {
  await using folder = await tempFolder();
  await using other = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const member = async () => (await fleetNow(server.root, never))[0];
  await using link = await linkRig(folder, server.account, { hostname: "camera" });
  await link.until(() => link.beats() > 5, "some heartbeats");
  assertEquals([(await member())?.level, link.notices()], ["good", []]);
  {
    await using clone = await linkRig(other, server.account, { hostname: "clone" });
    const said = (notices: string[], name: string) =>
      notices.filter((text) => text.startsWith(`PocketBase: another daemon uses the account of spring: ${name} since 20`)).length;
    await link.until(() => said(link.notices(), "clone") === 1, "the message at the first one");
    await link.until(() => said(clone.notices(), "camera") === 1, "the message at the second one");
    await link.until(async () => (await member())?.level === "warning", "the warning in the fleet");
    assertMatch((await member())!.headline, /^Another daemon uses this account: (camera|clone) since \S+Z\. All is well$/);
    const before = link.beats();
    await link.until(() => link.beats() > before + 8, "more heartbeats");
    // Not with each heartbeat; again where the other one's came too late for a while, as on a loaded computer.
    for (const { notices } of [link, clone]) assert(notices().length < 4, notices().join("\n"));
  }
  await link.until(async () => (await member())?.level === "good", "the end of it");
});

Deno.test("no number of a heartbeat keeps a silent computer from being offline", { ignore: !has("pocketbase") }, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const record = { daemon: server.id, level: "good", every_seconds: 1e12, config_error: "" };
  const path = `/api/collections/${HEARTBEATS}/records`;
  const { id } = await server.root.ask<{ id: string }>(path, { method: "POST", body: record }, never);
  const levelAfter = async (ms: number) => {
    const [member] = await readFleet([{ id: server.id, name: "spring" }], Date.now() + ms, server.root, never);
    return member?.level;
  };
  assertEquals([await levelAfter(0), await levelAfter(200_000), await levelAfter(-200_000)], ["good", "offline", "offline"]);
  for (const every_seconds of [-1e12, 1e-9, 0]) {
    await server.root.ask(`${path}/${id}`, { method: "PATCH", body: { every_seconds } }, never);
    assertEquals([await levelAfter(60_000), await levelAfter(200_000)], ["good", "offline"]);
  }
});
