import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { Failure } from "../../../src/domain/failure.ts";
import { Database } from "../../../src/ledger/sqlite/database.ts";
import { markDamaged } from "../../../src/ledger/sqlite/integrity.ts";
import { openLedger, readLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { SCHEMA_VERSION } from "../../../src/ledger/sqlite/schema.ts";
import { needs } from "../../support/needs.ts";
import { mountSmallDisk } from "../../support/small_disk.ts";
import { dice } from "../../support/seeded.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";
import { aClaim, anAdmission, deliveryOf, NOW, proven } from "../makers.ts";

/** A ledger with `files` delivered files, closed. */
function fill(dir: TempFolder, files: number): void {
  using ledger = openLedger(dir.path);
  const added = ledger.admit(Array.from({ length: files }, (_, k) => anAdmission(`${k}.fits`)), NOW);
  ledger.record(added.map((delivery) => proven(delivery)), NOW);
  ledger.rememberDevice("spring", "freya", "7");
  ledger.setPaused("nas", "ann");
}

async function names(dir: TempFolder): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(dir.path)) found.push(entry.name);
  return found.sort();
}

Deno.test("openLedger() keeps other accounts out of the state directory and the ledger, also where they were there before", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using dir = await tempFolder();
  fill(dir, 1);
  const modeOf = (path: string) => Deno.statSync(path).mode! & 0o777;
  await Deno.chmod(dir.path, 0o755);
  await Deno.chmod(dir.at("ledger.sqlite"), 0o644);
  using _ledger = openLedger(dir.path);
  assertEquals([modeOf(dir.path), modeOf(dir.at("ledger.sqlite")), modeOf(dir.at("ledger.sqlite-wal"))], [0o700, 0o600, 0o600]);
  using _made = openLedger(dir.at("new/state"));
  assertEquals([modeOf(dir.at("new/state")), modeOf(dir.at("new/state/ledger.sqlite"))], [0o700, 0o600]);
});

Deno.test("openLedger() makes its folder and keeps its instance name", async () => {
  await using dir = await tempFolder();
  const folder = dir.at("a", "b");
  let instance: string;
  {
    using ledger = openLedger(folder);
    instance = ledger.instance;
    assertMatch(instance, /^[a-z0-9]{8,12}$/);
  }
  using again = openLedger(folder);
  assertEquals(again.instance, instance);
  assertEquals((await Deno.readTextFile(dir.at("a", "b", "instance"))).trim(), instance);
});

Deno.test("openLedger() gives a lost ledger the same instance name, and says that it was lost", async () => {
  await using dir = await tempFolder();
  fill(dir, 3);
  const instance = (await dir.read("instance")).trim();
  await Deno.remove(dir.at("ledger.sqlite"));
  const notices: string[] = [];
  using ledger = openLedger(dir.path, (notice) => notices.push(notice));
  assertEquals([ledger.instance, ledger.counts().delivered, notices.length], [instance, 0, 1]);
});

Deno.test("openLedger() writes the instance file again, and ignores a name in it that cannot be ours", async () => {
  await using dir = await tempFolder();
  fill(dir, 1);
  const instance = (await dir.read("instance")).trim();
  await dir.write("instance", "../../etc; rm -rf /\n");
  using _ledger = openLedger(dir.path);
  assertEquals((await dir.read("instance")).trim(), instance);
  await using other = await tempFolder();
  await other.write("instance", "$(touch x)");
  using fresh = openLedger(other.path);
  assertMatch(fresh.instance, /^[a-z0-9]{8,12}$/);
});

Deno.test("openLedger() refuses a ledger of a newer schema and leaves it as it is", async () => {
  await using dir = await tempFolder();
  fill(dir, 2);
  using db = new DatabaseSync(dir.at("ledger.sqlite"));
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  for (const open of [openLedger, readLedger]) {
    const failure = assertThrows(() => open(dir.path), Failure, `schema ${SCHEMA_VERSION + 1}`);
    assertEquals([failure.code, failure.next], ["configuration", "never"]);
    assert(failure.hint.includes("newer"));
  }
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  using ledger = openLedger(dir.path);
  assertEquals(ledger.counts().delivered, 2);
});

const DAMAGES: readonly [string, (bytes: Uint8Array) => Uint8Array][] = [
  ["overwritten in the middle", (bytes) => bytes.fill(0x5a, 4096 * 3, 4096 * 20)],
  ["overwritten at its head", (bytes) => bytes.fill(0x5a, 0, 100)],
  ["cut in half", (bytes) => bytes.slice(0, bytes.length >> 1)],
  ["cut within its first page", (bytes) => bytes.slice(0, 700)],
  ["replaced by text", () => new TextEncoder().encode("this is no database\n".repeat(500))],
];

for (const [what, damage] of DAMAGES) {
  Deno.test(`openLedger() moves a ledger aside that was ${what}, and creates a new one`, async () => {
    await using dir = await tempFolder();
    fill(dir, 500);
    const torn = damage(await Deno.readFile(dir.at("ledger.sqlite")));
    await Deno.writeFile(dir.at("ledger.sqlite"), torn);
    const notices: string[] = [];
    using ledger = openLedger(dir.path, (notice) => notices.push(notice));
    assertEquals([ledger.integrity(), ledger.counts().delivered], [[], 0]);
    assertEquals(ledger.instance, (await dir.read("instance")).trim());
    const aside = (await names(dir)).find((name) => /^ledger-damaged-\d{8}T\d{6}Z\.sqlite$/.test(name));
    assert(aside !== undefined && notices.some((notice) => notice.includes(aside)), notices.join("\n"));
    // Never deleted: a person may still want it.
    assertEquals((await Deno.stat(dir.at(aside))).size, torn.length);
  });
}

for (const [what, damage] of DAMAGES) {
  Deno.test(`readLedger() says that a ledger is damaged that was ${what}, and leaves it as it is`, async () => {
    await using dir = await tempFolder();
    fill(dir, 500);
    const torn = damage(await Deno.readFile(dir.at("ledger.sqlite")));
    await Deno.writeFile(dir.at("ledger.sqlite"), torn);
    const read = () => {
      using ledger = readLedger(dir.path);
      return [...ledger.each({})];
    };
    const { code, message, hint } = assertThrows(read, Failure);
    assertEquals([code, hint], [
      "internal",
      "Restart image-transfer: the damaged ledger is moved aside and a new one is filled from the destinations.",
    ]);
    assertMatch(message, /^Cannot (open|read|use) the ledger ".+ledger\.sqlite": it is damaged$/);
    assertEquals((await Deno.stat(dir.at("ledger.sqlite"))).size, torn.length);
  });
}

Deno.test("openLedger() keeps from a damaged ledger who paused a destination, and its device", async () => {
  await using dir = await tempFolder();
  fill(dir, 500);
  const bytes = await Deno.readFile(dir.at("ledger.sqlite"));
  await Deno.writeFile(dir.at("ledger.sqlite"), bytes.fill(0x5a, bytes.length - 4096 * 5));
  using ledger = openLedger(dir.path);
  assertEquals([ledger.counts().delivered, ledger.pausedBy("nas"), ledger.deviceOf("spring", "freya")], [0, "ann", "7"]);
});

Deno.test("openLedger() recovers from damage found while running", async () => {
  await using dir = await tempFolder();
  fill(dir, 500);
  {
    using ledger = openLedger(dir.path);
    using file = await Deno.open(dir.at("ledger.sqlite"), { write: true });
    const { size } = await file.stat();
    await file.seek(size >> 1, Deno.SeekMode.Start);
    await file.write(new Uint8Array(size >> 1).fill(0x5a));
    // Another process writes, so that the pages in memory are read again.
    using other = new DatabaseSync(dir.at("ledger.sqlite"));
    other.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    const failure = assertThrows(() => [...ledger.each({})], Failure, "damaged");
    assert(failure.hint.includes("Restart"));
  }
  using again = openLedger(dir.path);
  assertEquals(again.integrity(), []);
  assertEquals((await names(dir)).filter((name) => name === "ledger-suspect"), []);
});

/** The pages of one kind in a ledger's file: 10 is a leaf of an index, 13 one of a table (fileformat2.html, 1.6). */
function pagesOf(bytes: Uint8Array, kind: 10 | 13): number[] {
  return Array.from({ length: bytes.length / 4096 }, (_, page) => page * 4096).filter((at) => bytes[at] === kind && at > 0);
}

Deno.test("openLedger() rebuilds an index of which one byte is wrong, and loses nothing", async () => {
  await using dir = await tempFolder();
  fill(dir, 500);
  const sound = await Deno.readFile(dir.at("ledger.sqlite"));
  const expected = (() => {
    using ledger = readLedger(dir.path);
    return JSON.stringify(ledger.query({}));
  })();
  let rebuilt = 0;
  for (const page of pagesOf(sound, 10)) {
    const bytes = sound.slice();
    bytes[page + 4096 - 6]! ^= 0x10;
    await Deno.writeFile(dir.at("ledger.sqlite"), bytes);
    const notices: string[] = [];
    using ledger = openLedger(dir.path, (notice) => notices.push(notice));
    assertEquals(ledger.integrity(), []);
    if (!notices.some((notice) => notice.includes("has been rebuilt. No record was lost"))) continue;
    rebuilt++;
    assertEquals(JSON.stringify(ledger.query({})), expected);
  }
  assert(rebuilt > 3, String(rebuilt));
});

Deno.test("openLedger() has a sound ledger whatever single byte of it is wrong", async () => {
  await using dir = await tempFolder();
  fill(dir, 300);
  const sound = await Deno.readFile(dir.at("ledger.sqlite"));
  const thrown = dice(20261124);
  for (let n = 0; n < 40; n++) {
    const bytes = sound.slice();
    // Behind the header, whose schema version alone may belong to a newer program.
    const at = thrown.int(100, bytes.length - 1);
    bytes[at]! ^= 1 << thrown.int(0, 7);
    await Deno.writeFile(dir.at("ledger.sqlite"), bytes);
    using ledger = openLedger(dir.path);
    assertEquals(ledger.integrity(), [], `byte ${at}`);
    const [added] = ledger.admit([anAdmission(`new${n}.fits`)], NOW);
    assertEquals(ledger.claim(aClaim()).map(({ id }) => id), [added!.id], `byte ${at}`);
  }
});

Deno.test("openLedger() repairs sums that contradict the rows where they were found to", async () => {
  await using dir = await tempFolder();
  fill(dir, 20);
  {
    using db = new DatabaseSync(dir.at("ledger.sqlite"));
    db.exec("UPDATE totals SET number = number + 7; UPDATE nights SET delivered = 3");
  }
  using broken = readLedger(dir.path);
  assertNotEquals(broken.integrity(), []);
  assertEquals(markDamaged(dir.path), null);
  using ledger = openLedger(dir.path);
  assertEquals([ledger.integrity(), ledger.counts().delivered, (await names(dir)).includes("ledger-suspect")], [[], 20, false]);
});

Deno.test("openLedger() and readLedger() refuse the database of another program, and leave it as it is", async () => {
  for (
    const sql of [
      "CREATE TABLE meta (id INTEGER PRIMARY KEY)",
      "CREATE TABLE shopping (item TEXT)",
      "CREATE TABLE shopping (item TEXT); PRAGMA user_version = 999",
      "PRAGMA application_id = 252006673",
    ]
  ) {
    await using dir = await tempFolder();
    {
      using db = new DatabaseSync(dir.at("ledger.sqlite"));
      db.exec(sql);
    }
    const before = await Deno.readFile(dir.at("ledger.sqlite"));
    for (const open of [openLedger, readLedger]) {
      const failure = assertThrows(() => open(dir.path), Failure, "it is the database of another program");
      assertEquals(failure.code, "configuration");
    }
    assertEquals([await Deno.readFile(dir.at("ledger.sqlite")), await names(dir)], [before, ["ledger.sqlite"]]);
  }
});

Deno.test("openLedger() keeps the log of a ledger whose database file is missing or empty", async () => {
  for (const left of ["missing", "empty"]) {
    await using dir = await tempFolder();
    await using copy = await tempFolder();
    let log: Uint8Array<ArrayBuffer>;
    {
      using ledger = openLedger(dir.path);
      ledger.admit([anAdmission("a.fits")], NOW);
      log = await Deno.readFile(dir.at("ledger.sqlite-wal"));
    }
    await copy.write("ledger.sqlite-wal", log);
    if (left === "empty") await copy.write("ledger.sqlite", "");
    const notices: string[] = [];
    using _ledger = openLedger(copy.path, (notice) => notices.push(notice));
    const kept = (await names(copy)).find((name) => /^ledger-damaged-.*\.sqlite-wal$/.test(name)) ?? "";
    assertEquals(await Deno.readFile(copy.at(kept)), log);
    assertMatch(notices.join("\n"), new RegExp(`The log was kept as ".*${kept}"`));
  }
});

Deno.test("openLedger() leaves nothing beside a damaged ledger that it set aside", async () => {
  await using dir = await tempFolder();
  fill(dir, 500);
  const bytes = await Deno.readFile(dir.at("ledger.sqlite"));
  await Deno.writeFile(dir.at("ledger.sqlite"), bytes.fill(0x5a, bytes.length - 4096 * 5));
  openLedger(dir.path)[Symbol.dispose]();
  assertEquals((await names(dir)).filter((name) => !/^ledger-damaged-\d+T\d+Z\.sqlite$/.test(name)), [
    "instance",
    "ledger.sqlite",
  ]);
});

Deno.test("trouble() says why nothing can be recorded, and lookAfter() that it can be again", needs("root"), async () => {
  await using dir = await tempFolder();
  await using disk = await mountSmallDisk(dir.at("disk"), 1);
  using ledger = openLedger(disk.path);
  assertEquals([ledger.trouble(), ledger.lookAfter()], [null, null]);
  assertThrows(() => {
    for (let n = 0;; n++) ledger.admit([anAdmission(`${n}.fits`)], NOW);
  }, Failure);
  for (const trouble of [ledger.trouble(), ledger.lookAfter()]) {
    assertEquals([trouble?.failure.code, trouble?.ends], ["local_disk_full", false]);
  }
  await disk.resize(8);
  assertEquals([ledger.lookAfter(), ledger.trouble()], [null, null]);
});

Deno.test("lookAfter() sees that the ledger is no longer the file that was opened, and a mark that it is damaged", {
  ignore: Deno.build.os === "windows",
}, async () => {
  for (const missing of ["ledger.sqlite", "ledger.sqlite-wal"]) {
    await using dir = await tempFolder();
    using ledger = openLedger(dir.path);
    await Deno.rename(dir.at(missing), dir.at("elsewhere"));
    assertEquals([ledger.lookAfter()?.failure.code, ledger.lookAfter()?.ends], ["device_missing", true]);
    await Deno.copyFile(dir.at("elsewhere"), dir.at(missing));
    assertEquals(ledger.lookAfter()?.failure.code, "device_missing");
  }
  await using dir = await tempFolder();
  using ledger = openLedger(dir.path);
  assertEquals(markDamaged(dir.path), null);
  assertEquals(ledger.lookAfter()?.ends, true);
});

Deno.test("openLedger() reads a write-ahead log that was cut anywhere", async () => {
  await using dir = await tempFolder();
  using writer = openLedger(dir.path);
  const added = writer.admit(Array.from({ length: 50 }, (_, k) => anAdmission(`${k}.fits`)), NOW);
  for (const delivery of added) writer.record([proven(delivery)], NOW);
  const [base, log] = [await Deno.readFile(dir.at("ledger.sqlite")), await Deno.readFile(dir.at("ledger.sqlite-wal"))];
  const delivered: number[] = [];
  for (const part of [0.3, 0.6, 0.9, 1]) {
    await using copy = await tempFolder();
    await copy.write("ledger.sqlite", base);
    await copy.write("ledger.sqlite-wal", log.slice(0, Math.trunc(log.length * part) - (part === 1 ? 0 : 17)));
    using ledger = openLedger(copy.path);
    assertEquals(ledger.integrity(), []);
    delivered.push(ledger.counts().delivered);
  }
  assertEquals(delivered.toSorted((a, b) => a - b), delivered);
  assertEquals(delivered.at(-1), 50);
  assertNotEquals(delivered[0], 50);
});

Deno.test("readLedger() cannot write", async () => {
  await using dir = await tempFolder();
  fill(dir, 1);
  using ledger = readLedger(dir.path);
  assertEquals(["record", "setPaused"].filter((change) => change in ledger), []);
  using db = new Database(dir.at("ledger.sqlite"), true);
  const failure = assertThrows(() => db.run("DELETE FROM pauses"), Failure, "it is read-only for this account");
  assertEquals(failure.code, "permission_denied");
});

Deno.test("readLedger() reads a missing ledger as an empty one and creates nothing", async () => {
  await using dir = await tempFolder();
  const notices: string[] = [];
  using ledger = readLedger(dir.path, (notice) => notices.push(notice));
  assertEquals([ledger.query({}), notices.length, await names(dir)], [[], 1, []]);
});

Deno.test("readLedger() reads a ledger as an empty one whose maker was killed before its tables were there", async () => {
  await using dir = await tempFolder();
  using made = new DatabaseSync(dir.at("ledger.sqlite"));
  made.exec("PRAGMA journal_mode = WAL");
  const notices: string[] = [];
  using ledger = readLedger(dir.path, (notice) => notices.push(notice));
  assertEquals([ledger.query({}), notices], [[], [`There is no ledger in "${dir.path}" yet: nothing has been recorded.`]]);
});

Deno.test(
  "record() on a full disk fails as local_disk_full, loses nothing, and continues when there is room",
  needs("root"),
  async () => {
    await using dir = await tempFolder();
    const mount = async (...args: string[]) => assert((await new Deno.Command("mount", { args }).output()).success);
    await mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", dir.path);
    try {
      using ledger = openLedger(dir.path);
      let admitted = 0;
      const failure = assertThrows(
        () => {
          for (;;) {
            ledger.admit(Array.from({ length: 20 }, (_, k) => anAdmission(`${admitted + k}.fits`)), NOW);
            admitted += 20;
          }
        },
        Failure,
        "the disk is full",
      );
      assertEquals([failure.code, failure.next], ["local_disk_full", "hold"]);
      assertEquals(ledger.counts().queued, admitted);
      await mount("-o", "remount,size=8m", dir.path);
      ledger.record([proven(deliveryOf(ledger, "0.fits"))], NOW);
      assertEquals([ledger.integrity(), ledger.counts().delivered], [[], 1]);
    } finally {
      await new Deno.Command("umount", { args: [dir.path] }).output();
    }
  },
);

/** What a person is told of a state directory: code and message. */
function refusal(work: () => unknown): readonly [string, string] {
  const { code, message, hint } = assertThrows(work, Failure);
  assert(hint !== "", message);
  return [code, message];
}

Deno.test("openLedger() tells a state directory that a file is in the way of from one that may not be made", async () => {
  await using dir = await tempFolder();
  await dir.write("file", "x");
  for (const folder of [dir.at("file"), dir.at("file", "below")]) {
    assertEquals(refusal(() => openLedger(folder)), [
      "not_a_folder",
      `Cannot create the folder "${folder}": a file exists where a folder is needed`,
    ]);
  }
  const [code, message] = refusal(() => readLedger(dir.at("file")));
  assertEquals([code, message.includes(dir.at("file", "ledger.sqlite"))], ["not_a_folder", true]);
});

Deno.test("openLedger() tells of a state directory on a read-only or full disk by that name", needs("root"), async () => {
  await using dir = await tempFolder();
  await using disk = await mountSmallDisk(dir.at("disk"), 1);
  const folder = dir.at("disk", "state");
  await disk.readOnly(true);
  assertEquals(refusal(() => openLedger(folder)), [
    "read_only",
    `Cannot create the folder "${folder}": the file system is read-only`,
  ]);
  await disk.readOnly(false);
  await disk.inodes(1);
  assertEquals(refusal(() => openLedger(folder)), [
    "local_disk_full",
    `Cannot create the folder "${folder}": the disk is full`,
  ]);
});

for (const [what, killed] of [["at rest", false], ["of a killed daemon", true]] as const) {
  Deno.test(`readLedger() reads a ledger ${what} on a disk that became read-only`, needs("root"), async () => {
    await using dir = await tempFolder();
    await using disk = await mountSmallDisk(dir.at("a ?#% disk"), 8);
    const copy = dir.at("copy");
    {
      using ledger = openLedger(disk.path);
      ledger.admit([anAdmission("a.fits")], NOW);
      // What a kill -9 leaves: SQLite's files as they are while it is open.
      await Deno.mkdir(copy);
      for await (const { name } of Deno.readDir(disk.path)) await Deno.copyFile(`${disk.path}/${name}`, `${copy}/${name}`);
    }
    if (killed) {
      for await (const { name } of Deno.readDir(copy)) await Deno.copyFile(`${copy}/${name}`, `${disk.path}/${name}`);
    }
    await disk.readOnly(true);
    using ledger = readLedger(disk.path);
    assertEquals(ledger.counts().queued, 1);
  });
}

Deno.test(
  "openLedger() that cannot write its instance file for a full disk says which file, and why",
  needs("root"),
  async () => {
    await using dir = await tempFolder();
    await using disk = await mountSmallDisk(dir.at("disk"), 4);
    openLedger(disk.path)[Symbol.dispose]();
    await Deno.remove(dir.at("disk", "instance"));
    // The root folder and SQLite's three files.
    await disk.inodes(4);
    assertEquals(refusal(() => openLedger(disk.path)), [
      "local_disk_full",
      `Cannot write "${dir.at("disk", "instance")}": the disk is full`,
    ]);
    await disk.inodes(100);
    using ledger = openLedger(disk.path);
    assertEquals((await dir.read("disk/instance")).trim(), ledger.instance);
  },
);

Deno.test("openLedger() says so where its instance file is a folder", async () => {
  await using dir = await tempFolder();
  await Deno.mkdir(dir.at("instance"));
  assertEquals(refusal(() => openLedger(dir.path)), ["exists", `Cannot read "${dir.at("instance")}": a folder has that name`]);
});

Deno.test("transactionUnflushed() leaves the flushing of all others as it was, also where its work fails", async () => {
  await using folder = await tempFolder();
  using db = new Database(folder.at("ledger.sqlite"), false);
  const synchronous = () => db.get("PRAGMA synchronous")?.["synchronous"];
  const [NORMAL, FULL] = [1, 2];
  assertEquals(synchronous(), FULL);
  assertEquals([db.transactionUnflushed(synchronous), synchronous()], [NORMAL, FULL]);
  assertThrows(() =>
    db.transactionUnflushed(() => {
      throw new Error("no");
    })
  );
  assertEquals([synchronous(), db.transaction(synchronous)], [FULL, FULL]);
});
