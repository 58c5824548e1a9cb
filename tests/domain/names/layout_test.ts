import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Failure } from "../../../src/domain/failure.ts";
import { checkLayout, layoutCards, pathProblem, targetPath, withNight } from "../../../src/domain/names/layout.ts";
import { checkPath } from "../../../src/methods/naming.ts";

/** Cheap enough for the rarest of names. */
const MANY = { numRuns: 5_000 };

const a = (path: string) => ({ path, night: "20240301", job: "spring" });

const CASES: [layout: string, path: string, target: string][] = [
  ["{path}", "20240301/a.fits", "20240301/a.fits"],
  ["{path}", "./x//y/./a.fits", "x/y/a.fits"],
  ["{night}/{path}", "a.fits", "20240301/a.fits"],
  ["NIGHT/{path}", "a.fits", "20240301/a.fits"],
  ["raw_NIGHT/{path}", "a.fits", "raw_20240301/a.fits"],
  ["NIGHT/NIGHT-{name}", "a.fits", "20240301/20240301-a.fits"],
  ["MIDNIGHT/{path}", "a.fits", "MIDNIGHT/a.fits"],
  ["{path}", "NIGHT/{night}.fits", "NIGHT/{night}.fits"],
  ["{night}/{folder}/{name}", "a.fits", "20240301/a.fits"],
  ["{folder}/{night}/{name}", "a.fits", "20240301/a.fits"],
  ["{folder}/{name}", "a.fits", "a.fits"],
  ["{folder}/{night}/{name}", "M31/R/a.fits", "M31/R/20240301/a.fits"],
  ["{job}/{stem}_{night}{ext}", "M31/a.b.fits.gz", "spring/a.b_20240301.fits.gz"],
  ["{night}\\{path}", "x/a.fits", "20240301/x/a.fits"],
  ["{path}", "-rf", "-rf"],
  ["{path}", "$(touch x)'\"\n", "$(touch x)'\"\n"],
  ["{path}", "Größe 星.fits", "Größe 星.fits"],
  ["{path}", "back\\slash.fits", "back\\slash.fits"],
  ["{path}", "a/.image-transfer-x/b.fits", "a/.image-transfer-x/b.fits"],
  ["{path}", "...", "..."],
];
for (const [layout, path, target] of CASES) {
  Deno.test(`targetPath() puts ${JSON.stringify(path)} by ${layout} to ${JSON.stringify(target)}`, () => {
    assertEquals(targetPath(layout, a(path)), target);
  });
}

const BAD_PATHS = [
  "../a.fits",
  "x/../../a.fits",
  "x/..",
  "/etc/passwd",
  "C:\\x.fits",
  "c:/x.fits",
  "a\0b",
  "a\uFFFD.fits",
  "a\uD800.fits",
  "",
  ".",
  "/",
  "..\\a.fits",
];
for (const path of [...BAD_PATHS, ".image-transfer-abc/a.fits", ".Image-Transfer-abc"]) {
  Deno.test(`targetPath() refuses the path ${JSON.stringify(path)}`, () => {
    assertEquals(assertThrows(() => targetPath("{path}", a(path)), Failure).code, "bad_name");
  });
}

const BAD_LAYOUTS: [layout: string, reason: RegExp][] = [
  ["", /empty/],
  ["/data/{path}", /absolute/],
  ["\\data\\{path}", /absolute/],
  ["C:/{path}", /absolute/],
  ["../{path}", /lead out/],
  ["{night}/../{path}", /lead out/],
  ["{nigth}/{path}", /\{nigth\} is unknown; did you mean \{night\}\?/],
  ["{constructor}/{path}", /unknown/],
  ["{headr.OBJECT|x}/{path}", /did you mean \{header\.OBJECT\|x\}\?/],
  ["{header:OBJECT}/{path}", /did you mean \{header\.OBJECT\}\?/],
  ["{FILTER}/{path}", /did you mean \{header\.FILTER\}\?/],
  ["{Night}/{path}", /did you mean \{night\}\?/],
  ["{xyzzy}/{path}", /use one of .*\{header\.KEYWORD\}/],
  ["{header.}/{path}", /names no header card/],
  ["{header.EXPOSURETIME}/{path}", /at most 8/],
  ["{header.OBJECT|a/b}/{path}", /not a name that every system accepts; use \{header\.OBJECT\|a_b\}/],
  ["{header.OBJECT|..}/{path}", /not a name/],
  ["{header.OBJECT|nul}/{path}", /not a name/],
  ["{night}/{header.OBJECT}", /last part/],
  ["{night/{path}", /brace/],
  ["{path}}", /brace/],
  ["{stem}.{ext}", /its own dot/],
  ["{night}", /last part/],
  ["{path}/", /last part/],
  ["{name}/{night}", /last part/],
  ["a\0/{path}", /NUL/],
  [".image-transfer-x/{path}", /unfinished/],
];
for (const [layout, reason] of BAD_LAYOUTS) {
  Deno.test(`checkLayout() refuses ${JSON.stringify(layout)}`, () => {
    assertMatch(checkLayout(layout) ?? "", reason);
    assertEquals(assertThrows(() => targetPath(layout, a("a.fits")), Failure).code, "configuration");
  });
}

const CARDS = {
  OBJECT: "M 31",
  FILTER: "..",
  EXPTIME: 300,
  "CCD-TEMP": -10.5,
  BLANK: "  ",
  DARK: true,
  PATH: "../../etc/pass\twd\\x",
  DOTS: " .hidden. . ",
  DEVICE: "aux.txt",
  TURNED: "a\u202eb\u0000",
  LONG: "Ω".repeat(300),
};
const CARD_CASES: [layout: string, target: string][] = [
  ["{header.OBJECT}/{night}/{name}", "M 31/20240301/a.fits"],
  ["{header.object}/{name}", "M 31/a.fits"],
  ["{header.OBJECT}_{header.EXPTIME}s/{name}", "M 31_300s/a.fits"],
  ["{header.EXPTIME}/{header.CCD-TEMP}/{header.DARK}/{name}", "300/-10.5/T/a.fits"],
  ["{header.NONE|unknown}/{name}", "unknown/a.fits"],
  ["{header.BLANK|unknown}/{name}", "unknown/a.fits"],
  ["{header.NONE|}/{name}", "a.fits"],
  ["{header.NONE|NIGHT}/{name}", "NIGHT/a.fits"],
  ["{header.FILTER}/{name}", "__/a.fits"],
  ["{header.PATH}/{name}", "___.._etc_pass wd_x/a.fits"],
  ["{header.DOTS}/{name}", "_hidden/a.fits"],
  ["{header.DEVICE}/{name}", "_aux.txt/a.fits"],
  ["CO{header.NONE|N}/{name}", "_CON/a.fits"],
  ["{header.TURNED}/{name}", "a_b_/a.fits"],
  ["{header.LONG}/{name}", `${"Ω".repeat(40)}/a.fits`],
  ["{header.OBJECT}-{name}", "M 31-a.fits"],
];
for (const [layout, target] of CARD_CASES) {
  Deno.test(`targetPath() puts a file with header cards by ${layout} to ${JSON.stringify(target.slice(0, 40))}`, () => {
    assertEquals(checkLayout(layout), null);
    assertEquals(targetPath(layout, { ...a("a.fits"), cards: CARDS }), target);
  });
}

Deno.test("targetPath() refuses a file without the cards that the layout needs, and names a near one", () => {
  const send = (layout: string, cards: typeof CARDS | null) => () => targetPath(layout, { ...a("a.fits"), cards });
  const near = assertThrows(send("{header.OBJCT}/{name}", CARDS), Failure, "no header card OBJCT");
  assertEquals([near.code, near.next], ["header_missing", "never"]);
  assertMatch(near.hint, /\{header\.OBJCT\|unknown\}.*It has OBJECT/);
  assertThrows(send("{header.A}/{header.B}/{name}", null), Failure, "none of the header cards A, B");
});

Deno.test("targetPath() refuses a name that a card makes too long", () => {
  const values = { ...a(`${"x".repeat(200)}.fits`), cards: CARDS };
  assertEquals(assertThrows(() => targetPath("{header.LONG}{name}", values), Failure, "255 bytes").code, "bad_name");
});

Deno.test("layoutCards() names the cards of a layout", () => {
  assertEquals(layoutCards("{header.object|x}/{night}/{header.CCD-TEMP}-{name}"), ["OBJECT", "CCD-TEMP"]);
});

Deno.test("targetPath() makes a name that every system accepts of every card", () => {
  const value = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("..", "CON", "a/b", "com1.x", " . ", "\\\\x"),
    fc.double(),
  );
  fc.assert(
    fc.property(value, (OBJECT) => {
      const [folder = "", name, more] = targetPath("{header.OBJECT|none}/{name}", { ...a("a.fits"), cards: { OBJECT } }).split(
        "/",
      );
      assertEquals([name, more], ["a.fits", undefined]);
      checkPath(folder, "a Windows computer", true);
      assert(!folder.startsWith(".") && new TextEncoder().encode(folder).length <= 81, folder);
    }),
    MANY,
  );
});

Deno.test("checkLayout() accepts every layout of the examples", () => {
  for (const [layout] of CASES) assertEquals(checkLayout(layout), null, layout);
});

Deno.test("targetPath() refuses a job or night that would lead elsewhere", () => {
  for (const job of ["..", "a/b", "", "a\\b", "."]) {
    assertEquals(assertThrows(() => targetPath("{job}/{path}", { ...a("x"), job }), Failure).code, "configuration");
  }
});

Deno.test("targetPath() refuses a drive letter that the layout moves to the front", () => {
  for (const [layout, path] of [["{path}", "./C:/x"], ["{name}/{path}", "night/C:"]] as const) {
    const failure = assertThrows(() => targetPath(layout, a(path)), Failure, "it is not relative");
    assertEquals(failure.code, "bad_name");
  }
});

Deno.test("targetPath() never leaves the base path, whatever the name", () => {
  const part = fc.oneof(fc.string(), fc.constantFrom("..", ".", "", "NIGHT", "{path}", ".image-transfer-1", "\\..", "\0"));
  const layout = fc.constantFrom("{path}", "{folder}/{night}/{name}", "{night}/{stem}{ext}", "{job}-{folder}x/{name}");
  fc.assert(
    fc.property(layout, fc.array(part, { maxLength: 5 }), (layout, parts) => {
      let target: string;
      try {
        target = targetPath(layout, a(parts.join("/")));
      } catch (error) {
        assert(error instanceof Failure && error.code === "bad_name", String(error));
        return;
      }
      const steps = target.split("/");
      assert(!steps.includes("..") && !steps.includes("") && !steps.includes(".") && !target.includes("\0"), target);
      assert(!target.startsWith(".image-transfer-"), target);
      assertEquals(pathProblem(target), null);
    }),
    MANY,
  );
});

Deno.test("withNight() fills in configured paths", () => {
  assertEquals(
    withNight("/data/NIGHT/{night}/TONIGHT/NIGHT_1/{other}", "20240301"),
    "/data/20240301/20240301/TONIGHT/20240301_1/{other}",
  );
});
