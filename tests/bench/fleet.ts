/**
 * Many daemons at one PocketBase server on this computer (`--daemons=N`, 50 unless told): what their start, rest, a change of
 * jobs, logs and a restart of the server cost, and where the server's limits are. The daemons are light ones, in this
 * process: what they take of the processor is not the server's, but its clock ticks are theirs, too.
 */
import { Failure } from "../../src/domain/failure.ts";
import { addAccount } from "../../src/fleet/accounts.ts";
import { COMMANDS, JOBS, LOGS } from "../../src/fleet/collections.ts";
import { fleetNow } from "../../src/fleet/heartbeat.ts";
import { type Beat, beatReport, beatWriter } from "../../src/fleet/heartbeat.ts";
import { type PocketbaseServer, pocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { setUp } from "../../src/fleet/setup.ts";
import type { StatusReport } from "../../src/reports/overview/status_json.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";
import { pocketbaseSettings } from "../fleet/fleet_rig.ts";
import { install } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { type PocketbaseProcess, ROOT, startPocketbase } from "../support/pocketbase.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import type { Say, Scenario } from "./bench.ts";
import { type Asked, type LightDaemon, lightDaemon, SUMS } from "../support/light_daemon.ts";
import { MB, median, processUse, secs } from "./measure.ts";

const never = new AbortController().signal;
const REST_SECONDS = 125;
/** A busy night: an image every second or two, with its lines, from each camera. */
const LINES_A_SECOND = 10;
const LOG_SECONDS = 20;
const LIMIT_SECONDS = 5;
/** Requests under way at once, where the limit of the server is looked for. */
const LANES = 16;

/** What the parts of the scenario share. */
interface Site {
  readonly say: Say;
  readonly system: System;
  readonly folder: TempFolder;
  readonly status: StatusReport;
  readonly root: PocketbaseServer;
  readonly accounts: readonly Awaited<ReturnType<typeof addAccount>>[];
  readonly asked: Asked[];
  server: PocketbaseProcess;
  daemons: readonly LightDaemon[];
}

export const fleet: Scenario = async (say, { daemons: count, rounds }) => {
  if (!has("pocketbase") || Deno.build.os !== "linux") return say({ what: "needs pocketbase and /proc", value: "left out" });
  await using folder = await tempFolder();
  const system = createSystem();
  const server = await startPocketbase(folder.at("data"));
  const root = pocketbaseServer(pocketbaseSettings(server.url, ROOT.email, ROOT.password), system);
  await setUp(root, never);
  const accounts = [];
  for (let i = 0; i < count; i++) accounts.push(await addAccount(`camera-${i}`, root, system, never));
  const status = await realStatus(folder);
  const site: Site = { say, system, folder, status, root, accounts, asked: [], server, daemons: [] };
  try {
    await starts(site);
    await heartbeats(site, "at rest");
    await rests(site);
    for (let round = 0; round < rounds; round++) await changes(site, `round${round}`);
    await logs(site);
    await restarts(site);
    await limits(site);
  } finally {
    await Promise.all(site.daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
    await site.server[Symbol.asyncDispose]();
  }
};

/** Of a daemon that has delivered an image. */
async function realStatus(folder: TempFolder): Promise<StatusReport> {
  for (const name of ["template", "template/camera", "template/nas"]) await Deno.mkdir(folder.at(name));
  const installation = await install(folder.at("template"), {
    watch_path: folder.at("template/camera"),
    transfer_method: "local",
    remote_base_path: folder.at("template/nas"),
    minimum_free_space_gb: 0,
  });
  await using daemon = await installation.start();
  await Deno.writeFile(folder.at("template/camera/a.fits"), fitsFile(30_000, 1));
  await installation.until((rows) => rows.some(({ state }) => state === "delivered"));
  const { stdout } = await installation.command(["status", "--json"]);
  await daemon.stop();
  return JSON.parse(stdout);
}

/** All at once, as after a power cut: each has to log in with its password. */
async function starts(site: Site): Promise<void> {
  const { say, server, accounts, folder } = site;
  const settings = { url: server.url };
  const before = (await processUse(server.pid)).rssBytes;
  await saveJob(site, "first");
  const begin = performance.now();
  const use = await used(server, async () => {
    site.daemons = await Promise.all(
      accounts.map((account, index) => lightDaemon(folder.at(`daemon-${index}`), account, settings, site)),
    );
    const [middle, slowest] = spread(await inForceAt(site.daemons, "first"), begin);
    say({ what: `${accounts.length} start at once: jobs in force`, value: secs(middle), beside: `, slowest ${secs(slowest)}` });
  });
  const { rssBytes } = await processUse(server.pid);
  const memory = `, memory ${(before / MB).toFixed(0)} MB before, ${(rssBytes / MB).toFixed(0)} MB then`;
  say({
    what: `${accounts.length} start at once: server's processor`,
    value: secs(use.cpu),
    beside: `${requestsOf(site)}${memory}`,
  });
  await pause(10);
}

/** From writing to another computer's overview. */
async function heartbeats(site: Site, when: string, times = 20): Promise<void> {
  const { say, system, status, accounts, server } = site;
  const [writer, reader] = accounts.map((account) => pocketbaseServer(settingsOf(server.url, account), system));
  if (writer === undefined || reader === undefined) return;
  const { id, name } = await writer.account(never);
  const beats = beatWriter(writer);
  const [written, seen, looks]: number[][] = [[], [], []];
  for (let time = 0; time < times; time++) {
    const headline = crypto.randomUUID();
    const begin = performance.now();
    await beats.write({ ...beatOf(status), headline }, { id, name }, never);
    const done = performance.now();
    while (!(await fleetNow(reader, never)).some((member) => member.headline === headline));
    written!.push((done - begin) / 1000);
    looks!.push((performance.now() - done) / 1000);
    seen!.push((performance.now() - begin) / 1000);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const [what, values] of [["written", written], ["the overview read", looks], ["seen by another", seen]] as const) {
    const [middle, slowest] = spread(values!);
    say({ what: `heartbeat ${when}: ${what}`, value: secs(middle), beside: `, slowest ${secs(slowest)}` });
  }
}

async function rests(site: Site): Promise<void> {
  const { say, server, daemons } = site;
  site.asked.length = 0;
  const use = await used(server, () => pause(REST_SECONDS));
  const { rssBytes } = await processUse(server.pid);
  const files = (await Array.fromAsync(Deno.readDir(`/proc/${server.pid}/fd`))).length;
  const busiest = Math.max(...bySecond(site.asked).values());
  say({
    what: "at rest: requests a second",
    value: (site.asked.length / use.wall).toFixed(1),
    beside: `, most in one ${busiest}`,
  });
  say({
    what: "at rest: server's processor",
    value: `${(100 * use.cpu / use.wall).toFixed(2)} %`,
    beside: `, memory ${(rssBytes / MB).toFixed(0)} MB, ${files} open files for ${daemons.length} daemons`,
  });
}

/** A job for all computers is saved: until it is in force at each. */
async function changes(site: Site, job: string): Promise<void> {
  const { say, server, daemons } = site;
  site.asked.length = 0;
  const use = await used(server, async () => {
    const begin = performance.now();
    await saveJob(site, job);
    const [middle, slowest] = spread(await inForceAt(daemons, job), begin);
    say({ what: `a job saved: in force at ${daemons.length}`, value: secs(middle), beside: `, slowest ${secs(slowest)}` });
  });
  say({ what: "a job saved: server's processor", value: secs(use.cpu), beside: requestsOf(site) });
}

async function logs(site: Site): Promise<void> {
  const { say, server, daemons, root } = site;
  const before = await countLogs(root);
  site.asked.length = 0;
  const use = await used(server, async () => {
    const saying = (async () => {
      for (let second = 0; second < LOG_SECONDS; second++) {
        for (const daemon of daemons) {
          for (let line = 0; line < LINES_A_SECOND; line++) {
            daemon.say(`Successfully transferred /data/images/${second}-${line}.fits`);
          }
        }
        await pause(1);
      }
    })();
    await pause(LOG_SECONDS / 4);
    const load = `under ${daemons.length * LINES_A_SECOND} lines/s`;
    await heartbeats(site, load, 10).catch((error) => {
      // That is the limit which is looked for.
      if (!(error instanceof Failure)) throw error;
      say({ what: `heartbeat ${load}`, value: "not answered", beside: `: ${error.message}` });
    });
    await saying;
    await until(async () => await countLogs(root) - before >= daemons.length * LINES_A_SECOND * LOG_SECONDS);
  });
  const lines = daemons.length * LINES_A_SECOND * LOG_SECONDS;
  const { rssBytes } = await processUse(server.pid);
  say({
    what: `${lines} log lines in ${LOG_SECONDS} s: all there after`,
    value: secs(use.wall),
    beside: `, server's processor ${(1000 * use.cpu / lines).toFixed(2)} ms a line, memory ${(rssBytes / MB).toFixed(0)} MB${
      requestsOf(site)
    }`,
  });
}

/** The server is killed, and comes back: all daemons come back to it. */
async function restarts(site: Site): Promise<void> {
  const { say, folder, daemons } = site;
  await site.server[Symbol.asyncDispose]();
  await pause(10);
  site.server = await startPocketbase(folder.at("data"), { port: site.server.port });
  site.asked.length = 0;
  const begin = performance.now();
  const use = await used(site.server, async () => {
    await saveJob(site, "after-restart");
    const [middle, slowest] = spread(await inForceAt(daemons, "after-restart"), begin);
    say({ what: `after a restart: in force at ${daemons.length}`, value: secs(middle), beside: `, slowest ${secs(slowest)}` });
  });
  const busiest = Math.max(...bySecond(site.asked).values());
  const failed = site.asked.filter(({ result }) => result !== "ok").length;
  say({
    what: "after a restart: most requests in one second",
    value: String(busiest),
    beside: `, ${failed} of ${site.asked.length} failed, server's processor ${secs(use.cpu)}`,
  });
}

/** As many at once as the server can do of each. */
async function limits(site: Site): Promise<void> {
  const { accounts, system, server, status, daemons, root } = site;
  const known = await Promise.all(
    accounts.slice(0, LANES).map(async (account) => {
      const server = pocketbaseServer(settingsOf(site.server.url, account), system);
      const { id, name } = await server.account(never);
      return { server, identity: { id, name }, beats: beatWriter(server) };
    }),
  );
  const lane = (index: number) => known[index % known.length]!;
  const beats = async (index: number) => {
    const { identity, beats } = lane(index);
    await beats.write(beatOf(status), identity, never);
  };
  await limit(site, `heartbeats, ${daemons.length} listening`, beats);
  // The server finds out for each that listens whether the record is for it.
  const changes = async () => {
    const { id } = lane(0).identity;
    const body = { daemon: id, issued_by: id, action: "scan", state: "done" };
    await root.ask(`/api/collections/${COMMANDS}/records`, { method: "POST", body }, never);
  };
  await limit(site, `changes for one of ${daemons.length} that listen`, changes);
  await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
  site.daemons = [];
  await pause(3);
  await limit(site, "heartbeats, none listening", beats);
  await limit(site, "changes, none listening", changes);
  await limit(site, "renewals of a login", async (index) => void await lane(index).server.renew(never));
  await limit(site, "looks for commands", async (index) => {
    const { server, identity } = lane(index);
    await server.all(COMMANDS, { filter: `daemon = "${identity.id}" && state = "waiting"` }, never);
  });
  await limit(site, "looks at jobs", async (index) => {
    const { server, identity } = lane(index);
    await server.all(JOBS, { filter: `daemon = "" || daemon = "${identity.id}"` }, never);
  });
  await limit(site, `overviews of ${accounts.length}`, async (index) => void await fleetNow(lane(index).server, never));
  await limit(site, "batches of 50 log lines", async (index) => {
    const { server, identity } = lane(index);
    const requests = Array.from({ length: 50 }, () => ({
      method: "POST",
      url: `/api/collections/${LOGS}/records`,
      body: {
        daemon: identity.id,
        time: new Date().toISOString(),
        level: "info",
        message: "Successfully transferred /data/x.fits",
      },
    }));
    await server.ask("/api/batch", { method: "POST", body: { requests } }, never);
  });
  await limit(site, "logins", async (index) => {
    await pocketbaseServer(settingsOf(server.url, accounts[index % accounts.length]!), system).account(never);
  });
  const { rssBytes } = await processUse(site.server.pid);
  site.say({ what: "memory of the server then", value: `${(rssBytes / MB).toFixed(0)} MB, ${await countLogs(root)} lines` });
}

async function limit({ say, server }: Site, what: string, work: (lane: number) => Promise<void>): Promise<void> {
  const taken: number[] = [];
  const end = performance.now() + LIMIT_SECONDS * 1000;
  const use = await used(server, async () => {
    await Promise.all(Array.from({ length: LANES }, async (_, lane) => {
      for (let turn = lane; performance.now() < end; turn += LANES) {
        const begin = performance.now();
        await work(turn);
        taken.push((performance.now() - begin) / 1000);
      }
    }));
  });
  const [middle, slowest] = spread(taken);
  say({
    what: `limit: ${what} a second`,
    value: (taken.length / use.wall).toFixed(0),
    beside: `, server's processor ${(1000 * use.cpu / taken.length).toFixed(2)} ms each; ${secs(middle)}, slowest ${
      secs(slowest)
    }`,
  });
}

function beatOf(status: StatusReport): Beat {
  const { version, headline: { level, text } } = status;
  const live = { running: [], oldestWaiting: null, orphans: [] };
  const report = beatReport({ status, live, sums: SUMS, clockAheadMs: 0, mayDo: [] });
  return { version, level, headline: text, every_seconds: 60, report, config_error: "", instance: "bench" };
}

function settingsOf(url: string, { admin_email, admin_password }: Site["accounts"][number]) {
  return { ...pocketbaseSettings(url, admin_email, admin_password), timeoutMs: 30_000 };
}

async function saveJob({ root, folder }: Site, name: string): Promise<void> {
  await Deno.mkdir(folder.at(name), { recursive: true });
  const settings = { watch_path: folder.at(name), transfer_method: "local", remote_base_path: folder.at(`${name}-there`) };
  await root.ask(`/api/collections/${JOBS}/records`, { method: "POST", body: { name, enabled: true, settings } }, never);
}

function inForceAt(daemons: readonly LightDaemon[], job: string): Promise<number[]> {
  return Promise.all(daemons.map((daemon) => daemon.inForce(job)));
}

async function countLogs(root: PocketbaseServer): Promise<number> {
  const query = { perPage: 1, fields: "id" };
  return (await root.ask<{ totalItems: number }>(`/api/collections/${LOGS}/records`, { query }, never)).totalItems;
}

/** What something takes of the server's processor, seconds. */
async function used({ pid }: PocketbaseProcess, work: () => Promise<void>): Promise<{ wall: number; cpu: number }> {
  const [begin, before] = [performance.now(), await processUse(pid)];
  await work();
  return { wall: (performance.now() - begin) / 1000, cpu: (await processUse(pid)).cpuSeconds - before.cpuSeconds };
}

function requestsOf({ asked }: Site): string {
  return `, ${asked.length} requests`;
}

function bySecond(asked: readonly Asked[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { at } of asked) counts.set(Math.floor(at / 1000), (counts.get(Math.floor(at / 1000)) ?? 0) + 1);
  return counts;
}

/** Median and slowest, seconds; of moments since `begin`, milliseconds. */
function spread(values: readonly number[], begin?: number): readonly [middle: number, slowest: number] {
  const taken = begin === undefined ? values : values.map((at) => (at - begin) / 1000);
  return [median(taken), Math.max(...taken)];
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (let looks = 0; !await isTrue(); looks++) {
    if (looks > 300) throw new Error("it does not come true");
    await pause(1);
  }
}

const pause = (seconds: number) => new Promise<void>((resolve) => setTimeout(resolve, seconds * 1000));
