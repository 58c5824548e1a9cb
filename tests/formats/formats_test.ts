import { assertEquals } from "@std/assert";
import { formatOf, FORMATS } from "../../src/formats/formats.ts";

const NAMES: [name: string, format: string | undefined][] = [
  ["a.fits", "FITS"],
  ["A.FIT", "FITS"],
  ["a.fts", "FITS"],
  ["a.fits.fz", "FITS"],
  ["a.fz", "FITS"],
  ["a.fits.gz", "gzip"],
  ["a.gz", "gzip"],
  ["20240301/x/a.FITS.GZ", "gzip"],
  ["C:\\images\\a.xisf", "XISF"],
  ["a.tif", "TIFF"],
  ["a.TIFF", "TIFF"],
  ["Jupiter.SER", "SER"],
  ["a.fits.tmp", undefined],
  ["a.jpg", undefined],
  ["fits", undefined],
  ["a.fits/readme", undefined],
  ["", undefined],
];
for (const [name, format] of NAMES) {
  Deno.test(`formatOf(${JSON.stringify(name)}) is ${format}`, () => assertEquals(formatOf(name)?.name, format));
}

Deno.test("formatOf() can find every format of the list", () => {
  assertEquals(FORMATS.map((format) => format.name), [
    ...new Set(NAMES.map(([, format]) => format).filter((format) => format !== undefined)),
  ]);
});
