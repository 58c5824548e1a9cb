import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import type { Verdict } from "../../../src/formats/format.ts";
import { tiff } from "../../../src/formats/tiff/tiff.ts";
import { needs } from "../../support/needs.ts";
import { inspect, joined, python } from "../../support/readers.ts";
import { tempFolder } from "../../support/temp.ts";

interface Layout {
  readonly little: boolean;
  readonly big: boolean;
}
type Entry = readonly [tag: number, type: number, values: readonly number[]];
const SHORT = 3, LONG = 4, RATIONAL = 5, LONG8 = 16;
const WIDTH: Record<number, number> = { [SHORT]: 2, [LONG]: 4, [RATIONAL]: 8, [LONG8]: 8 };

/** The header of a file whose first directory is at `first`. */
function opening({ little, big }: Layout, first: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(big ? 16 : 8));
  view.setUint16(0, little ? 0x4949 : 0x4d4d);
  view.setUint16(2, big ? 43 : 42, little);
  if (big) view.setUint16(4, 8, little);
  if (big) view.setBigUint64(8, BigInt(first), little);
  else view.setUint32(4, first, little);
  return new Uint8Array(view.buffer);
}

/** A directory that stands at `at`; values that do not fit follow it at once. */
function directory({ little, big }: Layout, at: number, entries: readonly Entry[], next = 0): Uint8Array {
  const word = big ? 8 : 4;
  const head = big ? 8 : 2;
  const table = head + entries.length * (4 + 2 * word) + word;
  const long = entries.reduce(
    (sum, [, type, values]) => sum + (WIDTH[type]! * values.length > word ? WIDTH[type]! * values.length : 0),
    0,
  );
  const view = new DataView(new ArrayBuffer(table + long));
  const put = (place: number, width: number, value: number) =>
    width === 8
      ? view.setBigUint64(place, BigInt(value), little)
      : width === 4
      ? view.setUint32(place, value, little)
      : view.setUint16(place, value, little);
  put(0, head, entries.length);
  let free = table;
  entries.forEach(([tag, type, values], index) => {
    const entry = head + index * (4 + 2 * word);
    put(entry, 2, tag);
    put(entry + 2, 2, type);
    put(entry + 4, word, values.length);
    const length = WIDTH[type]! * values.length;
    const place = length > word ? free : entry + 4 + word;
    if (length > word) put(entry + 4 + word, word, at + free), free += length;
    values.forEach((value, i) => put(place + i * WIDTH[type]!, WIDTH[type]!, value));
  });
  put(head + entries.length * (4 + 2 * word), word, next);
  return new Uint8Array(view.buffer);
}

const strips = (
  offsets: number[],
  counts: number[],
  type = LONG,
): Entry[] => [[256, SHORT, [10]], [273, type, offsets], [279, type, counts]];

for (const big of [false, true]) {
  for (const little of [true, false]) {
    const kind: Layout = { little, big };
    const name = `${big ? "BigTIFF" : "TIFF"}, ${little ? "little" : "big"}-endian`;
    const head = big ? 16 : 8;

    Deno.test(`tiff.inspect() knows the length of ${name}, directory last`, async () => {
      const first = directory(kind, 2000, strips([100, 900], [500, 1000]));
      const file = joined(opening(kind, 2000), new Uint8Array(2000 - head), first);
      await knows(file, file.length);
    });

    Deno.test(`tiff.inspect() knows the length of ${name}, directory first, in tiles`, async () => {
      const first = directory(kind, head, [[324, LONG, [600, 3000]], [325, SHORT, [2400, 77]], [282, RATIONAL, [72]]]);
      await knows(joined(opening(kind, head), first, new Uint8Array(3077 - head - first.length)), 3077);
    });

    Deno.test(`tiff.inspect() follows pages and directories within directories of ${name}`, async () => {
      const page = directory(kind, 400, [[34665, LONG, [800]], [330, LONG, [1200, 1600]]], 2000);
      const places: [number, Uint8Array][] = [
        [400, page],
        [800, directory(kind, 800, [[40965, LONG, [2400]]])],
        [1200, directory(kind, 1200, strips([100], [10]))],
        [1600, directory(kind, 1600, strips([4000], [96]), 400)],
        [2000, directory(kind, 2000, strips([100], [10]))],
        [2400, directory(kind, 2400, [[1, SHORT, [1]]])],
      ];
      const file = new Uint8Array(4096);
      file.set(opening(kind, 400));
      for (const [at, bytes] of places) file.set(bytes, at);
      await knows(file, 4096);
    });
  }
}

async function knows(file: Uint8Array, declared: number): Promise<void> {
  assertEquals(await inspect(tiff, file), { verdict: "reached", declaredBytes: declared });
  for (let size = 0; size < declared; size += size < 64 ? 1 : 7) {
    assertEquals((await inspect(tiff, file, size)).verdict, "short", `${size} of ${declared}`);
  }
  const longer = joined(file, new Uint8Array(100));
  assertEquals(await inspect(tiff, longer), { verdict: "reached", declaredBytes: declared });
}

const le: Layout = { little: true, big: false };
const bigLe: Layout = { little: true, big: true };
const at8 = (kind: Layout, ...entries: Entry[]) =>
  joined(opening(kind, kind.big ? 16 : 8), directory(kind, kind.big ? 16 : 8, entries));

const VERDICTS: [about: string, file: Uint8Array, verdict: Verdict["verdict"], text: RegExp][] = [
  ["an empty file", new Uint8Array(0), "short", /empty/],
  ["zeros", new Uint8Array(500), "short", /zeros/],
  ["a directory that is not written yet", joined(opening(le, 0), new Uint8Array(500)), "short", /not written yet/],
  ["a directory of zeros", joined(opening(le, 8), new Uint8Array(500)), "short", /not written yet/],
  ["one letter", joined("I"), "short", /not complete/],
  ["something else", joined("PK\x03\x04........"), "undeclared", /not a TIFF file/],
  ["a wrong version", joined("II\x2c\0abcdefgh"), "undeclared", /not a TIFF file/],
  ["strips without lengths", at8(le, [273, LONG, [8]]), "undeclared", /does not declare the length/],
  ["fewer lengths than strips", at8(le, [273, LONG, [8, 8]], [279, LONG, [1]]), "undeclared", /does not declare the length/],
  ["a hole in place of a strip", at8(le, ...strips([0, 8], [0, 10])), "reached", /^$/],
  [
    "a GPS directory with something else behind it, as dcraw and LibRaw write it",
    joined(
      opening(le, 8),
      directory(le, 8, [...strips([8], [4]), [34853, LONG, [62]]]),
      directory(le, 62, [[0, SHORT, [1]]], 0x10_0010),
    ),
    "reached",
    /^$/,
  ],
  ["a directory at 2^63", opening(bigLe, 2 ** 63), "undeclared", /directory has the impossible offset/],
  ["data at 2^60", at8(bigLe, ...strips([2 ** 60], [2 ** 60], LONG8)), "undeclared", /image data has an impossible offset/],
  [
    "a directory of 2^40 entries",
    joined(opening(bigLe, 16), new Uint8Array([0, 0, 0, 0, 0, 1, 0, 0]), new Uint8Array(99)),
    "undeclared",
    /entries/,
  ],
];
for (const [about, file, verdict, text] of VERDICTS) {
  Deno.test(`tiff.inspect() judges ${about}: ${verdict}`, async () => {
    const found = await inspect(tiff, file);
    assertEquals(found.verdict, verdict);
    assertMatch("reason" in found ? found.reason : found.warning ?? "", text);
  });
}

Deno.test("tiff.inspect() ends though directories lead in circles", async () => {
  const file = joined(opening(le, 8), directory(le, 8, strips([8], [4]), 8));
  assertEquals((await inspect(tiff, file)).verdict, "reached");
});

Deno.test("tiff.inspect() gives up where many directories share millions of strips", async () => {
  // 3000 directories of one entry each, all pointing at the same list of 50,000 strips.
  const list = 100_000, count = 50_000, pages = 3000;
  const file = new Uint8Array(list + 4 * count);
  const view = new DataView(file.buffer);
  file.set(opening(le, 8));
  for (let page = 0; page < pages; page++) {
    const at = 8 + page * 30;
    view.setUint16(at, 2, true);
    [273, 279].forEach((tag, i) =>
      [[0, tag, 2], [2, LONG, 2], [4, count, 4], [8, list, 4]].forEach(([place, value, width]) => {
        const to = at + 2 + i * 12 + place!;
        if (width === 2) view.setUint16(to, value!, true);
        else view.setUint32(to, value!, true);
      })
    );
    view.setUint32(at + 26, page + 1 < pages ? at + 30 : 0, true);
  }
  const verdict = await inspect(tiff, file);
  assertMatch(verdict.verdict === "undeclared" ? verdict.warning ?? "" : verdict.verdict, /too many/);
});

Deno.test("tiff.inspect() never throws or hangs, whatever the bytes", async () => {
  const kind = fc.record({ little: fc.boolean(), big: fc.boolean() });
  const entry = fc.tuple(
    fc.constantFrom(256, 273, 279, 324, 325, 330, 513, 514, 34665),
    fc.constantFrom(SHORT, LONG, RATIONAL, LONG8),
    fc.array(fc.nat(65_535), { maxLength: 6 }),
  );
  const made = fc.tuple(kind, fc.array(entry, { maxLength: 8 }), fc.nat(300), fc.uint8Array({ maxLength: 300 }))
    .map(([layout, entries, next, rest]) =>
      joined(at8(layout, ...(entries as unknown as Entry[])), directory(layout, next, []), rest)
    );
  const begun = fc.tuple(
    fc.constantFrom("II*\0", "MM\0*", "II+\0\x08\0\0\0", "MM\0+\0\x08\0\0"),
    fc.uint8Array({ maxLength: 200 }),
  ).map((parts) => joined(...parts));
  await fc.assert(
    fc.asyncProperty(fc.oneof(made, begun, fc.uint8Array()), async (content) => {
      const verdict = await inspect(tiff, content);
      if (verdict.verdict === "reached") assert(verdict.declaredBytes <= content.length);
    }),
    { numRuns: 300 },
  );
});

Deno.test("tiff.inspect() knows the length of files that Pillow and libtiff wrote", needs("pillow"), async () => {
  await using folder = await tempFolder();
  for (const path of JSON.parse(await python(WRITE, folder.path)) as string[]) {
    const written = await Deno.readFile(path);
    // Pillow fills the last page up to 16 bytes.
    const end = written.findLastIndex((byte) => byte !== 0) + 1;
    const declared = await inspect(tiff, written);
    assert(declared.verdict === "reached" && declared.declaredBytes >= end && declared.declaredBytes <= written.length, path);
    const file = written.subarray(0, declared.declaredBytes);
    assert(written.length - file.length < 16, path);
    for (let size = 0; size < file.length; size += Math.ceil(file.length / 300)) {
      assertEquals((await inspect(tiff, file, size)).verdict, "short", `${path} ${size}`);
    }
  }
});

const WRITE = `
import sys, json
from PIL import Image
folder, paths = sys.argv[1], []
image = Image.effect_noise((301, 207), 50)
pages = [image.rotate(90 * i, expand=True) for i in range(3)]
for name, options in [("raw", {}), ("lzw", {"compression": "tiff_lzw"}), ("deflate", {"compression": "tiff_adobe_deflate"}),
                      ("jpeg", {"compression": "jpeg"}), ("pages", {"save_all": True, "append_images": pages})]:
    path = f"{folder}/{name}.tif"
    image.save(path, **options)
    paths.append(path)
print(json.dumps(paths))
`;
