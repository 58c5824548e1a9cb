import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { globs } from "../../src/domain/names/globs.ts";
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
  ["never takes names like those of our staging folders", false, ".image-transfer-abc.fits", { ignoreHiddenFiles: false }],
  ["leaves what fsck found", false, "disk/lost+found/#12/a.fits"],
  ["leaves what was put into a bin", false, "$RECYCLE.BIN/S-1-5-21/$RA1.fits"],
  ["leaves folders where told so", false, "x/a.fits", { recursive: false }],
  ["takes a name with a newline", true, "a\nb.fits"],
  ["takes a name that begins with a newline", true, "\na.fits"],
  ["crosses folders with a line separator in their names", true, "n1/a\u2028b/x.fits", { filePatterns: ["**/*.fits"] }],
  ["excludes names with a newline below a path", false, "tmp/a\nb.fits", { excludePatterns: ["tmp/**"] }],
  ["reads [!d] as sh does: any character but d", false, "dark1.fits", { filePatterns: ["[!d]*.fits"] }],
  ["takes what [!d] means", true, "light1.fits", { filePatterns: ["[!d]*.fits"] }],
  ["lets [!d] match no slash", false, "a/b.fits", { filePatterns: ["/a[!d]b.fits"] }],
  ["reads [!]d]", false, "]a.fits", { filePatterns: ["[!]d]*.fits"] }],
  ["understands [[:digit:]]", true, "1.fits", { filePatterns: ["[[:digit:]].fits"] }],
  ["takes a name that looks like an option", true, "-rf.fits"],
  ["takes brackets in a name as they are", true, "a[1](2){3}.fits"],
  ["takes a backslash in a name as it is", true, "a\\b.fits"],
  ["leaves markers where they are markers", false, "a.fits.done", { ...all, completeness: "marker" }],
  ["takes files that end like markers where they are none", true, "a.fits.done", all],
];

for (const [promise, wanted, path, job] of TABLE) {
  Deno.test(`patternsOf() ${promise}`, () => assertEquals(wants(path, job), wanted));
}

/** Any name that a file system may hold, rich in characters that end lines. */
const name = fc.oneof(
  fc.string({ unit: "binary", minLength: 1 }),
  fc.string({
    unit: fc.constantFrom("\n", "\r", "\u2028", "\u2029", "\v", "\u0085", "a", ".", "[", "!", "*", "\\", "😀"),
    minLength: 1,
  }),
).map((text) => text.replaceAll(/[/\0]/g, "_")).filter((text) => text !== "." && text !== "..");
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));

Deno.test("globs() for any name: * matches it, and ** crosses it", () => {
  fc.assert(fc.property(name, path, (name, folders) => {
    const below = `${folders}/${name}`;
    assertEquals(globs(["*"])(name), true);
    assertEquals(globs(["*.fits"])(`${name}.fits`), true);
    for (const pattern of ["**", "**/*"]) assertEquals(globs([pattern])(below), true, pattern);
    assertEquals(globs(["**/*.fits"])(`${below}.fits`), true);
    assertEquals(globs(["tmp/**"])(`tmp/${below}`), true);
    assertEquals(globs(["tmp/**/x.fits"])(`tmp/${below}/x.fits`), true);
    assertEquals(globs(["tmp/*/x.fits"])(`tmp/${name}/x.fits`), true);
    assertEquals(globs(["[!d]*"])(name), !/^d/i.test(name));
  }));
});

Deno.test("patternsOf() for any name: * in file_patterns wants it, * in exclude_patterns leaves it", () => {
  fc.assert(fc.property(path, (path) => {
    const plain = path.replaceAll(/(?<=^|\/)\.image-transfer-/g, "_");
    assertEquals(wants(plain, { ...all, ignoreHiddenFiles: false }), true);
    assertEquals(wants(plain, { ...all, excludePatterns: ["*"], ignoreHiddenFiles: false }), false);
  }));
});
