import { assertEquals } from "@std/assert";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { sentNext } from "../../../src/reports/delivery/sent_next.ts";
import type { DestinationNow } from "../../../src/reports/page_source.ts";
import { aClaim, anAdmission, later, NOW, proven } from "../../ledger/makers.ts";
import { tempFolder } from "../../support/temp.ts";

const destinations = (...all: readonly (readonly [name: string, order: string])[]) => () =>
  // Only these are asked of a destination.
  all.map(([name, order]) => ({ destination: { job: "spring", name, order } }) as DestinationNow);

async function filled(places: string[]) {
  const folder = await tempFolder();
  const ledger = openLedger(folder.path);
  // Queued in another order than the files were written.
  const admitted = ledger.admit(
    ["c", "a", "d", "b"].map((name) => anAdmission(name, { mtimeMs: NOW + name.charCodeAt(0) }, places)),
    NOW,
  );
  return {
    ledger,
    admitted,
    async [Symbol.asyncDispose]() {
      ledger[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

Deno.test("sentNext() tells what the outbox claims next, oldest or newest file first", async () => {
  for (const order of ["oldest_first", "newest_first"] as const) {
    await using all = await filled(["freya"]);
    const source = { ledger: all.ledger, destinations: destinations(["freya", order]) };
    const told = sentNext(source, 3, NOW).map(({ delivery: { id } }) => id);
    assertEquals(told, all.ledger.claim(aClaim({ order, maxFiles: 3 })).map(({ id }) => id));
    assertEquals(sentNext(source, 3, NOW).length, 1);
  }
});

Deno.test("sentNext() goes round the destinations", async () => {
  await using all = await filled(["freya", "nas"]);
  const source = { ledger: all.ledger, destinations: destinations(["freya", "oldest_first"], ["nas", "newest_first"]) };
  assertEquals(sentNext(source, 5, NOW).map(({ delivery: { destination, source } }) => `${destination} ${source.path}`), [
    "freya a",
    "nas d",
    "freya b",
    "nas c",
    "freya c",
  ]);
});

Deno.test("sentNext() puts behind what waits for its next try, unless that is due", async () => {
  await using all = await filled(["freya"]);
  const [c, a, d, b] = all.admitted;
  all.ledger.record([later(a!, NOW + 9000), later(b!, NOW + 1000), later(c!, NOW - 1)], NOW);
  const source = { ledger: all.ledger, destinations: destinations(["freya", "oldest_first"]) };
  const paths = () => sentNext(source, 10, NOW).map(({ delivery: { source: { path } } }) => path);
  assertEquals(paths(), ["c", "d", "b", "a"]);
  all.ledger.record([proven(d!)], NOW);
  assertEquals(paths(), ["c", "b", "a"]);
});
