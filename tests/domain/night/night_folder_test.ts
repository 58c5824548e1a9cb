import { assertEquals } from "@std/assert";
import { nightFolder } from "../../../src/domain/night/night.ts";

const LOCATED: readonly (readonly [string, string, string | null, string])[] = [
  ["NIGHT", "20261120/a.fits", "20261120", "a.fits"],
  ["NIGHT", "20261120/raw/a.fits", "20261120", "raw/a.fits"],
  ["NIGHT/raw", "20261120/raw/x/a.fits", "20261120", "x/a.fits"],
  ["NIGHT/raw", "20261120/a.fits", null, ""],
  ["img_NIGHT", "img_20261120/a.fits", "20261120", "a.fits"],
  ["NIGHT/cam.NIGHT", "20261120/cam.20261120/a.fits", "20261120", "a.fits"],
  ["NIGHT/cam.NIGHT", "20261120/cam.20261119/a.fits", null, ""],
  ["NIGHT/c.m", "20261120/cam/a.fits", null, ""],
  ["NIGHT", "a.fits", null, ""],
  ["NIGHT", "20261320/a.fits", null, ""],
  ["NIGHT", "202611201/a.fits", null, ""],
  ["NIGHT", "darks/a.fits", null, ""],
  ["NIGHT", "20261120/a\nb.fits", "20261120", "a\nb.fits"],
];
for (const [template, path, night, below] of LOCATED) {
  Deno.test(`nightFolder("${template}") locates ${JSON.stringify(path)}`, () => {
    assertEquals(nightFolder(template).locate(path), night === null ? null : { night, path: below });
  });
}

Deno.test("leadsThere() is true on the way to the folder of a night, and nowhere else", () => {
  const { leadsThere } = nightFolder("NIGHT/raw/good");
  assertEquals(["", "20261120", "20261120/raw", "20261120/dark", "other"].map(leadsThere), [true, true, true, false, false]);
});
