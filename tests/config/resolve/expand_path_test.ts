/** Paths as people write them. */
import { assertEquals } from "@std/assert";
import { expandPath, isWithin } from "../../../src/config/resolve/expand_path.ts";
import { aComputer } from "../a_computer.ts";

const LINUX = aComputer({ env: { DATA: "/volumes/data", TREE: "deep/tree" } });
const WINDOWS = aComputer({ platform: "windows", home: "C:\\Users\\Observer", env: { USERPROFILE: "C:\\Users\\Observer" } });

const GOOD: readonly (readonly [string, typeof LINUX, string])[] = [
  ["/data/images", LINUX, "/data/images"],
  ["/data//images/", LINUX, "/data/images"],
  ["/data/./new/../images", LINUX, "/data/images"],
  ["~", LINUX, "/home/observer"],
  ["~/images", LINUX, "/home/observer/images"],
  ["$DATA/x", LINUX, "/volumes/data/x"],
  ["/a/${TREE}/x", LINUX, "/a/deep/tree/x"],
  ["/a/$1", LINUX, "/a/$1"],
  ["/", LINUX, "/"],
  ["C:/Users/Observer", LINUX, "C:/Users/Observer"],
  ["C:\\Users\\Observer", LINUX, "C:\\Users\\Observer"],
  ["C:/Users/Observer/", WINDOWS, "C:\\Users\\Observer"],
  ["c:\\data\\new", WINDOWS, "c:\\data\\new"],
  ["C:/", WINDOWS, "C:\\"],
  ["~/images", WINDOWS, "C:\\Users\\Observer\\images"],
  ["~\\images", WINDOWS, "C:\\Users\\Observer\\images"],
  ["%USERPROFILE%\\images", WINDOWS, "C:\\Users\\Observer\\images"],
  ["//nas/images", WINDOWS, "\\\\nas\\images"],
];
for (const [written, computer, path] of GOOD) {
  Deno.test(`expandPath() on ${computer.platform} takes ${written} for ${path}`, () => {
    assertEquals(expandPath(written, computer), { path });
  });
}

const BAD: readonly (readonly [string, typeof LINUX, string])[] = [
  ["images", LINUX, 'must be an absolute path, beginning with /, ~ or a drive, not "images"'],
  ["C:images", LINUX, 'must be an absolute path, beginning with /, ~ or a drive, not "C:images"'],
  ["\\images", WINDOWS, 'must be an absolute path, beginning with /, ~ or a drive, not "\\images"'],
  ["$NOWHERE/${NEITHER}", LINUX, "contains $NOWHERE, ${NEITHER}, which is not set in the environment"],
  ["%NOWHERE%\\x", WINDOWS, "contains %NOWHERE%, which is not set in the environment"],
  ["~bob/x", LINUX, 'refers to the home folder of another user, "~bob/x"; write the full path'],
];
for (const [written, computer, fault] of BAD) {
  Deno.test(`expandPath() on ${computer.platform} refuses ${written}`, () => {
    assertEquals(expandPath(written, computer), { fault });
  });
}

const WITHIN: readonly (readonly [string, string, "linux" | "darwin" | "windows", boolean])[] = [
  ["/data/new", "/data", "linux", true],
  ["/data", "/data", "linux", true],
  ["/database", "/data", "linux", false],
  ["/data", "/data/new", "linux", false],
  ["/Data/new", "/data", "linux", false],
  ["/Data/new", "/data", "darwin", true],
  ["/anything", "/", "linux", true],
  ["C:\\Data\\new", "c:/data", "windows", true],
];
for (const [inner, outer, platform, expected] of WITHIN) {
  Deno.test(`isWithin() on ${platform} says ${expected} for ${inner} in ${outer}`, () => {
    assertEquals(isWithin(inner, outer, platform), expected);
  });
}
