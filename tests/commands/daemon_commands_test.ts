/** The commands that talk to a daemon, over the real control channel. */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { parseSettings } from "../../src/config/read/parse_settings.ts";
import { Failure, failureRecord } from "../../src/domain/failure.ts";
import { openLedger, readLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";
import { type StatusParts, statusReport } from "../../src/reports/overview/status_report.ts";
import { aClaim, aFailure, anAdmission, broken, deliveryOf, later, NOW, proven } from "../ledger/makers.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { called, springConfig, testTools } from "../support/tools.ts";
import { aWaiting, fakeDaemon, STATUS } from "../web/fake_daemon.ts";

async function observatory(): Promise<TempFolder> {
  const dir = await tempFolder();
  await dir.write("c.yaml", springConfig(dir));
  await Deno.mkdir(dir.at("state"));
  return dir;
}

function image_transfer(dir: TempFolder, ...words: string[]) {
  return image_transfer_with({}, dir, ...words);
}

async function image_transfer_with(system: Partial<System>, dir: TempFolder, ...words: string[]) {
  const env = (name: string) => name === "USER" ? "ann" : undefined;
  const tools = testTools(dir.path, { system: { env, now: () => NOW, ...system } });
  return await called([...words, "-c", "c.yaml"], tools);
}

Deno.test("status prints what the daemon says, as JSON in the promised shape", async () => {
  await using dir = await observatory();
  await using _daemon = await fakeDaemon(dir.at("state"));
  const { code, stdout, stderr } = await image_transfer(dir, "status", "--json");
  assertEquals([code, stderr], [0, ""]);
  assertEquals(JSON.parse(stdout), {
    running: true,
    all_well: true,
    headline: { level: "busy", text: "5 older deliveries are in progress", advice: "" },
    pid: Deno.pid,
    version: "0.1.0",
    started_at: "2024-05-18T01:02:03.000Z",
    url: "http://127.0.0.1:9090/",
    configuration: "/home/ann/config.yaml",
    jobs: [{
      name: "spring",
      watch_path: "/data/images",
      watching: true,
      next_run: null,
      last_image: null,
      usual_interval_seconds: null,
      silent: false,
      files_waiting: 2,
      incomplete: 0,
      rejected: 0,
      not_sent: [],
      unmatched: null,
    }],
    destinations: [{
      name: "freya",
      job: "spring",
      method: "rsync",
      state: "open",
      reason: null,
      free_bytes: 5e12,
      queued: 4,
      sending: 1,
      deferred: 0,
      delivered: 12,
      failed: 0,
    }],
    deliveries: { queued: 4, sending: 1, deferred: 0, delivered: 12, failed: 0 },
  });
});

const [SPRING] = STATUS.jobs;
const [FREYA] = STATUS.destinations;
const HELD = aWaiting("a.fits", { reason: "incomplete", detail: "3 of 5 bytes written" });

for (
  const [what, changes] of [
    ["nothing", {}],
    ["a folder that is not watched", { jobs: [{ ...SPRING!, how: null, failure: aFailure("permission_denied") }] }],
    ["an incomplete file", { jobs: [{ ...SPRING!, waiting: [HELD] }] }],
    ["a rejected file", { jobs: [{ ...SPRING!, waiting: [{ ...HELD, reason: "refused" }] }] }],
    ["patterns that match nothing", { jobs: [{ ...SPRING!, unmatched: { files: 1, example: "a.nef" } }] }],
    ["a destination on hold", {
      destinations: [{ ...FREYA!, state: { state: "on_hold", failure: aFailure("disk_full"), until: 0 } }],
    }],
    ["a destination that is away", {
      destinations: [{ ...FREYA!, state: { state: "backing_off", failure: aFailure("unreachable"), until: 0 } }],
    }],
    ["a paused destination", { destinations: [{ ...FREYA!, state: { state: "paused", by: "ann" } }] }],
    ["a failed delivery", {
      destinations: [{ ...FREYA!, counts: { ...STATUS.counts, failed: 1 } }],
      counts: { ...STATUS.counts, failed: 1 },
    }],
  ] as readonly (readonly [string, Partial<StatusParts>])[]
) {
  const isWell = what === "nothing";
  Deno.test(`status --check exits ${isWell ? 0 : 1} for ${what}, and the first line agrees`, async () => {
    await using dir = await observatory();
    await using _daemon = await fakeDaemon(dir.at("state"), { status: () => statusReport({ ...STATUS, ...changes }) });
    const { code, stdout } = await image_transfer(dir, "status", "--check");
    assertEquals([code, stdout.startsWith("All is well")], [isWell ? 0 : 1, isWell]);
    assertEquals((await image_transfer(dir, "status")).code, 0);
    const json = await image_transfer(dir, "status", "--check", "--json");
    assertEquals([json.code, JSON.parse(json.stdout).all_well], [isWell ? 0 : 1, isWell]);
  });
}

Deno.test("status without a daemon calls nothing sent that a killed one had in hand; --check exits 4", async () => {
  await using dir = await observatory();
  {
    using ledger = openLedger(dir.at("state"));
    ledger.admit([anAdmission("a"), anAdmission("b"), anAdmission("c", {}, ["tiny"])], NOW);
    ledger.claim(aClaim({ maxFiles: 1 }));
    ledger.claim(aClaim({ destination: "tiny" }));
  }
  const { code, stdout } = await image_transfer(dir, "status", "--json", "--check");
  assertEquals(code, 4);
  const report = JSON.parse(stdout);
  assertEquals(report.deliveries, { queued: 3, sending: 0, deferred: 0, delivered: 0, failed: 0 });
  assertEquals(report.jobs[0].rejected, null);
  const [freya, nas] = report.destinations;
  assertEquals([freya.name, freya.job, freya.queued, freya.sending, nas.queued], ["freya", "spring", 2, 0, 0]);
  const text = (await image_transfer(dir, "status")).stdout;
  assertStringIncludes(text, "2 deliveries pending");
  assertStringIncludes(text, "0 delivered, 0 being sent, 2 queued, 0 failed\n");
  assertMatch(text, /freya .* 2 waiting/);
});

Deno.test("status without a daemon is honest: exit 4, what the ledger knows, and running false", async () => {
  await using dir = await observatory();
  {
    using ledger = openLedger(dir.at("state"));
    ledger.admit([anAdmission("a"), anAdmission("b")], NOW);
    ledger.record([proven(deliveryOf(ledger, "a"))], NOW);
    ledger.setPaused("nas", "ann");
  }
  const { code, stdout, stderr } = await image_transfer(dir, "status", "--json");
  assertEquals(code, 4);
  assertStringIncludes(stderr, "No daemon is running");
  const report = JSON.parse(stdout);
  assertEquals([report.running, report.pid, report.started_at, report.url], [false, null, null, null]);
  assertEquals(report.deliveries, { queued: 1, sending: 0, deferred: 0, delivered: 1, failed: 0 });
  assertEquals(report.destinations.map((one: Record<string, unknown>) => [one["name"], one["state"], one["reason"]]), [
    ["freya", "unknown", null],
    ["nas", "paused", "paused by ann"],
  ]);
  const text = await image_transfer(dir, "status");
  assertStringIncludes(text.stdout, "NOT RUNNING. Nothing is watched and nothing is sent. 1 delivery pending");
});

Deno.test("status before anything was ever recorded makes no ledger", async () => {
  await using dir = await observatory();
  assertEquals((await image_transfer(dir, "status")).code, 4);
  assertEquals((await image_transfer(dir, "history")).code, 0);
  assertEquals(await Array.fromAsync(Deno.readDir(dir.at("state"))), []);
});

Deno.test("status says first whether all is well, and escapes what comes from outside", async () => {
  await using dir = await observatory();
  const failure = aFailure("disk_full");
  const trouble = statusReport({
    ...STATUS,
    jobs: [{
      ...STATUS.jobs[0]!,
      job: { ...STATUS.jobs[0]!.job, watchPath: "/data/\x1b[31mred" },
      how: null,
      failure: aFailure("permission_denied"),
      waiting: [],
    }],
    destinations: [
      ...STATUS.destinations,
      {
        ...STATUS.destinations[0]!,
        destination: { name: "n\nas", job: "spring" },
        method: "local",
        state: { state: "on_hold", failure, until: NOW },
        freeBytes: 0,
        counts: { queued: 2, sending: 0, deferred: 1, delivered: 0, failed: 3 },
      },
    ],
    counts: { ...STATUS.counts, failed: 3 },
  });
  const running = [{
    job: "spring",
    destination: "freya",
    files: 2,
    bytes: 5e6,
    total: 1e7,
    bytesPerSecond: 1e6,
    path: "a\u202e.fits",
  }];
  await using _daemon = await fakeDaemon(dir.at("state"), {
    status: () => trouble,
    live: () => ({ running, oldestWaiting: NOW - 125_000, orphans: [] }),
  });
  const { stdout } = await image_transfer(dir, "status");
  // Of what is not watched nobody knows what it is.
  assertEquals(stdout.split("\n").slice(0, 6), [
    "TROUBLE: The folder of spring is not watched. New images there are not noticed.",
    "Check the folder and its drive: Trouble and image-transfer status give the",
    "reason.",
    "",
    "  In total: 3 files failed; n\\nas is unavailable; spring is not watched; 5",
    "      deliveries pending, the oldest for 2 min.",
  ]);
  assertStringIncludes(stdout, "ON HOLD");
  assertStringIncludes(stdout, `Cannot send "a.fits" to freya: disk_full. Do something.`);
  assertStringIncludes(stdout, "sending to freya: 5 MB of 10 MB in 2 files, 1 MB/s  a\\u202e.fits");
  assertStringIncludes(stdout, "image-transfer retry --all");
  // deno-lint-ignore no-control-regex -- that none is printed is the promise
  assert(!/[\x00-\x09\x0b-\x1f\x7f\u202e]/.test(stdout));
});

for (
  const [nextRun, said, headline] of [
    [NOW + 1000, "wait for the schedule", "waiting for the schedule"],
    [null, "wait until you run: image-transfer sync", "waiting until you start them (schedule: manual)"],
  ] as const
) {
  Deno.test(`status says that deliveries ${said}`, async () => {
    await using dir = await observatory();
    const report = statusReport({
      ...STATUS,
      jobs: STATUS.jobs.map((one) => ({ ...one, nextRun, waiting: [] })),
      destinations: STATUS.destinations.map((one) => ({ ...one, state: { state: "closed", until: nextRun } })),
    });
    await using _daemon = await fakeDaemon(dir.at("state"), { status: () => report });
    const { stdout } = await image_transfer(dir, "status");
    assertStringIncludes(stdout, `All is well: 5 deliveries ${said}.`);
    assertStringIncludes(report.headline?.text ?? "", headline);
  });
}

Deno.test("resume names apart what is still unavailable", async () => {
  await using dir = await observatory();
  await using _daemon = await fakeDaemon(dir.at("state"), {
    resume: () => ({ destinations: ["nas"], retrying: ["freya"], undecided: [] }),
  });
  const { stderr } = await image_transfer(dir, "resume");
  assertEquals(stderr, "Resumed: nas. Retrying now, still unavailable: freya.\n");
  const json = await image_transfer(dir, "resume", "--json");
  assertEquals(JSON.parse(json.stdout), { resumed: ["nas"], retrying: ["freya"] });
});

Deno.test("status says why a folder is not watched, in its JSON too", async () => {
  await using dir = await observatory();
  const failure = failureRecord(new Failure("source_gone", 'Cannot watch "/data": it\n is gone', { hint: "Mount it." }));
  const report = statusReport({ ...STATUS, jobs: STATUS.jobs.map((one) => ({ ...one, how: null, failure })) });
  await using _daemon = await fakeDaemon(dir.at("state"), { status: () => report });
  const { stdout } = await image_transfer(dir, "status");
  assertStringIncludes(stdout, "spring CANNOT WATCH /data/images");
  assertStringIncludes(stdout, '\n      Cannot watch "/data": it\\n is gone. Mount it.\n');
  const json = JSON.parse((await image_transfer(dir, "status", "--json")).stdout);
  assertEquals([json.jobs[0].watching, json.jobs[0].reason], [false, 'Cannot watch "/data": it\n is gone. Mount it.']);
});

Deno.test("status says where no file matches the patterns of a job", async () => {
  await using dir = await observatory();
  const idle = statusReport({
    ...STATUS,
    jobs: STATUS.jobs.map((one) => ({ ...one, waiting: [], unmatched: { files: 12, example: "m31/a\u202e.nef" } })),
    counts: { queued: 0, sending: 0, deferred: 0, delivered: 0, failed: 0 },
  });
  await using _daemon = await fakeDaemon(dir.at("state"), { status: () => idle });
  const { stdout } = await image_transfer(dir, "status");
  assertEquals(stdout.split("\n")[0], "CHECK THE PATTERNS: None of the files of spring matches the patterns.");
  assertStringIncludes(
    stdout.replaceAll(/\n {6}/g, " "),
    'spring watches /data/images none of the 12 files there matches the patterns of this job, for example "m31/a\\u202e.nef": ' +
      "check file_patterns",
  );
});

Deno.test("status names the files that are not sent, in its JSON too, and says each destination's name once", async () => {
  await using dir = await observatory();
  const paused = { ...STATUS.destinations[0]!, state: { state: "paused", by: "a command" } } as const;
  const report = statusReport({
    ...STATUS,
    destinations: [paused, paused],
    jobs: [{
      ...STATUS.jobs[0]!,
      job: { ...STATUS.jobs[0]!.job, watchPath: dir.path },
      waiting: [
        aWaiting("a b.fits", {
          reason: "incomplete",
          detail: "the primary HDU declares 5 bytes, 3 are there",
          hint: "Remove it.",
        }),
        aWaiting("c.fits", { reason: "refused", size: 9, detail: 'Cannot read "c.fits": Permission denied' }),
        ...["d.fits", "e.fits", "f.fits"].map((path) => aWaiting(path)),
      ],
    }],
  });
  await using _daemon = await fakeDaemon(dir.at("state"), { status: () => report });
  const { stdout } = await image_transfer_with({ columns: () => 200 }, dir, "status");
  assertStringIncludes(stdout, "paused by a command; resume it with image-transfer resume freya");
  // Each is counted once: the other two are named below.
  assertStringIncludes(stdout, "(3 files not finished yet)");
  assertMatch(stdout, /^TROUBLE: freya is paused by a command\. .*\nResume it to send files again\.\n/);
  assertStringIncludes(stdout, "  In total: 1 file is incomplete; 1 file was rejected; freya is paused; 5 deliveries pending.\n");
  assertStringIncludes(
    stdout,
    `  NOT SENT (incomplete): "${dir.at("a b.fits")}"\n      the primary HDU declares 5 bytes, 3 are there\n      Remove it.\n`,
  );
  assertStringIncludes(stdout, `  NOT SENT (rejected): ${dir.at("c.fits")}\n      cannot read it: Permission denied\n`);
  const [job] = JSON.parse((await image_transfer(dir, "status", "--json")).stdout).jobs;
  assertEquals([job.incomplete, job.rejected], [1, 1]);
  assertEquals(job.not_sent[1], {
    path: dir.at("c.fits"),
    reason: "rejected",
    size: 9,
    message: 'Cannot read "c.fits": Permission denied',
    hint: "",
  });
});

Deno.test("status counts what waits for removed destinations apart, with the two ways out", async () => {
  await using dir = await observatory();
  const counts = { queued: 3, sending: 0, deferred: 1, delivered: 5, failed: 2 };
  const report = statusReport({ ...STATUS, counts: { queued: 4, sending: 0, deferred: 1, delivered: 12, failed: 2 } });
  await using _daemon = await fakeDaemon(dir.at("state"), {
    status: () => report,
    live: () => ({
      running: [],
      oldestWaiting: null,
      orphans: [{ job: "spring", destination: "tiny", counts }, {
        job: "old",
        destination: "freya",
        counts: { ...counts, failed: 0 },
      }],
    }),
  });
  const { stdout } = await image_transfer_with({ columns: () => 100 }, dir, "status");
  assertMatch(stdout, /^All is well: everything is delivered\.\n/);
  assertStringIncludes(stdout, "  12 delivered, 0 being sent, 0 queued, 0 failed\n");
  assertStringIncludes(
    stdout,
    `  10 waiting for destinations that are no longer configured: tiny (6, 2 of them failed), freya of
      job old (4). Put the destination back into the configuration to resume, or give them up:
      image-transfer forget tiny
`,
  );
});

Deno.test("forget gives up what waits for a removed destination: in the ledger, or by the daemon", async () => {
  await using dir = await observatory();
  {
    using ledger = openLedger(dir.at("state"));
    ledger.admit([anAdmission("a", {}, ["tiny"]), anAdmission("b", {}, ["tiny", "nas"])], NOW);
  }
  assertStringIncludes((await image_transfer(dir, "status")).stdout, "2 waiting for destinations that are no longer configured");
  assertMatch((await image_transfer(dir, "status")).stdout, /^NOT RUNNING\..* 1 delivery pending/);
  await assertRejects(() => image_transfer(dir, "forget", "nas"), Failure, 'Cannot forget "nas": it is still configured');
  const forgotten = await image_transfer(dir, "forget", "tiny");
  assertEquals([forgotten.code, forgotten.stderr], [0, "2 deliveries to tiny were given up.\n"]);
  await assertRejects(() => image_transfer(dir, "forget", "tiny"), Failure, 'No deliveries are waiting for a destination "tiny"');
  assert(!(await image_transfer(dir, "status")).stdout.includes("no longer configured"));
  await using daemon = await fakeDaemon(dir.at("state"));
  assertEquals((await image_transfer(dir, "forget", "wrong")).stderr, "6 deliveries to wrong were given up.\n");
  assertEquals(daemon.told, [["forget", "wrong"]]);
});

Deno.test('status where somebody holds the state directory and cannot be asked is a failure, not "no daemon"', async () => {
  await using dir = await observatory();
  await using _lock = (await testTools(dir.path).system.lock(dir.at("state", "lock")))!;
  let now = 0;
  const quick = { monotonic: () => now, sleep: (ms: number) => Promise.resolve(void (now += ms)) };
  await assertRejects(() => image_transfer_with(quick, dir, "status"), Failure, "is not responding");
});

for (const words of [["stop"], ["reload"], ["sync"]]) {
  Deno.test(`${words.join(" ")} without a daemon says so and exits 4`, async () => {
    await using dir = await observatory();
    const { code, stdout, stderr } = await image_transfer(dir, ...words);
    assertEquals([code, stdout], [4, ""]);
    assertStringIncludes(stderr, `No daemon is running with the state directory "${dir.at("state")}"`);
  });
}

Deno.test("stop ends the daemon and waits for it", async () => {
  await using dir = await observatory();
  await using daemon = await fakeDaemon(dir.at("state"));
  const { code, stderr } = await image_transfer(dir, "stop");
  assertEquals([code, stderr], [0, `Stopped (process ${Deno.pid}).\n`]);
  assertEquals(daemon.told.length, 1);
  assertEquals((await image_transfer(dir, "stop")).code, 4);
});

Deno.test("reload passes on what the daemon says; a refused configuration exits 2", async () => {
  await using dir = await observatory();
  let ok = true;
  await using _daemon = await fakeDaemon(dir.at("state"), {
    reload: () => Promise.resolve({ ok, message: ok ? "Configuration reloaded" : 'c.yaml:3:1: unknown key "x"' }),
  });
  assertEquals((await image_transfer(dir, "reload")).code, 0);
  ok = false;
  const { code, stderr } = await image_transfer(dir, "reload");
  assertEquals([code, stderr], [2, 'c.yaml:3:1: unknown key "x"\nThe daemon is keeping its current configuration.\n']);
});

Deno.test("reload says what the daemon waits for", async () => {
  await using dir = await observatory();
  const asked = Promise.withResolvers<void>();
  let looks = 0;
  const spring = {
    job: "spring",
    destination: "freya",
    files: 3,
    bytes: 12_000_000,
    total: 150_000_000,
    bytesPerSecond: 1,
    path: "a",
  };
  await using _daemon = await fakeDaemon(dir.at("state"), {
    reload: async () => {
      await asked.promise;
      return { ok: true, message: "Configuration reloaded" };
    },
    live: () => {
      // It looks again only when it has said what it saw.
      if (++looks === 2) asked.resolve();
      return { running: [spring], ending: [spring], oldestWaiting: null, orphans: [] };
    },
  });
  const { code, stderr } = await image_transfer(dir, "reload");
  assertEquals([code, stderr], [
    0,
    "Reloading: waiting for 3 files to finish, 12 MB of 150 MB\nConfiguration reloaded\n",
  ]);
});

Deno.test("sync names the jobs that it scans", async () => {
  await using dir = await observatory();
  const settings = parseSettings(springConfig(dir), "c.yaml", "yaml", testTools(dir.path).system);
  await using daemon = await fakeDaemon(dir.at("state"), { settings: () => settings });
  assertEquals((await image_transfer(dir, "sync")).stderr, "Scanning for new files: spring\n");
  assertEquals((await image_transfer(dir, "sync", "spring")).code, 0);
  assertEquals(daemon.told, [["sync", undefined], ["sync", "spring"]]);
});

Deno.test("retry, pause and resume are told to the daemon", async () => {
  await using dir = await observatory();
  {
    using ledger = openLedger(dir.at("state"));
    ledger.admit(["1", "2", "3", "4", "5"].map((name) => anAdmission(name)), NOW);
  }
  await using daemon = await fakeDaemon(dir.at("state"));
  assertEquals((await image_transfer(dir, "retry", "3", "5", "3")).stderr, "2 deliveries queued for retry.\n");
  assertEquals((await image_transfer(dir, "retry", "--all")).stderr, "7 deliveries queued for retry.\n");
  assertEquals((await image_transfer(dir, "pause", "nas")).code, 0);
  assertEquals((await image_transfer(dir, "resume")).code, 0);
  assertEquals(daemon.told, [["retry", [3, 5]], ["retry", null], ["pause", "nas", "ann"], ["resume", null, "ask"]]);
});

Deno.test("retry --all says that destinations which hold or are away are tried at once", async () => {
  await using dir = await observatory();
  const at = (name: string, state: StatusParts["destinations"][number]["state"]) => (
    { ...STATUS.destinations[0]!, destination: { name, job: "spring" }, method: "local", state } as const
  );
  const failure = aFailure("disk_full");
  await using _daemon = await fakeDaemon(dir.at("state"), {
    status: () =>
      statusReport({
        ...STATUS,
        destinations: [
          ...STATUS.destinations,
          at("nas", { state: "on_hold", failure, until: NOW }),
          at("tape", { state: "backing_off", failure, until: NOW }),
          at("usb", { state: "paused", by: "ann" }),
        ],
      }),
    retry: () => 0,
  });
  assertEquals(
    (await image_transfer(dir, "retry", "--all")).stderr,
    "0 deliveries queued for retry.\nChecking unavailable destinations again: nas, tape.\n",
  );
});

for (const words of [["retry", "--all"], ["audit", "--accept"]]) {
  Deno.test(`${words.join(" ")} without a configuration changes nothing, and leaves no ledger behind`, async () => {
    await using dir = await tempFolder();
    const tools = testTools(dir.path, { system: { home: dir.path, env: () => undefined } });
    await assertRejects(() => called(words, tools), Failure, "Nothing was changed: without a configuration");
    assertEquals(await Array.fromAsync(Deno.readDir(dir.path)), []);
  });
}

Deno.test("retry without a daemon works on the ledger", async () => {
  await using dir = await observatory();
  {
    using ledger = openLedger(dir.at("state"));
    const [a, b, c] = ledger.admit([anAdmission("a"), anAdmission("b"), anAdmission("c")], NOW);
    ledger.record([broken(a!), later(b!, NOW + 1e6), proven(c!)], NOW);
  }
  const { code, stderr } = await image_transfer(dir, "retry", "--all");
  assertEquals([code, stderr], [0, "1 delivery queued for retry; no daemon is running, so they are sent when one starts.\n"]);
  await assertRejects(
    () => image_transfer(dir, "retry", "2", "99", "98"),
    Failure,
    "Unknown delivery 99, 98; nothing was retried",
  );
  const some = await image_transfer(dir, "retry", "2", "3");
  assertEquals(some.code, 1);
  assertStringIncludes(some.stderr, "1 delivery queued for retry");
  assertStringIncludes(some.stderr, "The others are already delivered");
  const nothing = await image_transfer(dir, "retry", "3");
  assertEquals(nothing.code, 1);
  assertStringIncludes(nothing.stderr, "0 deliveries queued for retry.\n");
  using ledger = readLedger(dir.at("state"));
  assertEquals(ledger.counts(), { queued: 2, sending: 0, deferred: 0, delivered: 1, failed: 0 });
});

for (const words of [["retry"], ["retry", "--all", "3"]]) {
  Deno.test(`${words.join(" ")} is a mistake: exit 2`, async () => {
    await using dir = await observatory();
    assertEquals((await image_transfer(dir, ...words)).code, 2);
  });
}

for (const word of ["0", "x", "1.5"]) {
  Deno.test(`retry ${word}: nothing is called that`, async () => {
    await using dir = await observatory();
    const error = await assertRejects(() => image_transfer(dir, "retry", word), Failure);
    assertEquals(error.code, "configuration");
  });
}

Deno.test("pause and resume without a daemon are remembered in the ledger", async () => {
  await using dir = await observatory();
  assertEquals((await image_transfer(dir, "pause")).stderr.split(".")[0], "Paused: freya, nas");
  assertEquals((await image_transfer(dir, "resume", "nas")).code, 0);
  using ledger = readLedger(dir.at("state"));
  assertEquals([ledger.pausedBy("freya"), ledger.pausedBy("nas")], ["ann", null]);
  await assertRejects(() => image_transfer(dir, "pause", "nowhere"), Failure, 'Unknown destination "nowhere"');
});

/** As a Linux user with a service for this state directory. */
async function withService(dir: TempFolder): Promise<Partial<System>> {
  const mark = { program: "/p", copied: false, config: "/c", account: "ann", home: dir.path, state: dir.at("state"), log: "/l" };
  await dir.write(".config/systemd/user/image-transfer.service", `# image-transfer-service: ${JSON.stringify(mark)}\n`);
  const answer = { code: 0, signal: null, stdout: `ann:x:1000:1000::${dir.path}:/bin/sh\n`, stderr: "" };
  return { platform: "linux", uid: 1000, run: () => Promise.resolve(answer) };
}

Deno.test(
  "services that share a program: the last one to go takes it away",
  { ignore: Deno.build.os === "windows" },
  async () => {
    await using dir = await observatory();
    const executable = await dir.write("download/image-transfer", "program");
    const system = { ...await withService(dir), executable, compiled: true };
    await Deno.remove(dir.at(".config/systemd/user/image-transfer.service"));
    const program = dir.at(".local/bin/image-transfer");
    const call = async (words: readonly string[], run = system.run!) => {
      assertEquals((await called(words, testTools(dir.path, { system: { ...system, run } }))).code, 0);
    };
    for (const name of ["camera-a", "camera-b"]) {
      const state = dir.at(name);
      await dir.write(`${name}.yaml`, springConfig(dir).replace(dir.at("state"), state));
      await using ending = new AsyncDisposableStack();
      await call(["install-service", "--name", name, "-c", `${name}.yaml`], async (command, signal) => {
        if (command.args.includes("start")) ending.use(await fakeDaemon(state));
        return await system.run!(command, signal);
      });
    }
    const uninstall = (name: string) => call(["uninstall-service", "--name", name]);
    await uninstall("camera-a");
    assertEquals(await dir.read(".local/bin/image-transfer"), "program");
    await uninstall("camera-b");
    await assertRejects(() => Deno.lstat(program), Deno.errors.NotFound);
  },
);

Deno.test("uninstall-service --purge removes what launchd caught as well", { ignore: Deno.build.os === "windows" }, async () => {
  await using dir = await observatory();
  const log = await dir.write("logs/image_transfer.log", "x");
  const name = "com.observatory.imagetransfer";
  await dir.write(`logs/${name}.out.log`, "x");
  await dir.write(`logs/${name}.err.log`, "x");
  const mark = { program: "/p", copied: false, config: "/c", account: "ann", home: dir.path, state: dir.at("state"), log };
  await dir.write(`Library/LaunchAgents/${name}.plist`, `<!-- image-transfer-service: ${JSON.stringify(mark)} -->\n`);
  const answer = { code: 0, signal: null, stdout: `ann:x:1000:1000::0:0::${dir.path}:/bin/sh\n`, stderr: "" };
  const system: Partial<System> = { platform: "darwin", uid: 1000, run: () => Promise.resolve(answer) };
  assertEquals((await called(["uninstall-service", "--purge"], testTools(dir.path, { system }))).code, 0);
  await assertRejects(() => Deno.lstat(dir.at("logs")), Deno.errors.NotFound);
});

Deno.test("restart has launchd start the service: it leaves alone what ended without an error", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using dir = await observatory();
  await using ending = new AsyncDisposableStack();
  ending.use(await fakeDaemon(dir.at("state")));
  await withAgent(dir);
  const run: System["run"] = async ({ args }) => {
    if (args[0] === "kickstart") ending.use(await fakeDaemon(dir.at("state")));
    return answerFor(dir);
  };
  // Without the service it would run here for ever.
  const sleep: System["sleep"] = (ms, signal) =>
    ms === 500 ? Promise.reject(new Error("nobody starts it")) : createSystem().sleep(ms, signal);
  const { code, stderr } = await image_transfer_with({ platform: "darwin", uid: 1000, run, sleep }, dir, "restart");
  assertEquals(code, 0);
  assertMatch(stderr, /Restarted \(process \d+\)\.\n$/);
});

Deno.test("restart runs here where launchd may not be asked, and says how to start the service", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using dir = await observatory();
  await using _first = await fakeDaemon(dir.at("state"));
  await withAgent(dir);
  const refused = { ...answerFor(dir), code: 1, stdout: "", stderr: "Operation not permitted" };
  const run: System["run"] = ({ args }) => Promise.resolve(args[0] === "kickstart" ? refused : answerFor(dir));
  const env = (name: string) => name === "USER" ? "ann" : undefined;
  const stderr = await restartedHere({ platform: "darwin", uid: 1000, env, run }, dir);
  assertMatch(
    stderr,
    /^Stopped \(process \d+\)\.\nCannot run "launchctl kickstart .*: Operation not permitted\. Run as root: sudo launchctl kickstart/,
  );
  assertMatch(stderr, /\nThe service did not start it: running here now\.\n/);
});

Deno.test("restart waits for the service, and says who runs again when it took over", async () => {
  await using dir = await observatory();
  let again: Awaited<ReturnType<typeof fakeDaemon>> | undefined;
  await using first = await fakeDaemon(dir.at("state"));
  const restarted = image_transfer_with(await withService(dir), dir, "restart");
  while (again === undefined) {
    if (first.told.length > 0) again = await fakeDaemon(dir.at("state")).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { code, stderr } = await restarted;
  await again[Symbol.asyncDispose]();
  assertEquals(code, 0);
  assertMatch(
    stderr,
    /^Stopped \(process \d+\)\.\nWaiting for image-transfer\.service to start it again \(at most 20 s\) …\nRestarted \(process \d+\)\.\n$/,
  );
});

Deno.test("restart waits for nobody where no service is installed: it runs here at once", async () => {
  await using dir = await observatory();
  await using _first = await fakeDaemon(dir.at("state"));
  const stderr = await restartedHere({}, dir);
  assertMatch(stderr, /^Stopped \(process \d+\)\.\nNot installed as a service: running here now\.\n/);
});

/** What `restart` says until it runs here, which ends at once. */
async function restartedHere(system: Partial<System>, dir: TempFolder): Promise<string> {
  const end = new AbortController();
  const given = testTools(dir.path, { system });
  const stderr = (text: string) => {
    given.stderr(text);
    if (text.includes("running here now")) end.abort();
  };
  const tools = { ...given, stderr, signal: end.signal };
  await called(["restart", "-c", "c.yaml"], tools);
  return given.printed.stderr;
}

/** As if it were installed with launchd for the account `ann`, whose home is this folder. */
async function withAgent(dir: TempFolder): Promise<void> {
  const mark = { program: "/p", copied: false, config: "/c", account: "ann", home: dir.path, state: dir.at("state"), log: "/l" };
  const text = `<!-- image-transfer-service: ${JSON.stringify(mark)} -->\n`;
  await dir.write("Library/LaunchAgents/com.observatory.imagetransfer.plist", text);
}

/** How `getent` and the others answer. */
function answerFor(dir: TempFolder) {
  return { code: 0, signal: null, stdout: `ann:x:1000:1000::0:0::${dir.path}:/bin/sh\n`, stderr: "" };
}

for (
  const { says, code, told } of [
    { says: ["yes"], code: 0, told: "send_again" },
    { says: ["no"], code: 0, told: "keep" },
    { says: [""], code: 2, told: null },
    { says: null, code: 2, told: null },
  ]
) {
  Deno.test(`resume asks what becomes of the files of a former disk: ${says === null ? "nobody is there" : `"${says[0]}"`}`, async () => {
    await using dir = await observatory();
    await using daemon = await fakeDaemon(dir.at("state"), {
      resume(destination, former) {
        daemon.told.push([destination, former]);
        return { destinations: ["nas"], retrying: [], undecided: former === "ask" ? [{ destination: "nas", images: 220 }] : [] };
      },
    });
    const tools = testTools(dir.path, says === null ? {} : { answers: says });
    assertEquals((await called(["resume", "nas", "-c", "c.yaml"], tools)).code, code);
    assertStringIncludes(tools.printed.stderr, "220 images were delivered to the former disk or folder of nas");
    assertEquals(daemon.told, [["nas", "ask"], ...told === null ? [] : [["nas", told]]]);
    if (told === null) assertStringIncludes(tools.printed.stderr, "image-transfer resume nas --keep");
  });
}

Deno.test("status says where the folder of a destination was made", async () => {
  await using dir = await observatory();
  const [freya] = STATUS.destinations;
  const report = statusReport({ ...STATUS, destinations: [{ ...freya!, made: true }] });
  await using _daemon = await fakeDaemon(dir.at("state"), { status: () => report });
  const { stdout } = await image_transfer(dir, "status");
  const line = "its folder did not exist and was created; if that is a mistake, correct remote_base_path";
  assertStringIncludes(stdout.replaceAll(/\s+/g, " "), line);
});

Deno.test("pause, resume, retry, reload, forget and sync say what they did as JSON for programs", async () => {
  await using dir = await observatory();
  assertEquals(JSON.parse((await image_transfer(dir, "pause", "nas", "--json")).stdout), { paused: ["nas"] });
  assertEquals(JSON.parse((await image_transfer(dir, "resume", "nas", "--json")).stdout), { resumed: ["nas"] });
  assertEquals(JSON.parse((await image_transfer(dir, "retry", "--all", "--json")).stdout), { queued: 0 });
  await using _daemon = await fakeDaemon(dir.at("state"));
  const { code, stdout, stderr } = await image_transfer(dir, "sync", "--json");
  assertEquals([code, Object.keys(JSON.parse(stdout)), stderr], [0, ["jobs", "retried"], ""]);
  for (
    const [words, keys] of [
      [["resume", "nas"], ["resumed"]],
      [["resume", "--accept"], ["accepted"]],
      [["reload"], ["reloaded", "message"]],
      [["forget", "tiny"], ["given_up", "jobs"]],
      [["audit", "--now"], ["audited"]],
      [["audit", "--accept"], ["accepted"]],
    ] as const
  ) {
    const told = await image_transfer(dir, ...words, "--json");
    assertEquals([told.code, Object.keys(JSON.parse(told.stdout)), told.stderr], [0, keys, ""]);
  }
});
