/** Questions about deliveries, counts and nights. */
import { assertEquals } from "@std/assert";
import type { DeliveryQuery } from "../../../src/ledger/history.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { aClaim, anAdmission, broken, deliveryOf, later, NOW, proven } from "../makers.ts";
import type { Check } from "./conformance.ts";

function fill(ledger: Ledger): void {
  const [a, b, c, , e] = ledger.admit([
    anAdmission("20240517/M31_1.fits", { size: 5, mtimeMs: 1 }),
    { ...anAdmission("20240518/m31_2.fits", { size: 4, mtimeMs: 2 }), night: "20240518" },
    anAdmission("100%_Ähre.fits", { size: 3, mtimeMs: 3 }),
    anAdmission("q.fits", { size: 2, mtimeMs: 4 }, ["nas"]),
    anAdmission("s.fits", { size: 1, mtimeMs: 5 }, ["freya"], "autumn"),
  ], NOW);
  ledger.record([proven(a!)], NOW + 2);
  ledger.record([proven(b!)], NOW + 1);
  ledger.record([broken(c!), broken(e!, "skipped")], NOW);
}

const CASES: readonly [string, DeliveryQuery, number[]][] = [
  ["everything, in the order of queueing", {}, [1, 2, 3, 4, 5]],
  ["a job", { job: "autumn" }, [5]],
  ["a destination", { destination: "nas" }, [4]],
  ["a night", { night: "20240518" }, [2]],
  ["states", { states: ["queued", "failed"] }, [3, 4, 5]],
  ["no states at all", { states: [] }, []],
  ["trouble", { trouble: true }, [3]],
  ["a part of the path in any case", { search: "M31" }, [1, 2]],
  ["a part in any case beyond ASCII", { search: "äHRE" }, [3]],
  ["a part with the wildcards of LIKE as themselves", { search: "0%_" }, [3]],
  ["a part of the folder above", { search: "/data/q" }, [4]],
  ["an underscore that is no wildcard", { search: "M3__1" }, []],
  ["ids", { ids: [5, 2, 77] }, [2, 5]],
  ["by size", { sort: "size" }, [5, 4, 3, 2, 1]],
  ["by path, last first", { sort: "path", descending: true }, [5, 4, 2, 1, 3]],
  ["by last change of the file, last first", { sort: "changed_at", descending: true }, [5, 4, 3, 2, 1]],
  ["by time of delivery", { sort: "delivered_at", states: ["delivered"] }, [2, 1]],
  ["a page", { descending: true, limit: 2, offset: 1 }, [4, 3]],
  ["several conditions", { search: "m31", night: "20240517", states: ["delivered"] }, [1]],
];

export const HISTORY: readonly Check[] = [
  ...CASES.map(([name, query, ids]): Check => ({
    name: `query() finds ${name}`,
    run({ ledger }) {
      fill(ledger);
      assertEquals(ledger.query(query).map((row) => row.delivery.id), ids);
      const { limit: _l, offset: _o, ...whole } = query;
      if (query.limit === undefined) assertEquals(ledger.count(whole), ids.length);
      if (query.sort === undefined && query.offset === undefined) {
        assertEquals([...ledger.each(query)].map((row) => row.delivery.id), ids);
      }
    },
  })),
  {
    name: "each() goes through thousands of rows both ways, up to a limit",
    run({ ledger }) {
      ledger.admit(Array.from({ length: 4_500 }, (_, k) => anAdmission(`${k}.fits`)), NOW);
      const up = [...ledger.each({})].map((row) => row.delivery.id);
      assertEquals([up.length, new Set(up).size, up[0]! < up.at(-1)!], [4_500, 4_500, true]);
      assertEquals([...ledger.each({ descending: true })].map((row) => row.delivery.id), up.toReversed());
      assertEquals([...ledger.each({ limit: 2_001 })].map((row) => row.delivery.id), up.slice(0, 2_001));
    },
  },
  {
    name: "each() may be left half-way, and rows may be recorded meanwhile",
    run({ ledger }) {
      ledger.admit(Array.from({ length: 3_000 }, (_, k) => anAdmission(`${k}.fits`)), NOW);
      let seen = 0;
      for (const { delivery } of ledger.each({ states: ["queued"] })) {
        ledger.record([proven(delivery)], NOW);
        if (++seen === 2_500) break;
      }
      assertEquals(ledger.counts().delivered, 2_500);
    },
  },
  {
    name: "counts() leaves out what is no trouble, and can be asked by job and destination",
    run({ ledger }) {
      fill(ledger);
      assertEquals(ledger.counts(), { queued: 1, sending: 0, deferred: 0, delivered: 2, failed: 1 });
      assertEquals(ledger.counts("autumn"), { queued: 0, sending: 0, deferred: 0, delivered: 0, failed: 0 });
      assertEquals(ledger.counts(undefined, "nas"), { queued: 1, sending: 0, deferred: 0, delivered: 0, failed: 0 });
      assertEquals(ledger.counts("spring", "freya").delivered, 2);
    },
  },
  {
    name: "failedByCode() counts what failed by its reason, the most frequent first, and leaves out what is no trouble",
    run({ ledger }) {
      const all = ["a", "b", "c", "d", "e"].map((name, at) => ledger.admit([anAdmission(name)], NOW + at)[0]!);
      const codes = ["exists", "bad_name", "exists", "superseded"] as const;
      ledger.record(codes.map((code, at) => broken(all[at]!, code)), NOW + 9);
      assertEquals(ledger.failedByCode("spring", "freya"), [
        { code: "exists", count: 2, since: NOW },
        { code: "bad_name", count: 1, since: NOW + 1 },
      ]);
      assertEquals(ledger.failedByCode("spring", "nas"), []);
    },
  },
  {
    name: "waitingImages() counts an image once, however many of the destinations it waits for",
    run({ ledger }) {
      assertEquals(ledger.waitingImages("spring", ["nas"]), 0);
      const [first] = ledger.admit([
        anAdmission("both", {}, ["nas", "freya"]),
        anAdmission("one", {}, ["nas"]),
        anAdmission("other", {}, ["tape"]),
      ], NOW);
      assertEquals(ledger.waitingImages("spring", ["nas", "freya"]), 2);
      assertEquals(ledger.waitingImages("spring", ["nas", "freya", "tape"]), 3);
      ledger.record([proven(first!)], NOW);
      assertEquals([ledger.waitingImages("spring", ["nas"]), ledger.waitingImages("spring", ["freya"])], [1, 1]);
      assertEquals([ledger.waitingImages("autumn", ["nas"]), ledger.waitingImages("spring", [])], [0, 0]);
    },
  },
  {
    name: "waitingBytes() sums the sizes of what is still to be delivered to a destination",
    run({ ledger }) {
      assertEquals(ledger.waitingBytes("spring", "nas"), 0);
      const [a, b] = ledger.admit(
        [anAdmission("a", { size: 100 }, ["nas"]), anAdmission("b", { size: 20 }, ["nas", "freya"])],
        NOW,
      );
      assertEquals([ledger.waitingBytes("spring", "nas"), ledger.waitingBytes("spring", "freya")], [120, 20]);
      ledger.record([later(b!, NOW + 99)], NOW);
      assertEquals(ledger.waitingBytes("spring", "nas"), 120);
      ledger.claim(aClaim());
      ledger.record([proven(a!)], NOW);
      assertEquals([ledger.waitingBytes("spring", "nas"), ledger.waitingBytes("autumn", "nas")], [20, 0]);
    },
  },
  {
    name: "oldestWaiting() and nights() answer from what is there",
    run({ ledger }) {
      assertEquals([ledger.oldestWaiting(), ledger.nights()], [null, []]);
      const [a] = ledger.admit([{ ...anAdmission("a"), night: "20240520" }], NOW);
      const [b] = ledger.admit([anAdmission("b", {}, ["nas"])], NOW + 5);
      assertEquals([ledger.oldestWaiting(), ledger.oldestWaiting("spring", "nas"), ledger.oldestWaiting("autumn")], [
        NOW,
        NOW + 5,
        null,
      ]);
      ledger.claim(aClaim());
      assertEquals(ledger.oldestWaiting(), NOW);
      ledger.record([proven(a!)], NOW);
      assertEquals(ledger.oldestWaiting(), NOW + 5);
      ledger.record([later(b!, NOW + 99)], NOW);
      assertEquals(ledger.oldestWaiting(), NOW + 5);
      assertEquals(ledger.nights(), ["20240517", "20240520"]);
    },
  },
  {
    name: "places() names every job and destination that had a delivery, and no other",
    run({ ledger }) {
      fill(ledger);
      assertEquals(ledger.places(), [
        { job: "autumn", destination: "freya" },
        { job: "spring", destination: "freya" },
        { job: "spring", destination: "nas" },
      ]);
    },
  },
  {
    name: "replaced() names what was delivered to a target before the last time, whatever the order of queueing",
    run({ ledger }) {
      fill(ledger);
      const [v1, other] = ledger.admit([anAdmission("same.fits", { size: 1 }), anAdmission("other.fits")], NOW);
      const [v2, nas] = ledger.admit([{ ...anAdmission("same.fits", { size: 2 }, ["freya", "nas"]), night: "20240518" }], NOW);
      ledger.record([proven(v2!)], NOW + 5);
      ledger.record([proven(other!), proven(nas!)], NOW + 5);
      assertEquals(ledger.replaced("spring", "freya"), []);
      ledger.record([proven(v1!)], NOW + 6);
      assertEquals(ledger.replaced("spring", "freya"), [v2!.id]);
      ledger.record([proven(v2!)], NOW + 6);
      // In the same millisecond the one queued later counts as the later.
      assertEquals(ledger.replaced("spring", "freya"), [v1!.id]);
      assertEquals([ledger.replaced("spring", "nas"), ledger.replaced("autumn", "freya")], [[], []]);
    },
  },
  {
    name: "namesakes() finds delivered names that differ in case or in the form of accents only",
    run({ ledger }) {
      const names = ["M31.fits", "m31.fits", "m31.fit", "n/Caf\u00e9_1%.fits", "n/cafe\u0301_1%.fits", "n/cafx_1%.fits"];
      ledger.admit(names.map((name) => anAdmission(name)), NOW);
      ledger.record(names.map((name) => proven(deliveryOf(ledger, name))), NOW);
      const of = (target: string) => ledger.namesakes("spring", "freya", target);
      assertEquals(of("m31.FITS"), ["M31.fits", "m31.fits"]);
      assertEquals(of("M31.fits"), ["m31.fits"]);
      assertEquals(of("n/CAFE\u0301_1%.fits"), ["n/Caf\u00e9_1%.fits", "n/cafe\u0301_1%.fits"]);
      assertEquals(of("alone.fits"), []);
    },
  },
];
