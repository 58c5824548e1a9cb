import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startDaemon } from "../../src/daemon/daemon.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { tempFolder } from "../support/temp.ts";
import { type DaemonRig, daemonRig, type DaemonRigOptions } from "../support/daemon_rig.ts";

function bench(config: Record<string, unknown> = {}, options: DaemonRigOptions = {}): Promise<DaemonRig> {
  return daemonRig({ web: false, ...config }, options);
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

const delivered = (b: DaemonRig, count: number) => () => b.daemon.ledger.counts().delivered === count;

Deno.test("startDaemon() delivers what is there and what comes, and leaves nothing behind when it stops", async () => {
  await using b = await bench();
  await b.folder.write("data/20260115/a.fits", "alpha");
  await b.until(delivered(b, 1), "first delivered");
  await b.folder.write("data/b.fits", "beta");
  await b.until(delivered(b, 2), "second delivered");
  assertEquals(await b.folder.read("nas/20260115/a.fits"), "alpha");
  assertEquals((await b.folder.read("daemon.pid")).trim(), String(Deno.pid));
  b.daemon.stop("the test is over");
  await b.daemon.stopped;
  const left = names(b.folder.at("nas"));
  assertEquals(left, ["20260115", "b.fits"]);
  const state = names(b.folder.at("state"));
  assertEquals(state, ["instance", "ledger.sqlite", "lock"]);
  assertEquals(await b.system.facts(b.folder.at("daemon.pid")), null);
  assertEquals(b.events.at(-1)?.type, "stopped");
});

Deno.test("startDaemon() refuses a second instance on the same state directory, and not after the first has stopped", async () => {
  await using b = await bench();
  const tools = { system: b.system, openLedger, readSettings: null, listeners: [] };
  assertEquals(await startDaemon(b.settings(), tools), null);
  b.daemon.stop("enough");
  await b.daemon.stopped;
  const second = await startDaemon(b.settings(), tools);
  assert(second);
  await second[Symbol.asyncDispose]();
});

Deno.test("reload() changes nothing when the file is bad, and says why", async () => {
  await using b = await bench();
  b.next = () => b.settings({ file_patern: "*.fits" });
  const { ok, message } = await b.daemon.reload();
  assertEquals(ok, false);
  assertStringIncludes(message, "file_patern");
  assertEquals(b.events.filter(({ type }) => type === "reload_refused").length, 1);
  await b.folder.write("data/a.fits", "alpha");
  await b.until(delivered(b, 1), "delivered by the former configuration");
});

Deno.test("reload() takes over new jobs and lets unchanged ones run on", async () => {
  await using b = await bench();
  await b.folder.write("data/a.fits", "alpha");
  await b.until(delivered(b, 1), "delivered");
  await Deno.mkdir(b.folder.at("more"));
  const watched = () =>
    b.events.filter((event) => event.type === "watching").map((event) => event.type === "watching" && event.job);
  b.next = () => {
    const [first] = b.settings().jobs;
    const destinations = [{ name: "nas2", transfer_method: "local", remote_base_path: b.folder.at("nas2") }];
    const [second] = b.settings({ watch_path: b.folder.at("more"), destinations }).jobs;
    const job = { ...second!, name: "more", destinations: second!.destinations.map((to) => ({ ...to, job: "more" })) };
    return { ...b.settings(), jobs: [first!, job] };
  };
  assertEquals((await b.daemon.reload()).ok, true);
  await b.folder.write("more/b.fits", "beta");
  await b.until(delivered(b, 2), "delivered by the new job");
  assertEquals(await b.folder.read("nas2/b.fits"), "beta");
  assertEquals(watched(), ["default", "more"]);
});

Deno.test("reload() refuses another state directory", async () => {
  await using b = await bench();
  b.next = () => b.settings({ state_directory: b.folder.at("elsewhere") });
  assertStringIncludes((await b.daemon.reload()).message, "state_directory");
});

Deno.test("pause(), resume(), sync() and status() answer for destinations and jobs by name", async () => {
  await using b = await bench();
  assertEquals(b.daemon.pause("nas", "observer"), ["nas"]);
  const { destinations, jobs, running } = await b.daemon.status();
  assertEquals([running, jobs[0]?.name, destinations[0]?.state, destinations[0]?.reason], [
    true,
    "default",
    "paused",
    "paused by observer",
  ]);
  assertEquals(await b.daemon.resume(null), { destinations: ["nas"], retrying: [], undecided: [] });
  assertEquals(await b.daemon.sync(), ["default"]);
  for (const ask of [() => b.daemon.pause("nobody", "me"), () => b.daemon.sync("nothing")]) {
    let message = "";
    try {
      await ask();
    } catch (error) {
      message = error instanceof Error ? error.message : "";
    }
    assertStringIncludes(message, "Unknown");
  }
});

Deno.test("retry() sends again what had failed", async () => {
  await using b = await bench({ on_conflict: "fail" });
  await b.folder.write("nas/a.fits", "older");
  await b.folder.write("data/a.fits", "alpha");
  await b.until(() => b.daemon.ledger.counts().failed === 1, "failed");
  await Deno.remove(b.folder.at("nas", "a.fits"));
  assertEquals(b.daemon.retry(null), 1);
  await b.until(delivered(b, 1), "delivered");
});

Deno.test("finished() tells how a run that ends by itself came out", async () => {
  await using b = await bench({}, { once: true, files: { "a.fits": "alpha" } });
  const [first] = await b.daemon.finished();
  assertEquals([first?.job, first?.finish], ["default", { incomplete: [], unreached: [] }]);
});

Deno.test("delete_source removes what is proven", async () => {
  await using b = await bench({ delete_source: true });
  await b.folder.write("data/a.fits", "alpha");
  await b.until(async () => await b.system.facts(b.folder.at("data", "a.fits")) === null, "source removed");
  assertEquals(await b.folder.read("nas/a.fits"), "alpha");
});

Deno.test("the folder of a destination that was not there is said to be made: in the log, in status, and once only", async () => {
  await using b = await bench();
  const status = async () => (await b.daemon.status()).destinations[0];
  await b.until(async () => (await status())?.folder_made === true, "made");
  const told = () => b.events.filter((event) => event.type === "notice" && /, did not exist: created\./.test(event.message));
  assertEquals(told().length, 1);
  await b.daemon[Symbol.asyncDispose]();
  const again = await startDaemon(b.settings(), { system: b.system, openLedger, readSettings: null, listeners: [] });
  assert(again);
  await using _stopped = again;
  await b.until(async () => (await again.status()).destinations[0]?.state === "open", "open");
  assertEquals((await again.status()).destinations[0]?.folder_made, undefined);
});

Deno.test("a manual job queues what comes, and sends it when a person asks", async () => {
  await using b = await bench({ schedule: "manual" });
  await b.folder.write("data/a.fits", "alpha");
  await b.until(() => b.daemon.ledger.counts().queued === 1, "queued");
  const { destinations, all_well } = await b.daemon.status();
  assertEquals(destinations.map(({ state, reason }) => [state, reason]), [
    ["closed", "sends on request only (schedule: manual): image-transfer sync sends now"],
  ]);
  assertEquals(all_well, true);
  assertEquals(names(b.folder.path).includes("nas"), false);
  // Copied at this moment: it is not finished yet, and belongs to the run all the same.
  await b.folder.write("data/b.fits", "beta");
  b.daemon.sync("default");
  await b.until(() => b.events.some(({ type }) => type === "run_ended"), "run ended");
  const ended = b.events.flatMap((event) => event.type === "run_ended" ? [event] : []);
  assertEquals(ended.map(({ delivered, failed, waiting, next }) => [delivered, failed, waiting, next]), [[2, 0, 0, null]]);
  await b.folder.write("data/c.fits", "gamma");
  await b.until(() => b.daemon.ledger.counts().queued === 1, "queued again");
  assertEquals(names(b.folder.at("nas")).filter((name) => name.endsWith(".fits")), ["a.fits", "b.fits"]);
});

Deno.test("a job with an interval sends in runs, and --once does not wait for them", async () => {
  await using b = await bench({ schedule: { interval: "1s" } });
  await b.folder.write("data/a.fits", "alpha");
  await b.until(delivered(b, 1), "delivered by a run");
  const next = (await b.daemon.status()).jobs[0]?.next_run;
  assert(next === null || Date.parse(next ?? "") < Date.now() + 1500, `within a second: ${next}`);
  await using once = await bench({ schedule: "manual" }, { once: true, files: { "a.fits": "alpha" } });
  const [job] = await once.daemon.finished();
  assertEquals([job?.finish.unreached, await once.folder.read("nas/a.fits")], [[], "alpha"]);
});

Deno.test("hooks are called for what happens, and a hook that never answers delays no delivery", async () => {
  const note = "await Deno.writeTextFile(Deno.args[0], `${Deno.args[1]} ${Deno.args[2]}\\n`, { append: true })";
  const notes = await tempFolder();
  const heard = notes.at("heard");
  await using b = await bench({
    hooks: [
      { on: ["ready", "delivered"], command: [Deno.execPath(), "eval", note, "--", heard, "{event}", "{path}"] },
      { on: ["delivered"], command: [Deno.execPath(), "eval", "await new Promise((go) => setTimeout(go, 60_000))"] },
    ],
  });
  for (let i = 0; i < 5; i++) await b.folder.write(`data/${i} $(id).fits`, `${i}`);
  await b.until(delivered(b, 5), "delivered");
  const lines = async () => (await Deno.readTextFile(heard).catch(() => "")).split("\n").filter((line) => line !== "").sort();
  await b.until(async () => (await lines()).length === 10, "all are told");
  const paths = [0, 1, 2, 3, 4].map((i) => b.folder.at(`data/${i} $(id).fits`));
  assertEquals(await lines(), ["delivered", "ready"].flatMap((event) => paths.map((path) => `${event} ${path}`)).sort());
  await notes[Symbol.asyncDispose]();
});

Deno.test("a job with hooks only watches: its log tells what happens, and its hooks hear it, also on a schedule", async () => {
  const note = "await Deno.writeTextFile(Deno.args[0], `${Deno.args[1]} ${Deno.args[2]}\\n`, { append: true })";
  const notes = await tempFolder();
  const heard = notes.at("heard");
  await using b = await bench({
    destinations: undefined,
    file_patterns: ["*"],
    schedule: { interval: "1s" },
    hooks: [{
      on: ["created", "removed", "ready", "scheduled"],
      command: [Deno.execPath(), "eval", note, "--", heard, "{event}", "{trigger_type} {name}"],
    }],
  });
  const lines = async () => (await Deno.readTextFile(heard).catch(() => "")).split("\n").filter((line) => line !== "");
  await b.folder.write("data/a.txt", "alpha");
  await b.until(async () => (await lines()).includes("created file_change a.txt"), "created");
  await b.until(async () => (await lines()).includes("ready file_change a.txt"), "it is finished");
  assertEquals(b.events.filter((event) => event.type === "notice" && event.message.includes("sent")), []);
  await Deno.remove(b.folder.at("data/a.txt"));
  await b.until(() => b.events.some((event) => event.type === "removed" && event.isAll === true), "removed");
  await b.until(async () => (await lines()).includes("scheduled scheduled "), "the schedule calls it");
  const { all_well, destinations, deliveries } = await b.daemon.status();
  assertEquals([all_well, destinations, deliveries.queued], [true, [], 0]);
  await notes[Symbol.asyncDispose]();
});
