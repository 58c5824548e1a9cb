import { assert, assertEquals } from "@std/assert";
import type { Job } from "../../src/domain/job.ts";
import type { Settings } from "../../src/domain/settings.ts";
import type { Happening } from "../../src/domain/transfer_event.ts";
import { openLedger } from "../../src/ledger/open_ledger.ts";
import { corridors } from "../../src/pipeline/corridors.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { aFailure, fakeDestination } from "../support/fake_method.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { aDestination, aJob } from "./outbox_rig.ts";

/** The settings of these jobs. */
function settingsOf(folder: TempFolder, jobs: readonly Job[]): Settings {
  return {
    file: null,
    jobs,
    stateDirectory: folder.at("state"),
    pidFile: null,
    autoReload: false,
    shutdownTimeoutMs: 20_000,
    maxConcurrentSyncs: 4,
    maxFileOperations: 8,
    syncQueueSize: 10,
    log: { level: "info", directory: "", file: "", maxBytes: 0, backupCount: 0, format: "text" },
    web: null,
    report: null,
  };
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
  const all = corridors({
    system: createSystem(),
    ledger,
    tell: () => {},
    methodOf: ({ user }) => (user === "guest" ? refused : works).method,
    once: false,
    workFolder: folder.at("work"),
    spoolFolder: folder.at("work"),
    broken: () => {},
  });
  const job = (name: string, user: string) =>
    aJob(folder.at(name), { name, destinations: [aDestination({ job: name, method: "sftp", host: "nas", user })] });
  await all.adopt(settingsOf(folder, [job("a", "guest")]));
  const isHeld = () => all.outboxes()[0]?.state().state === "on_hold";
  while (!isHeld()) await new Promise((resolve) => setTimeout(resolve, 5));
  await all.adopt(settingsOf(folder, [job("a", "guest"), job("b", "observer")]));
  while (ledger.counts("b").delivered === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert(isHeld());
  assertEquals(works.texts(), { "b.fits": "beta" });
  await all.stop();
});

Deno.test("stop() comes to an end although a dead network disk never answers", async () => {
  await using folder = await tempFolder();
  await folder.write("data/a.fits", "alpha");
  const clock = createFakeClock({ startMs: Date.now() });
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
  const events: Happening[] = [];
  const all = corridors({
    system,
    ledger,
    tell: (happening) => void events.push(happening),
    methodOf: () => fakeDestination().method,
    once: false,
    workFolder: folder.at("work"),
    spoolFolder: folder.at("work"),
    broken: () => {},
  });
  await all.adopt(settingsOf(folder, [aJob(folder.at("data"), { watchMode: "poll" })]));
  let hangs = false;
  void asked.promise.then(() => hangs = true);
  const turn = async (ms: number) => {
    await clock.advance(ms);
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  for (let turns = 0; !hangs && turns < 400; turns++) await turn(100);
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
  const all = corridors({
    system: createSystem(),
    ledger,
    tell: () => {},
    methodOf: () => fake.method,
    once: false,
    workFolder: folder.at("work"),
    spoolFolder: folder.at("work"),
    broken: () => {},
  });
  await all.adopt(settingsOf(folder, [aJob(folder.at("a"), { name: "a", destinations: [aDestination({ job: "a" })] })]));
  await proven.promise;
  // Some systems tell the time of the last change in whole seconds.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await Deno.writeTextFile(source, "omega");
  await Deno.utime(source, mtime!, mtime!);
  const [corridor] = all.list();
  while (ledger.query({})[0]?.sha256 === null) {
    await corridor!.intake.scanNow();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  rewritten.resolve();
  while (ledger.counts().delivered < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(fake.texts()["a.fits"], "omega");
  await all.stop();
});
