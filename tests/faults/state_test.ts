/**
 * The state directory meets a fault, under a running daemon or before its start. Each place that tells how the daemon is says so by
 * name: headline, `status --check`, the health check for monitors, the page and the morning report. Afterwards all is delivered.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { DatabaseSync } from "node:sqlite";
import { COMMANDS } from "../../src/commands/commands.ts";
import { parse } from "../../src/commands/parse.ts";
import { failureText } from "../../src/commands/text/failure_text.ts";
import { Failure } from "../../src/domain/failure.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import type { TroubleList } from "../../src/reports/api_types.ts";
import type { DeliveryHealth } from "../../src/reports/overview/delivery_health.ts";
import { clock } from "../../src/system/host/clock.ts";
import { anAdmission, NOW } from "../ledger/makers.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { needs } from "../support/needs.ts";
import { dice } from "../support/seeded.ts";
import { fill, mountFailingDisk, mountSmallDisk, type SmallDisk } from "../support/small_disk.ts";
import { tempFolder } from "../support/temp.ts";
import { testTools } from "../support/tools.ts";
import { type WebRig, webRig } from "../web/web_rig.ts";
import { daemonRig } from "../support/daemon_rig.ts";
import { install } from "../support/daemon_process.ts";
import { namesIn, tool, unmounting } from "./rig.ts";

/** What is said while the fault lasts. */
interface Said {
  readonly headline: RegExp;
  /** What is wrong, with the place: in the log, on the page's card, in `status` and in the report. */
  readonly reason: RegExp;
  /** Whether the daemon stops, for its service to start it again; then exit code of `status --check` is 4, otherwise 1. */
  readonly stops: boolean;
  /** Why the next start fails until a person mends it. */
  readonly refused?: RegExp;
}

interface Case extends Said {
  readonly fault: string;
  /** Before the daemon starts. */
  readonly prepare?: (folder: string) => void;
  readonly strike: (disk: SmallDisk) => Promise<unknown>;
  readonly mend: (disk: SmallDisk) => Promise<unknown>;
}

const FULL = {
  headline: /^This computer's disk with the state directory is full or failing: nothing can be delivered$/,
  reason: /Cannot (use|write|read) the ledger ".*ledger\.sqlite": (the|its) disk is full/,
  stops: false,
} as const;
const LOST = {
  headline: /^The state directory was emptied or is on another disk: nothing can be delivered$/,
  reason: /(in ".*" was removed|".*" was emptied), or another disk is mounted there/,
  stops: true,
} as const;
const DAMAGED = {
  headline: /^The ledger is damaged: nothing can be delivered$/,
  reason: /the ledger ".*ledger\.sqlite"(: it)? is damaged/i,
  stops: true,
} as const;
const nothing = () => Promise.resolve();

const CASES: readonly Case[] = [
  {
    fault: "full",
    ...FULL,
    strike: ({ path }) => fill(join(path, "filler")),
    mend: ({ path }) => Deno.remove(join(path, "filler")),
  },
  { fault: "full, and enlarged", ...FULL, strike: ({ path }) => fill(join(path, "filler")), mend: (disk) => disk.resize(64) },
  { fault: "emptied", ...LOST, strike: ({ path }) => tool("find", path, "-mindepth", "1", "-delete"), mend: nothing },
  { fault: "without its lock", ...LOST, strike: ({ path }) => Deno.remove(join(path, "lock")), mend: nothing },
  {
    fault: "covered by another disk",
    ...LOST,
    strike: ({ path }) => tool("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path),
    mend: ({ path }) => tool("umount", "-l", path),
  },
  {
    fault: "with another program's database in place of the ledger",
    ...LOST,
    strike: replaceLedger,
    refused: /Cannot use ".*ledger\.sqlite": it is the database of another program/,
    mend: ({ path }) => Deno.remove(join(path, "ledger.sqlite")),
  },
  {
    fault: "with a large ledger that was damaged at random places",
    ...DAMAGED,
    prepare: makeLargeAndDamaged,
    strike: nothing,
    mend: nothing,
  },
];

for (const { fault, prepare, strike, mend, ...said } of CASES) {
  Deno.test(
    `state directory ${fault}: it is said everywhere by name, and all is delivered afterwards`,
    needs("root"),
    async () => {
      await using folder = await tempFolder();
      await using disk = await mountSmallDisk(folder.at("disk"), prepare === undefined ? 4 : 200);
      prepare?.(disk.path);
      const config = { state_directory: disk.path, rescan_interval: 1 };
      await using rig = await webRig(config, { sleep: hurried });
      const headlines: (string | null)[] = [];
      rig.daemon.events.listen(async (event) => {
        if (event.type === "trouble" && event.failure !== null) headlines.push((await rig.daemon.status()).headline.text);
      });
      // Damage may have been found before anybody listened; a daemon that has ended for it has no headline any more.
      if (rig.events.some((event) => event.type === "trouble" && event.failure !== null)) {
        const status = async () => (await rig.daemon.status()).headline.text;
        headlines.push(await status().catch(() => null));
      }
      if (prepare === undefined) {
        await rig.folder.write("data/before.fits", fitsFile(3000));
        await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "delivered before");
      }
      await strike(disk);
      for (let n = 0; n < 30; n++) await rig.folder.write(`data/during${n}.fits`, fitsFile(3000, n));
      await rig.until(() => headlines.length > 0, "trouble");
      const told = rig.events.find((event) => event.type === "trouble");
      assertMatch(told?.type === "trouble" ? told.failure?.message ?? "" : "", said.reason);
      if (headlines[0] != null) assertMatch(headlines[0], said.headline);
      if (said.stops) return await ends(rig, said, () => mend(disk));
      await stays(rig, said);
      await mend(disk);
      await rig.until(() => rig.daemon.ledger.counts().delivered === 31, "all delivered");
      await rig.until(() => rig.daemon.trouble() === null, "well again");
      assertEquals((await command(rig, "status", "--check")).code, 0);
    },
  );
}

Deno.test(
  "state directory on a disk that becomes read-only: it is said everywhere by name, and the next start says so too",
  needs("root", "loop"),
  async () => {
    await using folder = await tempFolder();
    await using disk = await mountFailingDisk(folder.at("disk"));
    await using rig = await webRig({ state_directory: disk.path, rescan_interval: 1 }, { sleep: hurried });
    await rig.folder.write("data/before.fits", fitsFile(3000));
    await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "delivered before");
    await disk.fail();
    await rig.folder.write("data/during.fits", fitsFile(3000));
    await rig.until(() => rig.daemon.trouble()?.code === "read_only", "trouble");
    await stays(rig, {
      headline: /^The disk with the state directory has become read-only: nothing can be delivered$/,
      reason: /Cannot write to the state directory ".*": the file system is read-only/,
      stops: false,
    });
    await rig.daemon[Symbol.asyncDispose]();
    const { message, hint } = await assertRejects(() => rig.start(), Failure);
    assertMatch(message, /^Cannot use the state directory ".*": Read-only file system$/);
    assertMatch(hint, /^Mount its disk for writing/);
  },
);

Deno.test("run --once with a full state disk ends, and says why nothing was delivered", needs("root"), async () => {
  await using folder = await tempFolder();
  await using disk = await mountSmallDisk(folder.at("disk"), 4);
  for (const name of ["data", "nas"]) await Deno.mkdir(folder.at(name));
  openLedger(disk.path)[Symbol.dispose]();
  for (let n = 0; n < 40; n++) await folder.write(`data/${n}.fits`, fitsFile(3000, n));
  const keys = { watch_path: folder.at("data"), remote_base_path: folder.at("nas"), transfer_method: "local" };
  const config = { ...keys, state_directory: disk.path, log_directory: folder.at("logs"), minimum_free_space_gb: 0 };
  await folder.write("config.yaml", JSON.stringify(config));
  await fill(join(disk.path, "filler"));
  const { code, stderr } = await command({ folder }, "run", "--once");
  assert(code === 1, stderr);
  assertMatch(stderr.replaceAll(/\s+/g, " "), /Cannot .*: (the|its) disk is full.* Free some space/);
});

/** Without these even root needs the right to read and write. */
const PLAIN_RIGHTS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];

const AT_START: readonly (readonly [fault: string, make: (state: string) => unknown, reason: RegExp])[] = [
  ["ledger is a folder", (state) => Deno.mkdirSync(join(state, "ledger.sqlite")), /ledger\.sqlite": a folder has that name\n/],
  ["log of the ledger is a folder", (state) => {
    openLedger(state)[Symbol.dispose]();
    Deno.mkdirSync(join(state, "ledger.sqlite-wal"));
  }, /^Cannot open the ledger ".*ledger\.sqlite-wal": a folder has that name\n/],
  ["ledger cannot be written", (state) => {
    openLedger(state)[Symbol.dispose]();
    Deno.chmodSync(join(state, "ledger.sqlite"), 0o444);
  }, /^Cannot write the ledger ".*": it is read-only for this account\nCheck the owner and the mode of the file/],
  [
    "lock cannot be written",
    (state) => Deno.writeTextFileSync(join(state, "lock"), "", { mode: 0o444 }),
    /^Cannot lock ".*lock": P/,
  ],
  [
    "lock is a link to nothing",
    (state) => Deno.symlinkSync("../target", join(state, "lock")),
    /^Cannot lock ".*lock": it is not a r/,
  ],
  ["ledger is another program's", (state) => {
    using db = new DatabaseSync(join(state, "ledger.sqlite"));
    db.exec("CREATE TABLE meta (a); PRAGMA user_version = 999");
  }, /it is the database of another program\n/],
  [
    "disk is read-only",
    (state) => tool("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", state),
    /Read-only file system\nMount its disk/,
  ],
];

Deno.test(
  "state directory at the start: what is wrong with it is said by name, with what to do, and nothing is made elsewhere",
  needs("root"),
  async () => {
    await Promise.all(AT_START.map(async ([fault, make, reason]) => {
      await using folder = await tempFolder();
      for (const name of ["images", "nas", "state"]) await Deno.mkdir(folder.at(name));
      await using _mounted = unmounting(folder.at("state"));
      await make(folder.at("state"));
      const { command } = await install(folder.path, {
        watch_path: folder.at("images"),
        transfer_method: "local",
        remote_base_path: folder.at("nas"),
      });
      const { code, stderr } = await command(["run", "--once"], {}, PLAIN_RIGHTS);
      assertMatch(stderr, reason, fault);
      assert(code === 1 || code === 2, `${fault}: ${code}`);
      assertEquals((await namesIn(folder.path)).includes("target"), false);
    }));
  },
);

Deno.test("state directory whose control.json is a folder: the daemon delivers, and commands say what is wrong", async () => {
  await using rig = await webRig();
  await Deno.remove(rig.folder.at("state/control.json"));
  await Deno.mkdir(rig.folder.at("state/control.json"));
  const { code, stderr } = await command(rig, "status");
  assertEquals(code, 1);
  assertMatch(stderr, /^Cannot read ".*control\.json": a folder has that name\nMove the folder away/);
});

Deno.test("state directory at the start: what killed processes and full disks left there is removed", async () => {
  await using folder = await tempFolder();
  openLedger(folder.path)[Symbol.dispose]();
  const left = ["instance.part", ".image-transfer-check-1", ".image-transfer-2", "host-key-4711"];
  const kept = ["ledger-damaged-20261124T010203Z.sqlite", "ledger-damaged-20261124T010203Z.sqlite-wal", "notes.part.txt"];
  for (const name of [...left, ...kept, "young.part", "ledger-damaged-20261124T010203Z.sqlite-shm"]) {
    await folder.write(name, "x");
  }
  await folder.write("ledger-damaged-20261123T010203Z.sqlite-wal", "");
  for (const name of left) await Deno.utime(folder.at(name), 0, 0);
  await using _rig = await daemonRig({ state_directory: folder.path });
  const now = await namesIn(folder.path);
  assertEquals([...kept, "young.part"].filter((name) => !now.includes(name)), []);
  assertEquals(now.filter((name) => left.includes(name) || /^ledger-damaged-.*(shm|23T.*wal)$/.test(name)), []);
});

Deno.test(
  "doctor leaves nothing on a full disk, and marks a ledger that is damaged: the daemon stops, and the next one repairs it",
  needs("root"),
  async () => {
    await using folder = await tempFolder();
    await using disk = await mountSmallDisk(folder.at("disk"), 8);
    await using rig = await webRig({ state_directory: disk.path }, { sleep: hurried });
    await fill(join(disk.path, "filler"));
    await command(rig, "doctor");
    assertEquals((await namesIn(disk.path)).filter((name) => name.startsWith(".image-transfer-")), []);
    await Deno.remove(join(disk.path, "filler"));
    {
      using db = new DatabaseSync(join(disk.path, "ledger.sqlite"));
      db.exec("INSERT INTO totals VALUES ('default', 'nas', 7)");
    }
    const { stdout, code } = await command(rig, "doctor");
    assertEquals(code, 1);
    assertMatch(stdout, /The ledger is damaged: default has 0 deliveries to nas, its total says 7/);
    await rig.daemon.stopped;
    await using again = await rig.start();
    assertEquals(again.ledger.integrity(), []);
  },
);

/** The daemon lives, and whoever is asked names the fault. */
async function stays(rig: WebRig, { headline, reason }: Said): Promise<void> {
  const health = await rig.get("/health/delivery");
  const { ok, line, headline: shown } = await health.json() as DeliveryHealth;
  assertEquals([health.status, ok, shown.level, line.startsWith("CRITICAL: ")], [503, false, "bad", true]);
  assertMatch(shown.text, headline);
  assert(shown.advice.length > 10);
  const { items: [card] } = await rig.json<TroubleList>("/api/trouble");
  assertEquals([card?.kind, card?.severity], ["daemon", "bad"]);
  assertMatch(card?.message ?? "", reason);
  const status = await command(rig, "status", "--check");
  assertEquals(status.code, 1);
  assertMatch(status.stdout.replaceAll(/\s+/g, " "), /^TROUBLE: (This computer's|The) disk/);
  assertMatch(status.stdout.replaceAll(/\s+/g, " "), reason);
  const report = await command(rig, "report");
  assertEquals(report.code, 1);
  assertMatch(report.stdout.replaceAll(/\s+/g, " "), reason);
}

/** The daemon stops with a reason, and its service starts it again. */
async function ends(rig: WebRig, { refused }: Said, mend: () => Promise<unknown>): Promise<void> {
  await rig.daemon.stopped;
  assertEquals(rig.daemon.broken(), true);
  // Where not even the ledger can be read, that is the answer.
  assertEquals((await command(rig, "status", "--check")).code, refused === undefined ? 4 : 2);
  await assertRejects(() => fetch(`${rig.origin}/health/delivery`));
  if (refused !== undefined) assertMatch((await assertRejects(() => rig.start(), Failure)).message, refused);
  await mend();
  await using again = await rig.start();
  const delivered = (name: string) => Deno.stat(rig.folder.at("nas", name)).then(() => true, () => false);
  for (let n = 0; n < 30; n++) await rig.until(() => delivered(`during${n}.fits`), "delivered after it");
  await rig.until(() => again.ledger.counts().queued + again.ledger.counts().sending === 0, "all recorded");
  assertEquals([again.trouble(), again.ledger.integrity()], [null, []]);
}

async function command(rig: Pick<WebRig, "folder">, ...words: string[]) {
  const tools = testTools(rig.folder.path, { system: { sleep: hurried } });
  const parsed = await parse([...words, "-c", rig.folder.at("config.yaml")], COMMANDS, { version: "0", ...tools });
  if (parsed.kind !== "run") return { code: parsed.code, ...tools.printed };
  try {
    return { code: await parsed.run(tools), ...tools.printed };
  } catch (error) {
    const { code, text } = failureText(error);
    return { ...tools.printed, code, stderr: text };
  }
}

/** What the daemon looks at every few seconds is looked at ten times a second. */
const hurried: typeof clock.sleep = (ms, signal, rhythm) => clock.sleep(rhythm === "in step" ? Math.min(ms, 100) : ms, signal);

async function replaceLedger({ path }: SmallDisk): Promise<void> {
  for (const ending of ["", "-wal", "-shm"]) await Deno.remove(join(path, `ledger.sqlite${ending}`));
  using db = new DatabaseSync(join(path, "ledger.sqlite"));
  db.exec("CREATE TABLE shopping (item TEXT)");
}

/** Above what every start checks whole. */
function makeLargeAndDamaged(folder: string): void {
  {
    using ledger = openLedger(folder);
    ledger.admit(Array.from({ length: 200 }, (_, n) => anAdmission(`${n}.fits`, {}, ["nas"], "default")), NOW);
  }
  const path = join(folder, "ledger.sqlite");
  let pages: number[];
  {
    using db = new DatabaseSync(path);
    db.prepare("INSERT INTO meta (key, value) VALUES ('large', ?)").run("x".repeat(33 * 1024 * 1024));
    pages = db.prepare("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'versions'").all().map((row) =>
      Number(row["rootpage"])
    );
  }
  const chance = dice(19);
  using file = Deno.openSync(path, { write: true });
  for (const page of pages.filter((page) => page > 0)) {
    for (let n = 0; n < 8; n++) {
      file.seekSync((page - 1) * 4096 + chance.int(0, 4000), Deno.SeekMode.Start);
      file.writeSync(crypto.getRandomValues(new Uint8Array(96)));
    }
  }
}
