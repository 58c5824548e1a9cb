import { assertEquals } from "@std/assert";
import { newerThan, oldestCounted } from "../../src/domain/newer_than.ts";

const START = Date.parse("2026-11-25T20:00:00Z");
const MINUTE = 60_000;

for (
  const [written, timezone, expected] of [
    ["2026-11-01", "Europe/Berlin", "2026-10-31T23:00:00Z"],
    ["2026-11-01", "UTC", "2026-11-01T00:00:00Z"],
    ["2026-07-01", "Europe/Berlin", "2026-06-30T22:00:00Z"],
    ["2026-11-01 18:30", "America/Santiago", "2026-11-01T21:30:00Z"],
    ["2026-11-01T18:30:05", "Asia/Kathmandu", "2026-11-01T12:45:05Z"],
    ["2026-11-01T18:00:00.000Z", "Europe/Berlin", "2026-11-01T18:00:00Z"],
    ["2026-11-01 18:00+01:00", "UTC", "2026-11-01T17:00:00Z"],
    // The night of the change from summer time, and the hour that the change to it skips.
    ["2026-10-25", "Europe/Berlin", "2026-10-24T22:00:00Z"],
    ["2026-10-26", "Europe/Berlin", "2026-10-25T23:00:00Z"],
    ["2026-03-29 02:30", "Europe/Berlin", "2026-03-29T01:30:00Z"],
  ] as const
) {
  Deno.test(`oldestCounted() of ${written} in ${timezone} is ${expected}, whenever the first start was`, () => {
    const at = newerThan(written)!;
    assertEquals(new Date(oldestCounted(at, START, timezone)).toISOString().replace(".000", ""), expected);
    assertEquals(oldestCounted(at, START, timezone), oldestCounted(at, 0, timezone));
  });
}

Deno.test("oldestCounted() of now and of a duration is counted from the first start, with a minute for clocks that differ", () => {
  assertEquals(oldestCounted(newerThan("now")!, START, null), START - MINUTE);
  assertEquals(oldestCounted(newerThan("7d")!, START, null), START - 7 * 24 * 60 * MINUTE - MINUTE);
  assertEquals(oldestCounted(newerThan("12 h")!, START, null), START - 12 * 60 * MINUTE - MINUTE);
});

for (
  const written of [
    "",
    "today",
    "7",
    "2026-02-30",
    "2026-13-01",
    "01.11.2026",
    "2026-11-01 25:00",
    "-7d",
    "7 apples",
    "999y",
    "2026-11-1",
  ]
) {
  Deno.test(`newerThan() refuses "${written}"`, () => assertEquals(newerThan(written), null));
}
