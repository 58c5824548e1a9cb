import { assert, assertEquals } from "@std/assert";
import { type Job, loginOf, type Settings } from "../../src/config/settings.ts";
import type { NewEvent } from "../../src/domain/transfer_event.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { type Pipelines, pipelines, type PipelinesTools } from "../../src/daemon/pipelines.ts";
import { trackProgress } from "../../src/events/progress.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { aFailure, fakeDestination } from "../support/fake_method.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { until } from "../support/until.ts";
import { aDestination, aJob } from "../support/makers.ts";

/** The settings of these jobs. */
function settingsOf(folder: TempFolder, jobs: readonly Job[]): Settings {
  return {
    file: null,
    notes: [],
    jobs,
    stateDirectory: folder.at("state"),
    pidFile: null,
    autoReload: false,
    systemLog: false,
    shutdownTimeoutMs: 20_000,
    maxConcurrentSyncs: null,
    maxFileOperations: 8,
    syncQueueSize: 10,
    log: { level: "info", directory: "", file: "", maxBytes: 0, backupCount: 0, format: "text", namesDestinations: false },
    web: null,
    report: null,
    pocketbase: null,
  };
}

/** The pipelines over real files, with destinations in memory. */
function pipelinesOn(
  folder: TempFolder,
  ledger: Ledger,
  methodOf: PipelinesTools["methodOf"],
  changes: Partial<PipelinesTools> = {},
): Pipelines {
  return pipelines({
    system: createSystem(),
    ledger,
    emit: () => {},
    methodOf,
    once: false,
    workFolder: folder.at("work"),
    diskFolder: folder.at("work"),
    progress: trackProgress(),
    broken: () => {},
    ...changes,
  });
}

Deno.test("a login that is refused to one account stops no other account of the same host", async () => {
  await using folder = await tempFolder();
  await folder.write("a/a.fits", "alpha");
  await folder.write("b/b.fits", "beta");
  using ledger = openLedger(folder.at("state"));
  const refused = fakeDestination();
  refused.before = (step) => {
    if (step === "connect") throw aFailure("login_refused");
  };
  const works = fakeDestination();
  const all = pipelinesOn(folder, ledger, ({ transport }) => (loginOf(transport)?.user === "guest" ? refused : works).method);
  const job = (name: string, user: string) =>
    aJob(folder.at(name), {
      name,
      destinations: [
        aDestination({ job: name, transport: { method: "sftp", host: "nas", user, port: null, compression: false } }),
      ],
    });
  await all.adopt(settingsOf(folder, [job("a", "guest")]));
  const isHeld = () => all.outboxes()[0]?.state().state === "on_hold";
  await until(isHeld, "it holds");
  await all.adopt(settingsOf(folder, [job("a", "guest"), job("b", "observer")]));
  await until(() => ledger.counts("b").delivered > 0, "delivered");
  assert(isHeld());
  assertEquals(works.texts(), { "b.fits": "beta" });
  await all.stop();
});

Deno.test("stop() comes to an end although a dead network disk never answers", async () => {
  await using folder = await tempFolder();
  await folder.write("data/a.fits", "alpha");
  const clock = createFakeClock({ realFiles: true, startMs: Date.now() });
  const asked = Promise.withResolvers<void>();
  const system = {
    ...createSystem(),
    ...clock,
    facts: () => {
      asked.resolve();
      return new Promise<never>(() => {});
    },
  };
  using ledger = openLedger(folder.at("state"));
  const events: NewEvent[] = [];
  const all = pipelinesOn(folder, ledger, () => fakeDestination().method, {
    system,
    emit: (event) => void events.push(event),
  });
  await all.adopt(settingsOf(folder, [aJob(folder.at("data"), { watchMode: "poll" })]));
  let hangs = false;
  void asked.promise.then(() => hangs = true);
  const turn = async (ms: number) => {
    await clock.advance(ms);
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  for (let turns = 0; !hangs && turns < 4000; turns++) await turn(100);
  let ended = false;
  const stopping = all.stop().then(() => ended = true);
  for (let turns = 0; !ended && turns < 400; turns++) await turn(1000);
  assert(ended && hangs, `ended: ${ended}, hangs: ${hangs}`);
  await stopping;
});

Deno.test("a file that is rewritten under the same time while it is sent arrives as it is in the end", async () => {
  await using folder = await tempFolder();
  const source = await folder.write("a/a.fits", "alpha");
  const { mtime } = await Deno.stat(source);
  using ledger = openLedger(folder.at("state"));
  const fake = fakeDestination();
  const proven = Promise.withResolvers<void>();
  const rewritten = Promise.withResolvers<void>();
  fake.before = async (step) => {
    if (step !== "publish") return;
    proven.resolve();
    await rewritten.promise;
  };
  const all = pipelinesOn(folder, ledger, () => fake.method);
  await all.adopt(settingsOf(folder, [aJob(folder.at("a"), { name: "a", destinations: [aDestination({ job: "a" })] })]));
  await proven.promise;
  // Some systems tell the time of the last change in whole seconds.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await Deno.writeTextFile(source, "omega");
  await Deno.utime(source, mtime!, mtime!);
  const [pipeline] = all.list();
  while (ledger.query({})[0]?.sha256 === null) {
    await pipeline!.intake.scanNow();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  rewritten.resolve();
  await until(() => ledger.counts().delivered === 2, "both versions delivered");
  assertEquals(fake.texts()["a.fits"], "omega");
  await all.stop();
});

Deno.test("finished() waits for a file that came while the last one was sent, also once it is in hand", async () => {
  await using folder = await tempFolder();
  await folder.write("data/a.fits", "alpha");
  using ledger = openLedger(folder.at("state"));
  const fake = fakeDestination();
  const goOn = Promise.withResolvers<void>();
  fake.before = async (step) => {
    if (step === "publish" && fake.calls.publish === 1) {
      await folder.write("data/b.fits", "beta");
      const waits = () => all.list()[0]!.intake.waiting().some(({ path }) => path.endsWith("b.fits"));
      await until(() => waits() || ledger.counts().queued === 1, "the second one is a candidate");
    }
    if (step === "put" && fake.calls.put === 2) await goOn.promise;
  };
  const all = pipelinesOn(folder, ledger, () => fake.method, { once: true });
  const waits = { destinations: [aDestination()], minFileAgeMs: 3000, completeness: "quiet" as const };
  await all.adopt(settingsOf(folder, [aJob(folder.at("data"), waits)]));
  let finish: unknown = null;
  const finishing = all.list()[0]!.finished(new AbortController().signal).then((found) => finish = found);
  await until(() => fake.calls.put === 2, "the second one is sent");
  await new Promise((resolve) => setTimeout(resolve, 500));
  const tooEarly = finish;
  goOn.resolve();
  await finishing;
  await all.stop();
  assertEquals(tooEarly, null);
});

Deno.test("a removal that is under way at a reload removes nothing that a new destination does not have", async () => {
  await using folder = await tempFolder();
  await folder.write("data/a.fits", "alpha");
  await folder.write("data/b.fits", "beta!");
  using ledger = openLedger(folder.at("state"));
  const nas = fakeDestination();
  const freya = fakeDestination();
  freya.before = (step) => {
    if (step === "put") throw aFailure("unreachable");
  };
  const real = createSystem();
  const removing = Promise.withResolvers<void>();
  const slow = Promise.withResolvers<void>();
  const removed: string[] = [];
  const system = {
    ...real,
    async remove(path: string) {
      if (path.startsWith(folder.at("data"))) {
        removed.push(path);
        removing.resolve();
        await slow.promise;
      }
      await real.remove(path);
    },
  };
  const all = pipelinesOn(folder, ledger, ({ name }) => (name === "nas" ? nas : freya).method, { system });
  const one = [aDestination()];
  const both = [aDestination(), aDestination({ name: "freya" })];
  // First without removal, so that both files are candidates of one pass.
  await all.adopt(settingsOf(folder, [aJob(folder.at("data"), { destinations: one })]));
  await until(() => ledger.counts().delivered === 2, "both delivered");
  await all.adopt(settingsOf(folder, [aJob(folder.at("data"), { destinations: one, deleteSource: true })]));
  await removing.promise;
  // The first one is being removed; now a destination is added.
  const adopting = all.adopt(settingsOf(folder, [aJob(folder.at("data"), { destinations: both, deleteSource: true })]));
  await new Promise((resolve) => setTimeout(resolve, 500));
  slow.resolve();
  await adopting;
  await until(() => ledger.counts("spring", "freya").queued + ledger.counts("spring", "freya").deferred >= 1, "waits for freya");
  const left = (await Array.fromAsync(Deno.readDir(folder.at("data")))).map(({ name }) => name);
  await all.stop();
  assertEquals([left.length, removed.length], [1, 1]);
});

Deno.test("adopt() starts a changed job anew while another one has not ended yet", async () => {
  await using folder = await tempFolder();
  await folder.write("slow/a.fits", "alpha");
  await Deno.mkdir(folder.at("quick"));
  using ledger = openLedger(folder.at("state"));
  const [slow, quick] = [fakeDestination(), fakeDestination()];
  const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  slow.before = async (step) => {
    if (step !== "put") return;
    begun.resolve();
    await goOn.promise;
  };
  const all = pipelinesOn(folder, ledger, ({ job }) => (job === "slow" ? slow : quick).method);
  const jobs = (retryDelayMs: number) =>
    ["slow", "quick"].map((name) =>
      aJob(folder.at(name), { name, destinations: [aDestination({ job: name, retryDelayMs })], minFileAgeMs: 0 })
    );
  const settings = (retryDelayMs: number) => ({ ...settingsOf(folder, jobs(retryDelayMs)), shutdownTimeoutMs: 600_000 });
  await all.adopt(settings(1000));
  await begun.promise;
  const adopting = all.adopt(settings(2000));
  await folder.write("quick/b.fits", "beta");
  await until(() => ledger.counts("quick").delivered === 1, "the quick one delivers");
  assertEquals(ledger.counts("slow").delivered, 0);
  goOn.resolve();
  await adopting;
  await until(() => ledger.counts("slow").delivered === 1, "the slow one delivers");
  await all.stop();
});

Deno.test("adopt() gives transfers the time they began with, not the shorter one of the new configuration", async () => {
  await using folder = await tempFolder();
  await folder.write("data/a.fits", "alpha");
  using ledger = openLedger(folder.at("state"));
  const nas = fakeDestination();
  const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let puts = 0;
  nas.before = async (step) => {
    if (step !== "put") return;
    puts += 1;
    begun.resolve();
    await goOn.promise;
  };
  const clock = createFakeClock({ realFiles: true, startMs: Date.now() });
  const events: NewEvent[] = [];
  const all = pipelinesOn(folder, ledger, () => nas.method, {
    system: { ...createSystem(), ...clock },
    emit: (event) => void events.push(event),
  });
  const settings = (shutdownTimeoutMs: number) => ({
    ...settingsOf(folder, [aJob(folder.at("data"), { minFileAgeMs: 0, watchMode: "poll" })]),
    shutdownTimeoutMs,
  });
  let isBegun = false;
  void begun.promise.then(() => isBegun = true);
  await all.adopt(settings(600_000));
  const turn = async (ms: number) => {
    await clock.advance(ms);
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  for (let turns = 0; !isBegun && turns < 4000; turns++) await turn(100);
  const adopting = all.adopt(settings(1_000));
  for (let turns = 0; turns < 60; turns++) await turn(1000);
  goOn.resolve();
  let adopted = false;
  void adopting.then(() => adopted = true);
  for (let turns = 0; !adopted && turns < 4000; turns++) await turn(100);
  const abandoned = events.filter((event) => event.type === "notice" && event.message.includes("Abandoning"));
  let stopped = false;
  const stopping = all.stop().then(() => stopped = true);
  for (let turns = 0; !stopped && turns < 4000; turns++) await turn(1000);
  await stopping;
  assertEquals([abandoned, puts], [[], 1]);
});

Deno.test("adopt() goes on with a run that it interrupts: what a person asked for is not left lying", async () => {
  await using folder = await tempFolder();
  const names = Array.from({ length: 8 }, (_, index) => `${index}.fits`);
  for (const name of names) await folder.write(`data/${name}`, name);
  using ledger = openLedger(folder.at("state"));
  const fake = fakeDestination();
  const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  fake.before = async (step) => {
    if (step !== "put") return;
    begun.resolve();
    await goOn.promise;
  };
  const all = pipelinesOn(folder, ledger, () => fake.method);
  const settings = (minFileAgeMs: number) => {
    const job = aJob(folder.at("data"), { schedule: { kind: "manual" }, minFileAgeMs });
    return { ...settingsOf(folder, [job]), syncQueueSize: 1, shutdownTimeoutMs: 600_000 };
  };
  const queued = () => ledger.counts().queued + ledger.counts().sending;
  await all.adopt(settings(0));
  await until(() => queued() === names.length, "all are queued");
  all.list()[0]!.sendNow();
  await begun.promise;
  const adopting = all.adopt(settings(1));
  goOn.resolve();
  await adopting;
  await until(() => ledger.counts().delivered === names.length, "the rest is sent as well");
  await all.stop();
});

Deno.test("adopt() keeps an audit in mind that a person has asked for", async () => {
  await using folder = await tempFolder();
  await Deno.mkdir(folder.at("data"));
  using ledger = openLedger(folder.at("state"));
  const all = pipelinesOn(folder, ledger, () => fakeDestination().method);
  const settings = (minFileAgeMs: number) => {
    const audit = { everyMs: 2_592_000_000, share: 1, repair: false };
    const job = { schedule: { kind: "manual" as const }, minFileAgeMs, destinations: [aDestination({ audit })] };
    return settingsOf(folder, [aJob(folder.at("data"), job)]);
  };
  await all.adopt(settings(0));
  const owed = () => all.outboxes().map((box) => box.owesAudit());
  assertEquals(owed(), [false]);
  all.outboxes()[0]!.audit();
  await all.adopt(settings(1));
  assertEquals(owed(), [true]);
  await all.stop();
});

Deno.test("a source stays until the other jobs that watch it have delivered it as well", async () => {
  await using folder = await tempFolder();
  await folder.write("data/night/a.fits", "alpha");
  using ledger = openLedger(folder.at("state"));
  const [quick, slow] = [fakeDestination(), fakeDestination()];
  const goOn = Promise.withResolvers<void>();
  slow.before = async (step) => {
    if (step === "put") await goOn.promise;
  };
  const removed: string[] = [];
  const all = pipelinesOn(folder, ledger, ({ job }) => (job === "slow" ? slow : quick).method, {
    emit: (event) => {
      if (event.type === "removed_source") removed.push(event.path);
    },
  });
  const job = (name: string, changes: Partial<Job>) =>
    aJob(folder.at("data"), { name, destinations: [aDestination({ job: name })], minFileAgeMs: 0, ...changes });
  await all.adopt(settingsOf(folder, [
    job("quick", { deleteSource: true, filePatterns: ["*.fits", "*.xisf"] }),
    job("slow", { watchPath: folder.at("data/night") }),
  ]));
  await until(() => ledger.counts("quick").delivered === 1, "delivered by the one job");
  // The other job does not want this one, which is removed after all that may be removed of those before.
  await folder.write("data/night/b.xisf", "beta!");
  await until(() => removed.includes("night/b.xisf"), "removed");
  assertEquals(removed, ["night/b.xisf"]);
  goOn.resolve();
  await until(() => ledger.counts("slow").delivered + ledger.counts("slow").failed === 1, "delivered by the other one, too");
  assertEquals(ledger.counts("slow").delivered, 1);
  await until(() => removed.length === 2, "removed");
  await all.stop();
});
