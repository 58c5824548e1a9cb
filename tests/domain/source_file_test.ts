import { assertEquals } from "@std/assert";
import { isFresh, racyMs, racyUntil } from "../../src/domain/source_file.ts";

const SECOND = Date.UTC(2026, 0, 2, 3, 4, 5);

for (
  const [what, mtimeMs, ctimeMs, until] of [
    ["whole seconds, as the runtime tells a ctime", SECOND + 123, SECOND, SECOND + 1_000],
    ["a mtime of long ago that was set", SECOND - 1e9 + 7, SECOND, SECOND + 1_000],
    ["a mtime in the future that was set", SECOND + 1e9 + 7, SECOND, SECOND + 1_000],
    ["units of two seconds, as FAT has them", SECOND + 1_000, SECOND + 1_000, SECOND + 3_000],
    ["milliseconds, as on Windows", SECOND + 123, SECOND + 123, SECOND + 123],
    ["no ctime", SECOND + 123.5, 0, SECOND + 123],
  ] as const
) {
  Deno.test(`racyUntil() ends with the unit that times are told in: ${what}`, () => {
    const facts = { mtimeMs, ctimeMs };
    // And with a tick of the clock that file systems read.
    assertEquals([racyUntil(facts), racyUntil(facts) - racyMs(facts)], [until + 20, Math.trunc(ctimeMs || mtimeMs)]);
  });
}

for (
  const [what, mtimeMs, unit] of [
    ["milliseconds", SECOND + 123, 0],
    ["parts of a millisecond", SECOND + 0.5, 0],
    ["units of a second", SECOND, 1_000],
    ["units of two seconds, as FAT has them", SECOND + 1_000, 2_000],
  ] as const
) {
  Deno.test(`isFresh() as long as a rewrite could leave the mtime: ${what}`, () => {
    const at = (ms: number) => isFresh({ mtimeMs }, mtimeMs + unit + ms);
    // Also where the clock of the file system is ahead.
    assertEquals([at(-3_600_000), at(-1), at(19), at(20)], [true, true, true, false]);
  });
}
