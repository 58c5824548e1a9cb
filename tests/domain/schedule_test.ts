import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { cronFault, limitAt, nextRun, overlap, windowAt } from "../../src/domain/schedule.ts";

const at = (text: string) => Date.parse(text);
const iso = (ms: number | null) => ms === null ? null : new Date(ms).toISOString().replace(".000Z", "Z");

/** The runs of a cron expression in Berlin after a moment. */
function runs(pattern: string, after: string, count: number): (string | null)[] {
  const found: (string | null)[] = [];
  for (let last: number | null = at(after); last !== null && found.length < count;) {
    last = nextRun({ kind: "cron", pattern, timezone: "Europe/Berlin" }, last);
    found.push(iso(last));
  }
  return found;
}

// 2026: summer time begins on 29 March (02:00 becomes 03:00) and ends on 25 October (03:00 becomes 02:00).
const CRON: [about: string, pattern: string, after: string, runs: string[]][] = [
  ["five fields", "30 6 * * *", "2026-01-10T00:00:00Z", ["2026-01-10T05:30:00Z", "2026-01-11T05:30:00Z"]],
  ["six fields have seconds in front", "15 30 6 * * *", "2026-01-10T00:00:00Z", ["2026-01-10T05:30:15Z"]],
  ["every Monday", "0 0 2 * * MON", "2026-01-10T00:00:00Z", ["2026-01-12T01:00:00Z", "2026-01-19T01:00:00Z"]],
  ["every ten minutes from six to seven", "0 */10 6 * * *", "2026-01-10T05:40:00Z", [
    "2026-01-10T05:50:00Z",
    "2026-01-11T05:00:00Z",
  ]],
  ["an hour that is skipped: once, after the gap", "30 2 * * *", "2026-03-28T12:00:00Z", [
    "2026-03-29T01:00:00Z",
    "2026-03-30T00:30:00Z",
  ]],
  ["an hour that comes twice: once", "30 2 * * *", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]],
  ["every half hour, through an hour that comes twice", "*/30 * * * *", "2026-10-25T00:15:00Z", [
    "2026-10-25T00:30:00Z",
    "2026-10-25T01:00:00Z",
    "2026-10-25T01:30:00Z",
    "2026-10-25T02:00:00Z",
  ]],
];

for (const [about, pattern, after, expected] of CRON) {
  Deno.test(`nextRun(): cron, ${about}`, () => assertEquals(runs(pattern, after, expected.length), expected));
}

Deno.test("nextRun(): an interval counts from the beginning of the last run, and missed runs are one", () => {
  const hourly = { kind: "interval", everyMs: 3_600_000 } as const;
  assertEquals(nextRun(hourly, 1000), 3_601_000);
});

const DAYTIME = { kind: "window", from: "06:00", to: "18:00", timezone: "Europe/Berlin" } as const;
const NIGHT = { kind: "window", from: "20:00", to: "06:00", timezone: "Europe/Berlin" } as const;
const GAP = { kind: "window", from: "02:30", to: "05:00", timezone: "Europe/Berlin" } as const;

const WINDOWS: [about: string, window: Parameters<typeof windowAt>[0], at: string, open: boolean, until: string][] = [
  ["before it", DAYTIME, "2026-01-10T04:59:59Z", false, "2026-01-10T05:00:00Z"],
  ["when it begins", DAYTIME, "2026-01-10T05:00:00Z", true, "2026-01-10T17:00:00Z"],
  ["when it ends", DAYTIME, "2026-01-10T17:00:00Z", false, "2026-01-11T05:00:00Z"],
  ["past midnight: in the evening", NIGHT, "2026-01-10T20:00:00Z", true, "2026-01-11T05:00:00Z"],
  ["past midnight: in the morning", NIGHT, "2026-01-11T04:00:00Z", true, "2026-01-11T05:00:00Z"],
  ["past midnight: by day", NIGHT, "2026-01-11T12:00:00Z", false, "2026-01-11T19:00:00Z"],
  ["the night the clocks go forward is an hour shorter", NIGHT, "2026-03-28T20:00:00Z", true, "2026-03-29T04:00:00Z"],
  ["the night the clocks go back is an hour longer", NIGHT, "2026-10-24T20:00:00Z", true, "2026-10-25T05:00:00Z"],
  ["its beginning is skipped: it begins after the gap", GAP, "2026-03-29T00:59:00Z", false, "2026-03-29T01:00:00Z"],
  ["after the gap", GAP, "2026-03-29T01:00:00Z", true, "2026-03-29T03:00:00Z"],
  ["the day after a skipped beginning", GAP, "2026-03-29T03:00:00Z", false, "2026-03-30T00:30:00Z"],
];

for (const [about, window, moment, isOpen, until] of WINDOWS) {
  Deno.test(`windowAt(): ${about}`, () => {
    const found = windowAt(window, at(moment));
    assertEquals([found.isOpen, iso(found.until)], [isOpen, until]);
  });
}

Deno.test("windowAt(): at every moment of a year, until is later and the other side of a change", () => {
  const minutes = fc.integer({ min: 0, max: 1439 });
  const clock = (of: number) => `${String(Math.floor(of / 60)).padStart(2, "0")}:${String(of % 60).padStart(2, "0")}`;
  // Not between 02:00 and 03:00, which may come twice.
  const plain = minutes.filter((of) => of < 115 || of >= 180);
  fc.assert(
    fc.property(
      fc.integer({ min: at("2026-01-01T00:00:00Z"), max: at("2026-12-31T00:00:00Z") }),
      plain,
      plain,
      (now, from, to) => {
        fc.pre(from !== to);
        const window = { kind: "window", from: clock(from), to: clock(to), timezone: "Europe/Berlin" } as const;
        const { isOpen, until } = windowAt(window, now);
        return until > now && until <= now + 25 * 3_600_000 && windowAt(window, until).isOpen === !isOpen;
      },
    ),
    { numRuns: 300 },
  );
});

const FAULTS: [pattern: string, fault: string | null][] = [
  ["0 */10 6 * * *", null],
  ["*/5 * * * *", null],
  ["* * *", "must be five or six cron fields, like 0 */10 6 * * *"],
  ["* * * * * * 2030", "must be five or six cron fields, like 0 */10 6 * * *"],
  ["61 * * * *", "must be a cron expression: Invalid value for minute: 61"],
  ["0 0 31 2 *", "must match some date"],
];

for (const [pattern, fault] of FAULTS) {
  Deno.test(`cronFault(): ${pattern}`, () => assertEquals(cronFault(pattern), fault));
}

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
