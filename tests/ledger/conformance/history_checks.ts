/** Questions about deliveries, images, counts, nights, and when destinations could be delivered to. */
import { assertEquals } from "@std/assert";
import type { DeliveryQuery, ImageQuery } from "../../../src/ledger/history.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { aClaim, anAdmission, broken, deliveryOf, later, NOW, proven } from "../makers.ts";
import { type Check, check } from "./check.ts";

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
  check("each() goes through thousands of rows both ways, up to a limit", ({ ledger }) => {
    ledger.admit(Array.from({ length: 4_500 }, (_, k) => anAdmission(`${k}.fits`)), NOW);
    const up = [...ledger.each({})].map((row) => row.delivery.id);
    assertEquals([up.length, new Set(up).size, up[0]! < up.at(-1)!], [4_500, 4_500, true]);
    assertEquals([...ledger.each({ descending: true })].map((row) => row.delivery.id), up.toReversed());
    assertEquals([...ledger.each({ limit: 2_001 })].map((row) => row.delivery.id), up.slice(0, 2_001));
  }),
  check("each() may be left half-way, and rows may be recorded meanwhile", ({ ledger }) => {
    ledger.admit(Array.from({ length: 3_000 }, (_, k) => anAdmission(`${k}.fits`)), NOW);
    let seen = 0;
    for (const { delivery } of ledger.each({ states: ["queued"] })) {
      ledger.record([proven(delivery)], NOW);
      if (++seen === 2_500) break;
    }
    assertEquals(ledger.counts().delivered, 2_500);
  }),
  check("counts() leaves out what is no trouble, and can be asked by job and destination", ({ ledger }) => {
    fill(ledger);
    assertEquals(ledger.counts(), { queued: 1, sending: 0, deferred: 0, delivered: 2, failed: 1 });
    assertEquals(ledger.counts("autumn"), { queued: 0, sending: 0, deferred: 0, delivered: 0, failed: 0 });
    assertEquals(ledger.counts(undefined, "nas"), { queued: 1, sending: 0, deferred: 0, delivered: 0, failed: 0 });
    assertEquals(ledger.counts("spring", "freya").delivered, 2);
  }),
  check(
    "failedByCode() counts what failed by its reason, the most frequent first, and leaves out what is no trouble",
    ({ ledger }) => {
      const all = ["a", "b", "c", "d", "e"].map((name, at) => ledger.admit([anAdmission(name)], NOW + at)[0]!);
      const codes = ["exists", "bad_name", "exists", "superseded"] as const;
      ledger.record(codes.map((code, at) => broken(all[at]!, code)), NOW + 9);
      assertEquals(ledger.failedByCode("spring", "freya"), [
        { code: "exists", count: 2, since: NOW },
        { code: "bad_name", count: 1, since: NOW + 1 },
      ]);
      assertEquals(ledger.failedByCode("spring", "nas"), []);
    },
  ),
  check("waitingImages() counts an image once, however many of the destinations it waits for", ({ ledger }) => {
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
  }),
  check("waitingBytes() sums the sizes of what is still to be delivered to a destination", ({ ledger }) => {
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
  }),
  check("oldestWaiting() and nights() answer from what is there", ({ ledger }) => {
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
  }),
  check("places() names every job and destination that had a delivery, and no other", ({ ledger }) => {
    fill(ledger);
    assertEquals(ledger.places(), [
      { job: "autumn", destination: "freya" },
      { job: "spring", destination: "freya" },
      { job: "spring", destination: "nas" },
    ]);
  }),
  check("replaced() names what was delivered to a target before the last time, whatever the order of queueing", ({ ledger }) => {
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
  }),
  check("namesakes() finds delivered names that differ in case or in the form of accents only", ({ ledger }) => {
    const names = ["M31.fits", "m31.fits", "m31.fit", "n/Caf\u00e9_1%.fits", "n/cafe\u0301_1%.fits", "n/cafx_1%.fits"];
    ledger.admit(names.map((name) => anAdmission(name)), NOW);
    ledger.record(names.map((name) => proven(deliveryOf(ledger, name))), NOW);
    const of = (target: string) => ledger.namesakes("spring", "freya", target);
    assertEquals(of("m31.FITS"), ["M31.fits", "m31.fits"]);
    assertEquals(of("M31.fits"), ["m31.fits"]);
    assertEquals(of("n/CAFE\u0301_1%.fits"), ["n/Caf\u00e9_1%.fits", "n/cafe\u0301_1%.fits"]);
    assertEquals(of("alone.fits"), []);
  }),
];

/** Deliveries 1 and 2 are of the first image, 3 and 4 of the second, 5 and 6 of the third, 7 is of the fourth. */
function fillImages(ledger: Ledger): void {
  const both = ["freya", "nas"];
  const cards = (target: string, filter: string, type = "Light") => ({
    cards: { OBJECT: target, FILTER: filter, IMAGETYP: type, EXPTIME: 300 },
  });
  const [a1, a2, b1, , c1, c2] = ledger.admit([
    { ...anAdmission("m31_1.fits", { size: 5 }, both), ...cards("M31", "Ha") },
    { ...anAdmission("m31_2.fits", { size: 9 }, both), ...cards("M31", "OIII") },
    { ...anAdmission("dark_1.fits", { size: 1 }, both), ...cards("M31", "Ha", "Dark Frame") },
    { ...anAdmission("plain.jpg", { size: 3 }, ["nas"]), night: "20240518" },
  ], NOW);
  ledger.record([proven(a1!)], NOW + 9);
  ledger.record([proven(a2!), proven(b1!)], NOW + 1);
  ledger.record([proven(c1!)], NOW + 5);
  ledger.record([broken(c2!)], NOW);
}

const IMAGE_CASES: readonly [string, ImageQuery, number[][]][] = [
  ["everything, in the order of admission", {}, [[1, 2], [3, 4], [5, 6], [7]]],
  ["the newest first, page by page", { descending: true, limit: 2, offset: 1 }, [[5, 6], [3, 4]]],
  ["a destination, each image with all of its deliveries", { destination: "freya" }, [[1, 2], [3, 4], [5, 6]]],
  ["those that wait somewhere", { states: ["queued"] }, [[3, 4], [7]]],
  ["those that are delivered somewhere", { states: ["delivered"] }, [[1, 2], [3, 4], [5, 6]]],
  ["those that wait at one destination", { states: ["queued"], destination: "freya" }, []],
  ["trouble", { trouble: true }, [[5, 6]]],
  ["a night", { night: "20240518" }, [[7]]],
  ["another job", { job: "autumn" }, []],
  ["a part of the path", { search: "M31_" }, [[1, 2], [3, 4]]],
  ["a target, without the darks that were taken after it", { target: "M31" }, [[1, 2], [3, 4]]],
  ["a kind of calibration", { target: "Dark Frame" }, [[5, 6]]],
  ["a target through a filter", { target: "M31", filter: "OIII" }, [[3, 4]]],
  ["images without a header", { target: "-", filter: "-" }, [[7]]],
  ["ids of deliveries", { ids: [4, 7] }, [[3, 4], [7]]],
  ["by path", { sort: "path" }, [[5, 6], [1, 2], [3, 4], [7]]],
  ["by size, the largest first", { sort: "size", descending: true }, [[3, 4], [1, 2], [7], [5, 6]]],
  ["by their last delivery", { sort: "delivered_at", states: ["delivered"] }, [[3, 4], [5, 6], [1, 2]]],
  ["by their last delivery, the latest first", { sort: "delivered_at", descending: true }, [[1, 2], [5, 6], [3, 4], [7]]],
];

export const IMAGES: readonly Check[] = [
  ...IMAGE_CASES.map(([name, query, ids]): Check => ({
    name: `images() finds ${name}`,
    run({ ledger }) {
      fillImages(ledger);
      assertEquals(ledger.images(query).map((rows) => rows.map((row) => row.delivery.id)), ids);
      if (query.limit === undefined) assertEquals(ledger.countImages(query), ids.length);
    },
  })),
  check("neighbours() are those of the list, from any delivery of an image, and end where it ends", ({ ledger }) => {
    fillImages(ledger);
    const all = [{}, { descending: true }, { sort: "path" }, { sort: "size", descending: true }, { target: "M31" }] as const;
    for (const query of all) {
      const list = ledger.images(query).map((rows) => rows.map(({ delivery }) => delivery.id));
      for (const [at, ids] of list.entries()) {
        const expected = { former: list[at - 1]?.[0] ?? null, next: list[at + 1]?.[0] ?? null };
        for (const id of ids) assertEquals([query, id, ledger.neighbours(id, query)], [query, id, expected]);
      }
    }
    const byDelivery = { sort: "delivered_at", states: ["delivered"] } as const;
    assertEquals(ledger.neighbours(6, byDelivery), { former: 3, next: 1 });
    assertEquals(ledger.neighbours(99, {}), { former: null, next: null });
  }),
  check("imageOf() gives all deliveries of an image for any of them, and nothing for an unknown one", ({ ledger }) => {
    fillImages(ledger);
    assertEquals(ledger.imageOf(4).map(({ delivery }) => delivery.id), [3, 4]);
    assertEquals(ledger.imageOf(99), []);
  }),
  check("nightFrames() tells target, filter and exposure of each image of a night, page by page", ({ ledger }) => {
    fillImages(ledger);
    const shown = (first: number, limit: number) =>
      ledger.nightFrames("20240517", first, 9, limit).map((
        one,
      ) => [one.versionId, one.path, one.target, one.filter, one.exposure]);
    assertEquals(shown(1, 2), [[1, "m31_1.fits", "M31", "Ha", 300], [2, "m31_2.fits", "M31", "OIII", 300]]);
    assertEquals(shown(3, 2), [[3, "dark_1.fits", "Dark Frame", "Ha", 300]]);
    assertEquals(ledger.nightFrames("20240518", 1, 9, 9).map((one) => [one.target, one.filter, one.exposure]), [[
      "-",
      "-",
      null,
    ]]);
  }),
];

function fillNights(ledger: Ledger): void {
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
  check("nightTotals() counts each file once, and what is verified by a hash separately from what is delivered", ({ ledger }) => {
    fillNights(ledger);
    assertEquals(ledger.nightTotals("20240517"), {
      files: 2,
      bytes: 12,
      places: [
        { job: "spring", destination: "freya", expected: 2, delivered: 1, proven: 1, failed: 0, bytes: 5 },
        { job: "spring", destination: "nas", expected: 2, delivered: 1, proven: 0, failed: 0, bytes: 5 },
      ],
    });
  }),
  check("nightTotals() of a night without files is all zero", ({ ledger }) => {
    fillNights(ledger);
    assertEquals(ledger.nightTotals("19990101"), { files: 0, bytes: 0, places: [] });
  }),
  check("nightUndelivered() counts images, not deliveries: one that is missing at two destinations is one", ({ ledger }) => {
    fillNights(ledger);
    assertEquals(ledger.nightUndelivered("20240517"), { images: 1, failed: 0 });
    const [both] = ledger.admit([anAdmission("c.fits", {}, ["freya", "nas"])], NOW);
    assertEquals(ledger.nightUndelivered("20240517"), { images: 2, failed: 0 });
    ledger.record([broken(both!, "exists")], NOW + 4000);
    assertEquals(ledger.nightUndelivered("20240517"), { images: 2, failed: 1 });
    assertEquals(ledger.nightUndelivered("19990101"), { images: 0, failed: 0 });
  }),
  check("nightPoints() gives the night's deliveries page by page, without those superseded or skipped", ({ ledger }) => {
    fillNights(ledger);
    const first = ledger.nightPoints("20240517", 0, 3);
    assertEquals(first.map(({ id, size, deliveredAt }) => [id, size, deliveredAt]), [[1, 5, NOW + 2000], [2, 5, NOW + 2000], [
      3,
      7,
      null,
    ]]);
    assertEquals(ledger.nightPoints("20240517", 3, 3).map(({ id }) => id), [4]);
    assertEquals(ledger.nightPoints("20240517", 5, 3), []);
  }),
  check(
    "flagged() names the files of a night that were admitted with a warning, once however many destinations they have",
    ({ ledger }) => {
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
  ),
];

const DAY = 86_400_000;

export const AVAILABILITY: readonly Check[] = [
  check("availability() tells what was noted in a time, after the last note before it of each place", ({ ledger, read }) => {
    ledger.noteRunning(NOW);
    ledger.noteState("spring", "nas", "on_hold", NOW + 1);
    ledger.noteState("spring", "freya", "backing_off", NOW + 2);
    ledger.noteState("spring", "nas", "open", NOW + 3);
    ledger.noteState("spring", "freya", "open", NOW + 9);
    using reader = read();
    const told = reader.availability(NOW + 3, NOW + 9).map(({ at, destination, state }) => [at - NOW, destination, state]);
    assertEquals(told, [[0, "", "running"], [1, "nas", "on_hold"], [2, "freya", "backing_off"], [3, "nas", "open"]]);
    assertEquals(ledger.availability(0, NOW), []);
  }),
  check("noteRunning() notes that the former daemon was lost, at the last thing that it recorded", ({ ledger }) => {
    const states = () => ledger.availability(0, NOW + DAY).map(({ at, state }) => [at - NOW, state]);
    ledger.noteRunning(NOW);
    const [a] = ledger.admit([anAdmission("a")], NOW + 5);
    ledger.record([proven(a!, undefined, NOW + 7)], NOW + 7);
    ledger.noteRunning(NOW + 60);
    assertEquals(states(), [[0, "running"], [7, "lost"], [60, "running"]]);
    ledger.noteStopped(NOW + 70);
    ledger.noteRunning(NOW + 80);
    assertEquals(states().slice(3), [[70, "stopped"], [80, "running"]]);
  }),
  check("noteRunning() forgets what is older than 90 days", ({ ledger }) => {
    ledger.noteState("spring", "nas", "on_hold", NOW);
    ledger.noteState("spring", "nas", "open", NOW + 2 * DAY);
    ledger.noteRunning(NOW + 91 * DAY);
    assertEquals(ledger.availability(0, NOW + 100 * DAY).map(({ state }) => state), ["open", "running"]);
  }),
  check("lastAdmitted() tells when the last files of all jobs came, newest first", ({ ledger }) => {
    ["a", "b", "c"].forEach((name, i) => ledger.admit([anAdmission(name)], NOW + i));
    assertEquals(ledger.lastAdmitted(2), [{ job: "spring", at: NOW + 2 }, { job: "spring", at: NOW + 1 }]);
  }),
];
