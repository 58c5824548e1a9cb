import { assertEquals } from "@std/assert";
import { Database } from "../../../src/ledger/sqlite/database.ts";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { tempFolder } from "../../support/temp.ts";
import { anAdmission, broken, NOW, proven } from "../makers.ts";

const BOTH = ["freya", "nas"];
const NIGHTS = ["20240517", "20240518"];

Deno.test("nightTotals() is right from the first moment in a ledger of before these sums were kept", async () => {
  await using dir = await tempFolder();
  let before;
  {
    using ledger = openLedger(dir.path);
    const [a, b, , , e] = ledger.admit([
      anAdmission("a.fits", { size: 5 }, BOTH),
      anAdmission("b.fits", { size: 7 }, BOTH),
      anAdmission("skipped.fits", { size: 100 }),
      { ...anAdmission("other.fits", { size: 1000 }), night: "20240518" },
    ], NOW);
    ledger.record([proven(a!), { ...proven(b!, null) }], NOW + 2000);
    ledger.record([broken(e!, "skipped")], NOW + 3000);
    before = NIGHTS.map((night) => ledger.nightTotals(night));
  }
  {
    using db = new Database(dir.at("ledger.sqlite"), false);
    const triggers = db.all("SELECT name FROM sqlite_schema WHERE type = 'trigger'").map(({ name }) => `DROP TRIGGER ${name};`);
    db.exec(`${triggers.join("")} DROP TABLE nights; DROP TABLE night_files; PRAGMA user_version = 1`);
    // What later versions added.
    db.exec("DROP INDEX versions_reread; ALTER TABLE versions DROP COLUMN reread_at");
    db.exec("DROP INDEX versions_flagged; ALTER TABLE versions DROP COLUMN warning");
    db.exec("DROP TABLE parts; ALTER TABLE deliveries DROP COLUMN receipt_algorithm; DROP TABLE runs");
    db.exec("DROP TABLE hook_notes; DROP TABLE hook_positions; DROP TABLE hook_events");
    db.exec("DROP TABLE mirrors; DROP TABLE trash; DROP TABLE audited; DROP TABLE audits; DROP TABLE availability");
  }
  using again = openLedger(dir.path);
  assertEquals(NIGHTS.map((night) => again.nightTotals(night)), before);
  assertEquals(again.integrity(), []);
  again.requeue([1, 2, 3, 4, 5], NOW + 4000);
  again.admit([anAdmission("new.fits", { size: 11 }, ["nas"])], NOW + 5000);
  const { files, bytes, places } = again.nightTotals("20240517");
  // The skipped one was asked for after all.
  assertEquals([files, bytes, places.map(({ expected }) => expected)], [4, 123, [3, 3]]);
});
