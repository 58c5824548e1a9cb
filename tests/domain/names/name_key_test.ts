import { assertEquals } from "@std/assert";
import { nameKey, otherSpellings } from "../../../src/domain/names/file_name.ts";

Deno.test("nameKey() is one for names that differ in case or in the form of accents only", () => {
  assertEquals(nameKey("N/Caf\u00c9.fits"), nameKey("n/cafe\u0301.FITS"));
  assertEquals(nameKey("a.fits") === nameKey("b.fits"), false);
});

Deno.test("otherSpellings() changes the case, and the form of accents where there are any", () => {
  assertEquals(otherSpellings("N/m31.fits"), ["N/M31.FITS"]);
  assertEquals(otherSpellings("1"), []);
  assertEquals(otherSpellings("caf\u00e9"), ["CAF\u00c9", "cafe\u0301"]);
});
