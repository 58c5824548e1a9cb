import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import fc from "fast-check";
import { fits, MAX_HEADER_BYTES, walkHdus } from "../../../src/formats/fits/fits.ts";
import type { Verdict } from "../../../src/formats/format.ts";
import { card, counting, fitsHeader, inspect, joined, over } from "../../support/readers.ts";

const BLOCK = 2880;
const primary = (...cards: string[]) => fitsHeader(card("SIMPLE", true), ...cards);
const image = (
  bitpix: number,
  ...axes: number[]
) => [card("BITPIX", bitpix), card("NAXIS", axes.length), ...axes.map((axis, i) => card(`NAXIS${i + 1}`, axis))];
const extension = (kind: string, ...cards: string[]) => fitsHeader(card("XTENSION", kind), ...cards);
const data = (bytes: number, padding = true) =>
  new Uint8Array(padding ? Math.ceil(bytes / BLOCK) * BLOCK : bytes).fill(7, 0, bytes);

const DECLARED: [about: string, file: Uint8Array, declared: number][] = [
  ["a primary header alone", primary(...image(8)), BLOCK],
  ["an axis of 0", primary(...image(8, 100, 0)), BLOCK],
  ["a primary image", joined(primary(...image(-32, 100, 10)), data(4000)), 3 * BLOCK],
  ["data that fills its blocks", joined(primary(...image(8, BLOCK)), data(BLOCK)), 2 * BLOCK],
  ["one byte more", joined(primary(...image(8, BLOCK + 1)), data(BLOCK + 1)), 3 * BLOCK],
  ["999 axes", joined(primary(...image(16, ...Array(999).fill(1))), data(2)), Math.ceil(1003 * 80 / BLOCK) * BLOCK + BLOCK],
  [
    "random groups",
    joined(primary(...image(-32, 0, 3, 4), card("GROUPS", true), card("PCOUNT", 6), card("GCOUNT", 50)), data(4 * 50 * (6 + 12))),
    3 * BLOCK,
  ],
  [
    "an image of 0 columns that is no random groups",
    primary(...image(-32, 0, 3, 4), card("PCOUNT", 0), card("GCOUNT", 1)),
    BLOCK,
  ],
  [
    "a table with a heap behind a gap",
    joined(
      primary(...image(8)),
      extension("BINTABLE", ...image(8, 8, 10), card("PCOUNT", 5000), card("GCOUNT", 1), card("THEAP", 1000)),
      data(5080),
    ),
    4 * BLOCK,
  ],
  [
    "extensions one after another",
    joined(primary(...image(8)), ...Array(5).fill([extension("IMAGE", ...image(64, 9, 9)), data(648)]).flat()),
    11 * BLOCK,
  ],
  [
    "values in free format",
    joined(fitsHeader("SIMPLE  = T / yes", "BITPIX  = +8/bits", "NAXIS   =1".replace("=1", "= 1"), "NAXIS1  =    4.0"), data(4)),
    2 * BLOCK,
  ],
  ...["END".padEnd(80, "\0"), "END\r\n", "END     / the last card"].map((end): [string, Uint8Array, number] => [
    `a header that ends with ${JSON.stringify(end.slice(0, 9))}`,
    joined([card("SIMPLE", true), ...image(8, 10), end].map((each) => each.padEnd(80)).join("").padEnd(BLOCK), data(10)),
    2 * BLOCK,
  ]),
  ["the first of two equal keywords", joined(primary(...image(8, 10), card("NAXIS1", 99999)), data(10)), 2 * BLOCK],
];
for (const [about, file, declared] of DECLARED) {
  Deno.test(`fits.inspect() knows the length of ${about}`, async () => {
    assertEquals(await inspect(fits, file), { verdict: "reached", declaredBytes: declared });
  });
  Deno.test(`fits.inspect() finds every truncation of ${about}`, async () => {
    for (let size = 0; size < file.length; size += 97) {
      const verdict = await inspect(fits, file, size);
      if (verdict.verdict === "reached") {
        assert(onlyPaddingIsLost(file, size), `${size} of ${file.length}: ${JSON.stringify(verdict)}`);
      } else assertEquals(verdict.verdict, "short", String(size));
    }
  });
}

/** True where nothing but padding is cut off, or whole extensions and the padding before them. */
function onlyPaddingIsLost(file: Uint8Array, size: number): boolean {
  const lost = file.subarray(size);
  const next = lost.findIndex((byte) => byte !== 0 && byte !== 0x20);
  return next < 0 || ((size + next) % BLOCK === 0 && new TextDecoder().decode(lost.subarray(next, next + 8)) === "XTENSION");
}

const image10 = joined(primary(...image(8, 10)), data(10));
const VERDICTS: [about: string, file: Uint8Array, expected: Partial<Verdict> & { verdict: string }, text?: RegExp][] = [
  ["an empty file", new Uint8Array(0), { verdict: "short", declaredBytes: null }, /empty/],
  ["a block of zeros", new Uint8Array(BLOCK), { verdict: "short", declaredBytes: null }, /zeros/],
  ["a preallocated file", new Uint8Array(10 * BLOCK), { verdict: "short", declaredBytes: null }, /zeros/],
  ["a few zeros", new Uint8Array(3), { verdict: "short", declaredBytes: null }, /zeros/],
  ["the beginning of the first word", joined("SIMP"), { verdict: "short", declaredBytes: null }, /not complete/],
  ["text", joined("hello, world"), { verdict: "undeclared" }, /not a FITS file/],
  ["a JPEG", new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 0, 0]), { verdict: "undeclared" }, /not a FITS file/],
  ["SIMPLE = F", fitsHeader(card("SIMPLE", false), ...image(8)), { verdict: "undeclared" }, /SIMPLE is not T/],
  ["a header with its end still unwritten", joined(primary(...image(8, 10)).subarray(0, 240), new Uint8Array(3 * BLOCK)), {
    verdict: "short",
    declaredBytes: null,
  }, /primary HDU is not complete/],
  ["an unpadded image", joined(primary(...image(8, 10)), data(10, false)), { verdict: "reached", declaredBytes: BLOCK + 10 }],
  ["a file that ends inside the padding", image10.subarray(0, BLOCK + 100), { verdict: "reached", declaredBytes: BLOCK + 10 }],
  [
    "one byte too few",
    image10.subarray(0, BLOCK + 9),
    { verdict: "short", declaredBytes: 2 * BLOCK },
    /^2.89 of 5.76 kB written$/,
  ],
  [
    "zeros behind the last HDU",
    joined(image10, new Uint8Array(BLOCK)),
    { verdict: "reached", declaredBytes: 2 * BLOCK },
    /2880 bytes follow/,
  ],
  ["special records", joined(image10, data(999, false)), { verdict: "reached", declaredBytes: 2 * BLOCK }, /999 bytes follow/],
  [
    "the beginning of an extension's word",
    joined(image10, "XTEN"),
    { verdict: "short", declaredBytes: null },
    /extension 1 is not complete/,
  ],
  ["an extension's header that is being written", joined(image10, extension("IMAGE", ...image(8, 10)).subarray(0, 250)), {
    verdict: "short",
    declaredBytes: null,
  }, /extension 1/],
  ["an extension's data that is being written", joined(image10, extension("IMAGE", ...image(8, 9999)), data(100)), {
    verdict: "short",
    declaredBytes: 3 * BLOCK + 4 * BLOCK,
  }, /extension 1/],
  [
    "1e18 pixels",
    primary(card("BITPIX", 8), card("NAXIS", 1), card("NAXIS1", 10n ** 18n)),
    { verdict: "undeclared" },
    /NAXIS1 is 1000000000000000000/,
  ],
  [
    "the product of great axes",
    primary(...image(64, 1e15, 1e15, 1e15)),
    { verdict: "undeclared" },
    /declares 8000000000000000000/,
  ],
  ["a negative axis", primary(...image(8, -5)), { verdict: "undeclared" }, /NAXIS1 is -5/],
  ["half a pixel", primary(card("BITPIX", 8), card("NAXIS", 1), "NAXIS1  = 1.5"), { verdict: "undeclared" }, /NAXIS1 is 1.5/],
  ["1000 axes", primary(card("BITPIX", 8), card("NAXIS", 1000)), { verdict: "undeclared" }, /NAXIS is 1000/],
  [
    "a missing axis",
    primary(card("BITPIX", 8), card("NAXIS", 2), card("NAXIS1", 5)),
    { verdict: "undeclared" },
    /NAXIS2 is missing/,
  ],
  ["BITPIX 24", primary(...image(24, 5)), { verdict: "undeclared" }, /BITPIX is 24/],
  ["no BITPIX", primary(card("NAXIS", 0)), { verdict: "undeclared" }, /BITPIX is missing/],
  ["NAXIS in words", primary(card("BITPIX", 8), card("NAXIS", "two")), { verdict: "undeclared" }, /NAXIS is "two"/],
  ["a negative heap", joined(primary(...image(8)), extension("BINTABLE", ...image(8, 1, 1), card("PCOUNT", -1))), {
    verdict: "undeclared",
  }, /extension 1 .*PCOUNT is -1/],
  ["a header without END", joined(card("SIMPLE", true).padEnd(80), " ".repeat(2 * BLOCK)), {
    verdict: "short",
    declaredBytes: null,
  }],
];
for (const [about, file, expected, text] of VERDICTS) {
  Deno.test(`fits.inspect() judges ${about}: ${expected.verdict}`, async () => {
    const verdict = await inspect(fits, file);
    assertEquals({ ...verdict, ...expected }, verdict as typeof verdict & typeof expected);
    const told = "reason" in verdict ? verdict.reason : verdict.warning ?? "";
    if (text) assertMatch(told, text);
    else if (verdict.verdict === "reached") assertEquals(told, "");
  });
}

Deno.test("fits.inspect() gives up a header that never ends, after a bounded look", async () => {
  const endless = new Uint8Array(MAX_HEADER_BYTES + 10 * BLOCK).fill(0x20);
  endless.set(new TextEncoder().encode(card("SIMPLE", true)));
  const { read, count } = counting(endless);
  const verdict = await fits.inspect(read, 2 ** 40, new AbortController().signal);
  assertEquals(verdict.verdict, "undeclared");
  assert(count.bytes <= MAX_HEADER_BYTES + 20 * BLOCK, String(count.bytes));
});

Deno.test("fits.inspect() reads headers only, whatever lies between", async () => {
  const header = primary(...image(16, 1e6, 1e3));
  const { read, count } = counting(header);
  const size = BLOCK + Math.ceil(2e9 / BLOCK) * BLOCK;
  assertEquals(await fits.inspect(read, size, new AbortController().signal), { verdict: "reached", declaredBytes: size });
  assertEquals(count.calls <= 20, true);
});

Deno.test("fits.inspect() takes a reader that gives little at once", async () => {
  for (const [about, file, declared] of DECLARED) {
    const verdict = await fits.inspect(over(file, 33), file.length, new AbortController().signal);
    assertEquals(verdict, { verdict: "reached", declaredBytes: declared }, about);
  }
});

Deno.test("fits.inspect() stops when it is told to", async () => {
  await assertRejects(
    () => fits.inspect(over(image10), image10.length, AbortSignal.abort(new Error("stopped"))),
    Error,
    "stopped",
  );
});

Deno.test("fits.inspect() lets errors of the reader through", async () => {
  await assertRejects(
    () => fits.inspect(() => Promise.reject(new Error("disk is gone")), 100, new AbortController().signal),
    Error,
    "disk is gone",
  );
});

Deno.test("fits.inspect() never throws or hangs, whatever the bytes", async () => {
  const keyword = fc.constantFrom(
    "SIMPLE",
    "XTENSION",
    "BITPIX",
    "NAXIS",
    "NAXIS1",
    "NAXIS2",
    "PCOUNT",
    "GCOUNT",
    "GROUPS",
    "CONTINUE",
    "END",
    "OBJECT",
  );
  const value = fc.oneof(
    fc.integer().map(String),
    fc.constantFrom("T", "F", "'a&'", "'", "1E400", "-0", "(1,2)", ""),
    fc.string({ maxLength: 70 }),
  );
  const line = fc.tuple(keyword, fc.constantFrom("= ", "  ", "=="), value).map(([a, b, c]) =>
    (a.padEnd(8) + b + c).padEnd(80).slice(0, 80)
  );
  const header = fc.array(line, { maxLength: 40 }).map((lines) =>
    [card("SIMPLE", true).padEnd(80), ...image(8, 3).map((c) => c.padEnd(80)), ...lines, "END".padEnd(80)].join("")
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 9000 }),
    fc.tuple(header, fc.uint8Array({ maxLength: 3000 })).map((parts) => joined(...parts)),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (content) => {
      const verdict = await inspect(fits, content);
      if (verdict.verdict === "reached") assert(verdict.declaredBytes <= content.length);
    }),
    { numRuns: 300 },
  );
});

Deno.test("walkHdus() tells where each header and its data lie", async () => {
  const file = joined(primary(...image(8)), extension("IMAGE", ...image(-32, 10, 20), card("EXTNAME", "SCI")), data(800));
  const hdus = [];
  for await (const hdu of walkHdus(over(file), file.length)) hdus.push(hdu);
  assertEquals(hdus.map(({ header: _, ...rest }) => rest), [
    { index: 0, offset: 0, headerBytes: BLOCK, dataOffset: BLOCK, dataBytes: 0, end: BLOCK },
    { index: 1, offset: BLOCK, headerBytes: BLOCK, dataOffset: 2 * BLOCK, dataBytes: 800, end: 3 * BLOCK },
  ]);
  assertEquals(hdus[1]!.header.get("EXTNAME"), "SCI");
});
