import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { gzipSync } from "node:zlib";
import { parseCard } from "../../../src/formats/fits/fits.ts";
import { readCards } from "../../../src/formats/fits/cards.ts";
import { card, fitsHeader, joined, over } from "../../support/readers.ts";

const VALUES: [line: string, value: string | number | boolean | undefined][] = [
  ["OBJECT  = 'M31     '           / the galaxy", "M31"],
  ["OBJECT  = 'O''Brien''s'", "O'Brien's"],
  ["OBJECT  = '  led by blanks'", "  led by blanks"],
  ["OBJECT  = 'a / b' / c", "a / b"],
  ["OBJECT  = ''", ""],
  ["OBJECT  = ''''", "'"],
  ["OBJECT  = 'no last quote", "no last quote"],
  ["OBJECT  =    'free format'", "free format"],
  ["EXPTIME =                 30.5 / [s]", 30.5],
  ["EXPTIME = 1.5D3", 1500],
  ["EXPTIME = -.5e-1/x", -0.05],
  ["GAIN    =                  139", 139],
  ["GAIN    = +7", 7],
  ["SIMPLE  =                    T / x", true],
  ["FLAG    =F", undefined],
  ["FLAG    = F", false],
  ["GAIN    =                      / unknown", undefined],
  ["GAIN    = (1.0, 2.0)", undefined],
  ["GAIN    = 0x10", undefined],
  ["COMMENT = 'not a value", "not a value"],
  ["HISTORY   GAIN = 5", undefined],
  ["CONTINUE  'more&'", "more&"],
  ["", undefined],
];
for (const [line, value] of VALUES) {
  Deno.test(`parseCard() reads ${line}`, () => assertEquals(parseCard(line.padEnd(80)).value, value));
}

Deno.test("parseCard() never throws", () => {
  fc.assert(fc.property(fc.string({ maxLength: 80 }), (text) => void parseCard(text)));
});

const flat = [card("SIMPLE", true), card("BITPIX", 8), card("NAXIS", 1), card("NAXIS1", 1)];
const empty = [card("SIMPLE", true), card("BITPIX", 8), card("NAXIS", 0)];
const cardsOf = (file: Uint8Array) => readCards(over(file), file.length);

Deno.test("readCards() takes what the ledger keeps, and nothing else", async () => {
  const file = fitsHeader(
    ...flat,
    card("OBJECT", "M31"),
    card("EXPTIME", 30),
    card("GAIN", 1.5),
    card("SWCREATE", "x"),
    card("FILTER", ""),
  );
  assertEquals(await cardsOf(file), { OBJECT: "M31", EXPTIME: 30, GAIN: 1.5 });
});

Deno.test("readCards() takes the exposure under either of its names", async () => {
  assertEquals(await cardsOf(fitsHeader(...flat, card("EXPOSURE", 2.5))), { EXPOSURE: 2.5 });
  assertEquals(await cardsOf(fitsHeader(...flat, card("EXPOSURE", 2.5), card("EXPTIME", 3))), { EXPTIME: 3, EXPOSURE: 2.5 });
});

Deno.test("readCards() joins continued strings", async () => {
  const file = fitsHeader(
    ...flat,
    "OBJECT  = 'one &'",
    "CONTINUE  'two&'",
    "CONTINUE  ' three' / end",
    "CONTINUE  'stray'",
    card("GAIN", 2),
  );
  assertEquals(await cardsOf(file), { OBJECT: "one two three", GAIN: 2 });
});

Deno.test("readCards() leaves an & that nothing continues", async () => {
  assertEquals(await cardsOf(fitsHeader(...flat, "OBJECT  = 'A&'", "COMMENT x", "CONTINUE  'B'")), { OBJECT: "A&" });
});

Deno.test("readCards() looks into the first extension where the primary has no data", async () => {
  const second = fitsHeader(card("XTENSION", "IMAGE"), ...flat.slice(1), card("OBJECT", "ext"), card("FILTER", "R"));
  const third = fitsHeader(card("XTENSION", "IMAGE"), ...flat.slice(1), card("GAIN", 3));
  const file = joined(fitsHeader(...empty, card("OBJECT", "primary")), second, new Uint8Array(2880), third, new Uint8Array(2880));
  assertEquals(await cardsOf(file), { OBJECT: "primary", FILTER: "R" });
  const full = joined(fitsHeader(...flat, card("OBJECT", "primary")), new Uint8Array(2880), second, new Uint8Array(2880));
  assertEquals(await cardsOf(full), { OBJECT: "primary" });
});

Deno.test("readCards() reads UTF-8 and Latin-1 that should not be there", async () => {
  const utf8 = fitsHeader(...flat, card("OBJECT", "########"), card("TELESCOP", "########"));
  const text = new TextDecoder("latin1").decode(utf8);
  utf8.set(new TextEncoder().encode("Größe "), text.indexOf("########"));
  utf8.set([0x47, 0x72, 0xf6, 0xdf, 0x65, 0x20, 0x20, 0x20], text.lastIndexOf("########"));
  assertEquals(await cardsOf(utf8), { OBJECT: "Größe", TELESCOP: "Größe" });
});

Deno.test("readCards() keeps no endless text", async () => {
  const lines = Array.from({ length: 500 }, () => `CONTINUE  '${"x".repeat(60)}&'`);
  const cards = await cardsOf(fitsHeader(...flat, "OBJECT  = 'long&'", ...lines));
  assertEquals(String(cards.OBJECT).length, 200);
});

Deno.test("readCards() of what is no FITS file, or of half a header, is empty", async () => {
  assertEquals(await cardsOf(new Uint8Array(0)), {});
  assertEquals(await cardsOf(joined("hello")), {});
  assertEquals(await cardsOf(fitsHeader(...flat, card("OBJECT", "M31")).subarray(0, 400)), {});
});

Deno.test("readCards() looks into a FITS file within gzip", async () => {
  const noise = Uint8Array.from({ length: 400_000 }, (_, i) => (i * 2654435761 >>> 11) & 255);
  const zipped = new Uint8Array(gzipSync(joined(fitsHeader(...flat, card("OBJECT", "M31"), card("GAIN", 5)), noise)));
  assertEquals(await readCards(over(zipped), zipped.length), { OBJECT: "M31", GAIN: 5 });
  const small = new Uint8Array(gzipSync(fitsHeader(...flat, card("OBJECT", "M31"))));
  assertEquals(await readCards(over(small), small.length), { OBJECT: "M31" });
});

Deno.test("readCards() finds nothing in damaged gzip, and never throws for content", async () => {
  const begun = fc.uint8Array({ maxLength: 200 }).map((rest) => joined(new Uint8Array([0x1f, 0x8b, 8, 0]), rest));
  await fc.assert(fc.asyncProperty(fc.oneof(begun, fc.uint8Array()), async (bytes) => {
    assertEquals(await readCards(over(bytes), bytes.length), {});
  }));
});

Deno.test("readCards() is not held up by a string that is continued a hundred thousand times", async () => {
  const line = (text: string) => text.padEnd(80);
  const head = [...flat, "OBJECT  = 'long&'"].map(line).join("");
  const file = joined(head, line(`CONTINUE  '${"x".repeat(66)}&'`).repeat(190_000), line(card("GAIN", 1)), line("END"));
  assertEquals((await cardsOf(file)).GAIN, 1);
});
