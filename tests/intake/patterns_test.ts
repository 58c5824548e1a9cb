import { assertEquals } from "@std/assert";
import { patternsOf } from "../../src/intake/patterns.ts";

function wants(path: string, job: Partial<Parameters<typeof patternsOf>[0]> = {}): boolean {
  return patternsOf({
    filePatterns: ["*.fits", "*.fits.gz"],
    excludePatterns: [],
    ignoreHiddenFiles: true,
    recursive: true,
    completeness: "auto",
    marker: "{name}.done",
    ...job,
  }).wants(path);
}

const all = { filePatterns: ["*"] };
const TABLE: [promise: string, wanted: boolean, path: string, job?: Parameters<typeof wants>[1]][] = [
  ["holds a pattern without slash against the name, at any depth", true, "20260101/a/b.fits"],
  ["ignores case", true, "A.FITS"],
  ["ignores case in patterns", true, "a.fits", { filePatterns: ["*.FITS"] }],
  ["leaves other names", false, "a.txt"],
  ["leaves a name that only begins right", false, "a.fits.tmp"],
  ["takes double endings", true, "a.fits.gz"],
  ["holds a pattern with a slash against the path", true, "raw/a.fits", { filePatterns: ["raw/*.fits"] }],
  ["does not let a star cross a slash", false, "raw/x/a.fits", { filePatterns: ["raw/*.fits"] }],
  ["lets two stars cross slashes", true, "raw/x/a.fits", { filePatterns: ["raw/**/*.fits"] }],
  ["understands ./ in front", true, "raw/a.fits", { filePatterns: ["./raw/*.fits"] }],
  ["excludes by name", false, "x/thumb.fits", { excludePatterns: ["thumb*"] }],
  ["excludes by a folder's name", false, "darks/old/a.fits", { excludePatterns: ["darks"] }],
  ["excludes by path", false, ".git/a.fits", { excludePatterns: [".git/*"], ignoreHiddenFiles: false }],
  ["excludes all below a path", false, "a/b/c/d.fits", { excludePatterns: ["a/b/**"] }],
  ["excludes a folder written with a slash at its end", false, "a/b/c.fits", { excludePatterns: ["a/b/"] }],
  ["leaves hidden files", false, ".a.fits"],
  ["leaves what lies in hidden folders", false, ".cache/a.fits"],
  ["takes hidden files where told so", true, ".cache/.a.fits", { ignoreHiddenFiles: false }],
  ["never takes our staging folders", false, ".image-transfer-abc/1/a.fits", { ignoreHiddenFiles: false }],
  ["leaves folders where told so", false, "x/a.fits", { recursive: false }],
  ["takes a name with a newline", true, "a\nb.fits"],
  ["takes a name that looks like an option", true, "-rf.fits"],
  ["takes brackets in a name as they are", true, "a[1](2){3}.fits"],
  ["takes a backslash in a name as it is", true, "a\\b.fits"],
  ["leaves markers where they are markers", false, "a.fits.done", { ...all, completeness: "marker" }],
  ["takes files that end like markers where they are none", true, "a.fits.done", all],
];

for (const [promise, wanted, path, job] of TABLE) {
  Deno.test(`patternsOf() ${promise}`, () => assertEquals(wants(path, job), wanted));
}
