/** Questions about images: a version of a file with all of its deliveries. */
import { assertEquals } from "@std/assert";
import type { ImageQuery } from "../../../src/ledger/history.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { anAdmission, broken, NOW, proven } from "../makers.ts";
import type { Check } from "./conformance.ts";

/** Deliveries 1 and 2 are of the first image, 3 and 4 of the second, 5 and 6 of the third, 7 is of the fourth. */
function fill(ledger: Ledger): void {
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

const CASES: readonly [string, ImageQuery, number[][]][] = [
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
  ...CASES.map(([name, query, ids]): Check => ({
    name: `images() finds ${name}`,
    run({ ledger }) {
      fill(ledger);
      assertEquals(ledger.images(query).map((rows) => rows.map((row) => row.delivery.id)), ids);
      if (query.limit === undefined) assertEquals(ledger.countImages(query), ids.length);
    },
  })),
  {
    name: "neighbours() are those of the list, from any delivery of an image, and end where it ends",
    run({ ledger }) {
      fill(ledger);
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
    },
  },
  {
    name: "imageOf() gives all deliveries of an image for any of them, and nothing for an unknown one",
    run({ ledger }) {
      fill(ledger);
      assertEquals(ledger.imageOf(4).map(({ delivery }) => delivery.id), [3, 4]);
      assertEquals(ledger.imageOf(99), []);
    },
  },
  {
    name: "nightFrames() tells target, filter and exposure of each image of a night, page by page",
    run({ ledger }) {
      fill(ledger);
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
    },
  },
];
