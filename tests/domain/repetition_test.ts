import { assertEquals } from "@std/assert";
import { repetitions } from "../../src/domain/names/file_name.ts";

const shorter = (path: string) => repetitions(path).map((found) => found.shorter);

for (const path of ["a.fits", "2026/2026/a.fits", "out/out/a.fits", "a/b/a/b/a.fits", "out/out/out", "a/a/b/a/a/x.fits"]) {
  Deno.test(`repetitions() finds none in ${path}`, () => assertEquals(shorter(path), []));
}

Deno.test("repetitions() tells the paths that came before one that grew", () => {
  assertEquals(shorter("out/out/out/a.fits"), [["out/a.fits", "out/out/a.fits"]]);
  assertEquals(shorter("x/out/out/out/n/a.fits"), [["x/out/n/a.fits", "x/out/out/n/a.fits"]]);
  assertEquals(shorter("a/b/a/b/a/b/x.fits"), [["a/b/x.fits", "a/b/a/b/x.fits"]]);
});
