import { assertEquals } from "@std/assert";
import { formerName, formerNameParts, nameKey, otherSpellings, repetitions } from "../../../src/domain/names/file_name.ts";

const NAMES: readonly [path: string, former: string][] = [
  ["m31.fits", "m31.v2.fits"],
  ["20260705/raw/m31.fits", "20260705/raw/m31.v2.fits"],
  ["m31.fits.gz", "m31.v2.fits.gz"],
  ["m31.fits.fz", "m31.v2.fits.fz"],
  ["m31.gz", "m31.v2.gz"],
  ["a.b.c.fits", "a.b.c.v2.fits"],
  ["README", "README.v2"],
  ["v1.0/README", "v1.0/README.v2"],
  [".hidden", ".hidden.v2"],
  ["a\nb.fits", "a\nb.v2.fits"],
  ["m31.v1.fits", "m31.v1.v2.fits"],
  ["M31.an ending that is far too long to be one", "M31.an ending that is far too long to be one.v2"],
];

Deno.test("formerName() puts the number before the ending", () => {
  for (const [path, former] of NAMES) assertEquals(formerName(path, 2), former);
});

Deno.test("formerName() keeps within 255 bytes without cutting a character", () => {
  const name = formerName(`20260705/${"é".repeat(125)}.fits`, 12345).split("/")[1]!;
  assertEquals(new TextEncoder().encode(name).length <= 255, true);
  assertEquals(name, `${"é".repeat(121)}.v12345.fits`);
});

Deno.test("formerNameParts() are what formerName() is made of", () => {
  assertEquals(formerNameParts("a/m31.fits.fz"), { stem: "a/m31", ending: ".fits.fz" });
});

Deno.test("nameKey() is one for names that differ in case or in the form of accents only", () => {
  assertEquals(nameKey("N/Caf\u00c9.fits"), nameKey("n/cafe\u0301.FITS"));
  assertEquals(nameKey("a.fits") === nameKey("b.fits"), false);
});

Deno.test("otherSpellings() changes the case, and the form of accents where there are any", () => {
  assertEquals(otherSpellings("N/m31.fits"), ["N/M31.FITS"]);
  assertEquals(otherSpellings("1"), []);
  assertEquals(otherSpellings("caf\u00e9"), ["CAF\u00c9", "cafe\u0301"]);
});

const shorter = (path: string) => repetitions(path).map((found) => found.shorter);

for (const path of ["a.fits", "2026/2026/a.fits", "out/out/a.fits", "a/b/a/b/a.fits", "out/out/out", "a/a/b/a/a/x.fits"]) {
  Deno.test(`repetitions() finds none in ${path}`, () => assertEquals(shorter(path), []));
}

Deno.test("repetitions() tells the paths that came before one that grew", () => {
  assertEquals(shorter("out/out/out/a.fits"), [["out/a.fits", "out/out/a.fits"]]);
  assertEquals(shorter("x/out/out/out/n/a.fits"), [["x/out/n/a.fits", "x/out/out/n/a.fits"]]);
  assertEquals(shorter("a/b/a/b/a/b/x.fits"), [["a/b/x.fits", "a/b/a/b/x.fits"]]);
});
