import { assertEquals } from "@std/assert";
import { racyMs, racyUntil } from "../../src/domain/source_file.ts";

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
