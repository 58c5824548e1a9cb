import { assertEquals } from "@std/assert";
import { limitAt, overlap } from "../../src/domain/schedule.ts";

const at = (iso: string) => Date.parse(iso);
const hours = (from: number, to: number, limit: number | null = 1) => ({ from: from * 60, to: to * 60, limit });

Deno.test("limitAt() of a plain limit is that limit", () => {
  assertEquals([limitAt(null, 0), limitAt(5000, 0)], [null, 5000]);
});

Deno.test("limitAt() follows the timetable over midnight, to the minute", () => {
  const table = { timezone: "UTC", entries: [hours(20, 6, 2), hours(6, 8, 8), hours(9, 10, null)] };
  const limits = ["19:59:59", "20:00:00", "23:59:59", "00:00:00", "05:59:59", "06:00:00", "08:00:00", "09:30:00"]
    .map((time) => limitAt(table, at(`2026-11-22T${time}Z`)));
  assertEquals(limits, [null, 2, 2, 2, 2, 8, null, null]);
});

Deno.test("limitAt() follows the clock of the time zone, on the days that it is set too", () => {
  const table = { timezone: "Europe/Berlin", entries: [hours(2, 3, 7)] };
  // It is set forward at 2:00, so there is no such time on that day, and back at 3:00, so there is twice that time.
  const spring = ["00:59:59", "01:00:00", "01:59:59"].map((time) => limitAt(table, at(`2026-03-29T${time}Z`)));
  assertEquals(spring, [null, null, null]);
  const autumn = ["23:59:59", "00:00:00", "01:59:59", "02:00:00"]
    .map((time, index) => limitAt(table, at(`2026-10-2${index === 0 ? 4 : 5}T${time}Z`)));
  assertEquals(autumn, [null, 7, 7, null]);
});

Deno.test("overlap() finds entries that hold at the same time", () => {
  assertEquals(overlap([hours(20, 6), hours(6, 20)]), null);
  assertEquals(overlap([hours(20, 6), hours(8, 9), hours(5, 7)]), [0, 2]);
  assertEquals(overlap([hours(8, 9), hours(7, 10)]), [0, 1]);
  assertEquals(overlap([hours(22, 2), hours(23, 1)]), [0, 1]);
  assertEquals(overlap([hours(23, 1), hours(22, 2)]), [0, 1]);
  assertEquals(overlap([]), null);
});
