import { assertEquals, assertThrows } from "@std/assert";
import { Database } from "../../../src/ledger/sqlite/database.ts";
import { tempFolder } from "../../support/temp.ts";

/** Where SQLite keeps what it needs for a while: 0 by default, which is a file; 2 in memory. */
function placeOf(db: Database): unknown {
  return db.get("PRAGMA temp_store")?.["temp_store"];
}

Deno.test("smallTransaction() keeps in memory what undoes a statement, and nothing that comes after it", async () => {
  await using dir = await tempFolder();
  using db = new Database(dir.at("ledger.sqlite"), false);
  db.exec("CREATE TABLE t (n INTEGER NOT NULL CHECK (n > 0)) STRICT");
  const add = (numbers: string) => db.run("INSERT INTO t SELECT value FROM json_each(?)", numbers);
  assertEquals(db.smallTransaction(() => [placeOf(db), add("[1, 2]")]), [2, 2]);
  assertEquals(placeOf(db), 0);
  db.smallTransaction(() => {
    add("[3]");
    // What it has done of this statement is undone, and nothing else.
    assertThrows(() => add("[4, 5, -1]"));
  });
  assertEquals(db.all("SELECT n FROM t").map(({ n }) => n), [1, 2, 3]);
  assertThrows(() => db.smallTransaction(() => add("[6]") && add("[-1]")));
  assertEquals([placeOf(db), db.all("SELECT n FROM t").length], [0, 3]);
});
