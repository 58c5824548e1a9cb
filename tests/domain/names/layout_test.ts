import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Failure } from "../../../src/domain/failure.ts";
import { checkLayout, pathProblem, targetPath, withNight } from "../../../src/domain/names/layout.ts";

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
  ["{nigth}/{path}", /\{nigth\} is unknown.*\{night\}/],
  ["{constructor}/{path}", /unknown/],
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

/** Cheap enough for the rarest of names. */
const MANY = { numRuns: 5_000 };

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
