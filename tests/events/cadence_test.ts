import { assertEquals } from "@std/assert";
import { cadences } from "../../src/events/cadence.ts";
import { isSilent } from "../../src/reports/overview/status_report.ts";

const EVENING = Date.UTC(2026, 0, 15, 20);
const MINUTE = 60_000;

Deno.test("cadences() tells the last image and the usual time between two, across a restart", () => {
  const before = [1, 3, 5, 9, 11].map((minute) => ({ job: "spring", at: EVENING + minute * MINUTE })).toReversed();
  const camera = cadences({ lastAdmitted: () => before });
  // Four distances say nothing of a habit yet.
  assertEquals(camera.of("spring"), { lastImage: EVENING + 11 * MINUTE, usualMs: null });
  camera.listen({ type: "ready", job: "spring", path: "a", size: 1, at: EVENING + 13 * MINUTE });
  camera.listen({ type: "scanned", job: "spring", files: 1, admitted: 1, milliseconds: 1, at: EVENING + 14 * MINUTE });
  assertEquals(camera.of("spring"), { lastImage: EVENING + 13 * MINUTE, usualMs: 2 * MINUTE });
  assertEquals(camera.of("guide"), { lastImage: null, usualMs: null });
});

Deno.test("cadences() learns nothing from files that were there at once, and forgets an old habit", () => {
  const camera = cadences({ lastAdmitted: () => Array.from({ length: 500 }, () => ({ job: "spring", at: EVENING })) });
  assertEquals(camera.of("spring"), { lastImage: EVENING, usualMs: null });
  for (let i = 1; i <= 40; i++) {
    camera.listen({ type: "ready", job: "spring", path: String(i), size: 1, at: EVENING + i * 5 * MINUTE });
  }
  assertEquals(camera.of("spring").usualMs, 5 * MINUTE);
});

Deno.test("isSilent() speaks after five usual intervals, not within a minute, and not by day", () => {
  const night = { timezone: "UTC", rollover: "12:00", siteLongitude: null };
  const silent = (agoMs: number, usualMs: number | null, now = EVENING) =>
    isSilent({ lastImage: now - agoMs, usualMs }, night, now);
  assertEquals([silent(10 * MINUTE, 2 * MINUTE), silent(10 * MINUTE + 1, 2 * MINUTE)], [false, true]);
  assertEquals([silent(MINUTE, 1000), silent(MINUTE + 1, 1000)], [false, true]);
  assertEquals([silent(9 * 3_600_000, null), isSilent({ lastImage: null, usualMs: 1 }, night, EVENING)], [false, false]);
  // At noon the night of the last image is over.
  const noon = Date.UTC(2026, 0, 16, 12);
  assertEquals([silent(4 * 3_600_000, MINUTE, noon - 1), silent(4 * 3_600_000, MINUTE, noon)], [true, false]);
});
