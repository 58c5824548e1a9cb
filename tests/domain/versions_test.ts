import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { nameParts, utf8Length } from "../../src/domain/name_parts.ts";
import { MAX_NAME_BYTES, versionName } from "../../src/domain/versions.ts";

const CASES: [target: string, n: number, name: string][] = [
  ["a.fits", 1, "a.v1.fits"],
  ["n/a.fits", 12, "n/a.v12.fits"],
  ["a.fits.gz", 1, "a.v1.fits.gz"],
  ["a.FITS.GZ", 1, "a.v1.FITS.GZ"],
  ["a.fits.fz", 1, "a.v1.fits.fz"],
  ["a", 1, "a.v1"],
  ["20240301.d/a", 1, "20240301.d/a.v1"],
  [".hidden", 1, ".hidden.v1"],
  [".gz", 1, ".gz.v1"],
  ["a.gz", 1, "a.v1.gz"],
  ["m31.0001.gz", 1, "m31.0001.v1.gz"],
  ["m31.0001.fits", 1, "m31.0001.v1.fits"],
  ["M31 v. Light 300s", 1, "M31 v. Light 300s.v1"],
  ["a.", 1, "a..v1"],
  ["a.v1.fits", 2, "a.v1.v2.fits"],
];
for (const [target, n, name] of CASES) {
  Deno.test(`versionName() of ${JSON.stringify(target)} is ${JSON.stringify(name)}`, () =>
    assertEquals(versionName(target, n), name));
}

Deno.test("versionName() cuts a long stem so that the name fits, and no character in two", () => {
  const name = versionName(`${"星".repeat(83)}a.fits`, 10);
  assertEquals(name, `${"星".repeat(82)}.v10.fits`);
  assertEquals(utf8Length(name), 255);
});

Deno.test("versionName() stays a legal name that differs from the target", () => {
  const name = fc.string({ minLength: 1, maxLength: 300, unit: "binary" }).filter((text) =>
    !/[/\0]/.test(text) && utf8Length(text) <= 255
  );
  fc.assert(fc.property(name, fc.integer({ min: 1, max: 1e6 }), (target, n) => {
    const version = versionName(target, n);
    assert(utf8Length(version) <= MAX_NAME_BYTES && version !== target && !version.includes("/"));
    assertEquals(version.isWellFormed(), true);
  }));
});

Deno.test("versionName() counts from 1", () => {
  for (const n of [0, -1, 1.5, NaN, Infinity]) assertThrows(() => versionName("a", n), RangeError);
});

Deno.test("nameParts() loses nothing", () => {
  fc.assert(fc.property(fc.string(), (name) => {
    const { stem, ext } = nameParts(name);
    assertEquals(stem + ext, name);
  }));
});
