import { assertEquals } from "@std/assert";
import { Database } from "../../../src/ledger/sqlite/database.ts";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { tempFolder } from "../../support/temp.ts";
import { anAdmission, broken, NOW, proven } from "../makers.ts";

async function filled() {
  const dir = await tempFolder();
  const ledger = openLedger(dir.path);
  const both = ["freya", "nas"];
  const [a, b, , , e] = ledger.admit([
    anAdmission("a.fits", { size: 5 }, both),
    anAdmission("b.fits", { size: 7 }, both),
    anAdmission("skipped.fits", { size: 100 }),
    { ...anAdmission("other.fits", { size: 1000 }), night: "20240518" },
  ], NOW);
  ledger.record([proven(a!), { ...proven(b!, null) }], NOW + 2000);
  ledger.record([broken(e!, "skipped")], NOW + 3000);
  return {
    path: dir.path,
    ledger,
    async [Symbol.asyncDispose]() {
      ledger[Symbol.dispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

Deno.test("nightTotals() counts each file once, and what is proven apart from what is delivered", async () => {
  await using all = await filled();
  assertEquals(all.ledger.nightTotals("20240517"), {
    files: 2,
    bytes: 12,
    places: [
      { job: "spring", destination: "freya", expected: 2, delivered: 1, proven: 1, failed: 0, bytes: 5 },
      { job: "spring", destination: "nas", expected: 2, delivered: 1, proven: 0, failed: 0, bytes: 5 },
    ],
  });
});

Deno.test("nightTotals() is right from the first moment in a ledger of before these sums were kept", async () => {
  await using all = await filled();
  const nights = ["20240517", "20240518"];
  const before = nights.map((night) => all.ledger.nightTotals(night));
  {
    using db = new Database(`${all.path}/ledger.sqlite`, false);
    const triggers = db.all("SELECT name FROM sqlite_schema WHERE type = 'trigger'").map(({ name }) => `DROP TRIGGER ${name};`);
    db.exec(`${triggers.join("")} DROP TABLE nights; DROP TABLE night_files; PRAGMA user_version = 1`);
    // What later versions added.
    db.exec("DROP INDEX versions_reread; ALTER TABLE versions DROP COLUMN reread_at");
    db.exec("DROP INDEX versions_flagged; ALTER TABLE versions DROP COLUMN warning");
    db.exec("DROP TABLE parts");
  }
  using again = openLedger(all.path);
  assertEquals(nights.map((night) => again.nightTotals(night)), before);
  assertEquals(again.integrity(), []);
  again.requeue([1, 2, 3, 4, 5], NOW + 4000);
  again.admit([anAdmission("new.fits", { size: 11 }, ["nas"])], NOW + 5000);
  const { files, bytes, places } = again.nightTotals("20240517");
  // The skipped one was asked for after all.
  assertEquals([files, bytes, places.map(({ expected }) => expected)], [4, 123, [3, 3]]);
});

Deno.test("nightTotals() of a night without files is all zero", async () => {
  await using all = await filled();
  assertEquals(all.ledger.nightTotals("19990101"), { files: 0, bytes: 0, places: [] });
});

Deno.test("nightPoints() gives the night's deliveries page by page, without those set aside", async () => {
  await using all = await filled();
  const first = all.ledger.nightPoints("20240517", 0, 3);
  assertEquals(first.map(({ id, size, deliveredAt }) => [id, size, deliveredAt]), [[1, 5, NOW + 2000], [2, 5, NOW + 2000], [
    3,
    7,
    null,
  ]]);
  assertEquals(all.ledger.nightPoints("20240517", 3, 3).map(({ id }) => id), [4]);
  assertEquals(all.ledger.nightPoints("20240517", 5, 3), []);
});

Deno.test("flagged() names the files of a night that were taken with a warning, once however many destinations they have", async () => {
  await using dir = await tempFolder();
  using ledger = openLedger(dir.path);
  const flagged = (path: string) => ({ ...anAdmission(path, {}, ["freya", "nas"]), warning: `${path} is damaged` });
  ledger.admit([flagged("a"), anAdmission("b"), flagged("c"), { ...flagged("d"), night: "20240518" }], NOW);
  const { count, files } = ledger.flagged("20240517", 1);
  assertEquals([count, files.map(({ source, warning }) => [source.path, warning])], [2, [["a", "a is damaged"]]]);
  assertEquals(ledger.query({ destination: "nas" }).map(({ warning }) => warning), [
    "a is damaged",
    "c is damaged",
    "d is damaged",
  ]);
});
