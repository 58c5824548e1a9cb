import { assertEquals } from "@std/assert";
import { frameGaps } from "../../../src/reports/morning/frame_gaps.ts";

const gaps = (...paths: string[]) => gapsOf(paths);
function gapsOf(paths: readonly string[]) {
  const frames = frameGaps();
  for (const path of paths) frames.saw("a", path);
  return frames.gaps().map(({ series, missing, missingCount }) => [series, missing.join(" "), missingCount]);
}
const range = (from: number, to: number, name: (number: string) => string) =>
  Array.from({ length: to - from + 1 }, (_, i) => name(String(from + i).padStart(4, "0")));

Deno.test("frameGaps() finds what a camera counted and nobody saw", () => {
  assertEquals(gaps("n/M31_0001.fits", "n/M31_0002.fits", "n/M31_0005.fits", "n/M31_0007.fits"), [[
    "n/M31_####.fits",
    "0003-0004 0006",
    3,
  ]]);
});

Deno.test("frameGaps() follows one counter through all filters of a folder", () => {
  const names = range(1, 12, (n) => `20260115/M31_${"RGB"[Number(n) % 3]}_${n}.fits`);
  assertEquals(gaps(...names), []);
  assertEquals(gaps(...names.filter((name) => !name.endsWith("0007.fits"))), [["20260115/M31_*_####.fits", "0007", 1]]);
});

Deno.test("frameGaps() keeps counters of each filter apart where numbers stand twice", () => {
  const names = ["R", "G"].flatMap((filter) => range(1, 5, (n) => `M31_${filter}_${n}.fits`));
  assertEquals(gaps(...names), []);
  assertEquals(gaps(...names.filter((name) => name !== "M31_G_0003.fits")), [["M31_G_####.fits", "0003", 1]]);
});

Deno.test("frameGaps() takes no date, time or temperature for a counter", () => {
  assertEquals(gaps(...[10, 13, 17, 22].map((s) => `2026-01-15_20-15-${s}_R_-9.${s}0_120.00s.fits`)), []);
  assertEquals(gaps("img_20260115_201500.fits", "img_20260115_201630.fits", "img_20260115_202201.fits"), []);
  const named = [10, 13, 17, 22].map((s, i) => `2026-01-15_20-15-${s}_R_-9.${s}_120.00s_000${[1, 2, 4, 5][i]}.fits`);
  assertEquals(gaps(...named).map(([, missing]) => missing), ["0003"]);
});

Deno.test("frameGaps() looks at each job and folder by itself, and says nothing of a few odd names", () => {
  assertEquals(gaps("a/f_0001.fits", "b/f_0002.fits", "c/f_0005.fits"), []);
  assertEquals(gaps("flat10.fits", "dark500.fits", "bias7000.fits"), []);
  assertEquals(gaps("one.fits", "two.fits", ""), []);
});

Deno.test("frameGaps() knows packed names, and lists long gaps as ranges", () => {
  assertEquals(
    gaps("f_0001.fits.fz", "f_0002.fits.gz", "f_0003.fits.fz", "f_0009.fits.fz", "f_0010.fits.fz").map(([, missing]) => missing),
    ["0004-0008"],
  );
});

Deno.test("frameGaps() takes three frames for a series, two holes for each frame for gaps, and no more", () => {
  assertEquals(gaps("f_0001.fits", "f_0003.fits"), []);
  assertEquals(gaps("f_0001.fits", "f_0002.fits", "f_0004.fits"), [["f_####.fits", "0003", 1]]);
  assertEquals(gaps("f_0001.fits", "f_0002.fits", "f_0009.fits"), [["f_####.fits", "0003-0008", 6]]);
  assertEquals(gaps("f_0001.fits", "f_0002.fits", "f_0010.fits"), []);
});

Deno.test("frameGaps() lists the first fifty ranges, and counts what is missing in all", () => {
  const every = (step: number, count: number) => Array.from({ length: count }, (_, i) => `f_${1000 + step * i}.fits`);
  const [[, fifty, count]] = gapsOf(every(2, 51)) as [[string, string, number]];
  assertEquals([fifty.split(" ").length, fifty.split(" ").at(-1), count], [50, "1099", 50]);
  const [[, some, all]] = gapsOf(every(2, 52)) as [[string, string, number]];
  assertEquals([some.split(" ").length, some.split(" ").at(-1), all], [50, "1099", 51]);
});

Deno.test("frameGaps() stands a folder of two hundred thousand files", () => {
  const names = Array.from({ length: 200_000 }, (_, i) => `n/f_${String(i + 1).padStart(6, "0")}.fits`);
  assertEquals(gapsOf(names), []);
  assertEquals(gapsOf(names.toSpliced(100_000, 2)).map(([, missing]) => missing), ["100001-100002"]);
});

Deno.test("frameGaps() counts a file once that comes again with every destination, and keeps jobs apart", () => {
  const frames = frameGaps();
  for (const job of ["a", "b", "a"]) for (const path of ["f_0001.fits", "f_0002.fits", "f_0004.fits"]) frames.saw(job, path);
  assertEquals(frames.gaps().map(({ job, missing }) => [job, ...missing]), [["a", "0003"], ["b", "0003"]]);
});
