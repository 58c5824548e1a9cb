/** The sums of a night, kept right whatever happens to its deliveries. */
import { assertEquals } from "@std/assert";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { anAdmission, broken, NOW, proven } from "../makers.ts";
import type { Check } from "./conformance.ts";

function fill(ledger: Ledger): void {
  const both = ["freya", "nas"];
  const [a, b, , , e] = ledger.admit([
    anAdmission("a.fits", { size: 5 }, both),
    anAdmission("b.fits", { size: 7 }, both),
    anAdmission("skipped.fits", { size: 100 }),
    { ...anAdmission("other.fits", { size: 1000 }), night: "20240518" },
  ], NOW);
  ledger.record([proven(a!), { ...proven(b!, null) }], NOW + 2000);
  ledger.record([broken(e!, "skipped")], NOW + 3000);
}

export const NIGHTS: readonly Check[] = [
  {
    name: "nightTotals() counts each file once, and what is verified by a hash separately from what is delivered",
    run({ ledger }) {
      fill(ledger);
      assertEquals(ledger.nightTotals("20240517"), {
        files: 2,
        bytes: 12,
        places: [
          { job: "spring", destination: "freya", expected: 2, delivered: 1, proven: 1, failed: 0, bytes: 5 },
          { job: "spring", destination: "nas", expected: 2, delivered: 1, proven: 0, failed: 0, bytes: 5 },
        ],
      });
    },
  },
  {
    name: "nightTotals() of a night without files is all zero",
    run({ ledger }) {
      fill(ledger);
      assertEquals(ledger.nightTotals("19990101"), { files: 0, bytes: 0, places: [] });
    },
  },
  {
    name: "nightUndelivered() counts images, not deliveries: one that is missing at two destinations is one",
    run({ ledger }) {
      fill(ledger);
      assertEquals(ledger.nightUndelivered("20240517"), { images: 1, failed: 0 });
      const [both] = ledger.admit([anAdmission("c.fits", {}, ["freya", "nas"])], NOW);
      assertEquals(ledger.nightUndelivered("20240517"), { images: 2, failed: 0 });
      ledger.record([broken(both!, "exists")], NOW + 4000);
      assertEquals(ledger.nightUndelivered("20240517"), { images: 2, failed: 1 });
      assertEquals(ledger.nightUndelivered("19990101"), { images: 0, failed: 0 });
    },
  },
  {
    name: "nightPoints() gives the night's deliveries page by page, without those superseded or skipped",
    run({ ledger }) {
      fill(ledger);
      const first = ledger.nightPoints("20240517", 0, 3);
      assertEquals(first.map(({ id, size, deliveredAt }) => [id, size, deliveredAt]), [[1, 5, NOW + 2000], [2, 5, NOW + 2000], [
        3,
        7,
        null,
      ]]);
      assertEquals(ledger.nightPoints("20240517", 3, 3).map(({ id }) => id), [4]);
      assertEquals(ledger.nightPoints("20240517", 5, 3), []);
    },
  },
  {
    name: "flagged() names the files of a night that were admitted with a warning, once however many destinations they have",
    run({ ledger }) {
      const flagged = (path: string) => ({ ...anAdmission(path, {}, ["freya", "nas"]), warning: `${path} is damaged` });
      ledger.admit([flagged("a"), anAdmission("b"), flagged("c"), { ...flagged("d"), night: "20240518" }], NOW);
      const { count, files } = ledger.flagged("20240517", 1);
      assertEquals([count, files.map(({ source, warning }) => [source.path, warning])], [2, [["a", "a is damaged"]]]);
      assertEquals(ledger.query({ destination: "nas" }).map(({ warning }) => warning), [
        "a is damaged",
        "c is damaged",
        "d is damaged",
      ]);
    },
  },
];
