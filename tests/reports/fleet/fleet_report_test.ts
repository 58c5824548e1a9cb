import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type FleetMember, type NightSums, toBeatReport } from "../../../src/domain/fleet.ts";
import { fleetReport } from "../../../src/reports/fleet/fleet_report.ts";
import { fleetReportHtml, fleetReportText } from "../../../src/reports/fleet/fleet_report_text.ts";

const NOW = Date.parse("2026-01-16T08:00:00Z");
const GOOD = { night: "20260115", files: 100, files_delivered: 100, expected: 200, delivered: 200, bytes: 8e9 };

interface Changes extends Partial<Omit<FleetMember, "report">> {
  readonly night?: Partial<NightSums> | null;
  readonly report?: Record<string, unknown>;
}

function member(name: string, { night = {}, report = {}, ...changes }: Changes = {}): FleetMember {
  const sums = night === null ? null : { ...GOOD, ...night };
  return {
    name,
    level: "good",
    headline: "All 100 of tonight's images are on freya",
    version: "1.0.0",
    seen_at: "2026-01-16T07:59:40.000Z",
    seconds_ago: 20,
    config_error: null,
    report: toBeatReport({ night: sums, ...report }),
    ...changes,
  };
}

function reportOf(...members: FleetMember[]) {
  return fleetReport({ members, at: NOW - 20_000 }, NOW);
}

const OFFLINE = { level: "offline", seen_at: "2026-01-16T03:12:40.000Z", seconds_ago: 17_240 } as const;

Deno.test("fleetReport() of computers whose images are all delivered is well", () => {
  const report = reportOf(member("spring"), member("autumn"));
  assertEquals(report.all_well, true);
  assertEquals(report.images, { seen: 200, delivered: 200, on_the_way: 0, held: 0, missing: 0, bytes: 16e9 });
  assertEquals(
    fleetReportText(report),
    `Fleet, night 2026-01-15: all well, all 200 images of 2 computers are delivered

200 images seen, 200 delivered, 16 GB
  autumn  well, 100 images seen, 100 delivered, 8 GB
  spring  well, 100 images seen, 100 delivered, 8 GB
`,
  );
});

Deno.test("fleetReport() lists a computer that is offline as unknown, however well it was when it was last heard of", () => {
  const report = reportOf(member("spring"), member("winter", OFFLINE));
  assertEquals([report.all_well, report.well], [false, 1]);
  assertEquals(report.computers.map(({ name, verdict, offline_since }) => [name, verdict, offline_since]), [
    ["winter", "unknown", OFFLINE.seen_at],
    ["spring", "well", null],
  ]);
  // What it did meanwhile nobody knows: its images are in no sum.
  assertEquals(report.images.seen, 100);
  assertEquals(
    fleetReportText(report),
    `Fleet, night 2026-01-15: NOT all well: 1 of 2 computers unknown

100 images seen, 100 delivered, 8 GB, without the unknown computer
  winter  UNKNOWN, offline since 2026-01-16 03:12 UTC (4 h 47 min), by its last report 100 images seen, 100 delivered, 8 GB
  spring  well, 100 images seen, 100 delivered, 8 GB
`,
  );
});

Deno.test("fleetReport() puts the unknown first, then missing, held, and whatever needs attention", () => {
  const report = reportOf(
    member("a well"),
    member("b attention", { level: "bad", headline: "data is not watched" }),
    member("c held", {
      level: "warning",
      headline: "nas is paused",
      night: { files_delivered: 97, files_waiting: 3 },
      report: { oldest_waiting: "2026-01-16T07:30:00Z", clock_ahead_seconds: -75 },
    }),
    member("d missing", { night: { files_delivered: 98, files_failed: 2, not_sent: 1 } }),
    member("e new", { level: "unknown", headline: "It has never reported", report: {}, night: null }),
    member("f no jobs", { config_error: 'job "a": unknown key "x"' }),
  );
  assertEquals(report.computers.map(({ name, verdict }) => `${name.slice(0, 1)} ${verdict}`), [
    "e unknown",
    "d missing",
    "c held",
    "b attention",
    "f attention",
    "a well",
  ]);
  const text = fleetReportText(report);
  assertMatch(text, /NOT all well: 1 of 6 computers unknown, 3 images missing, 3 images held, 2 computers need attention\n/);
  assertStringIncludes(text, "  d missing    MISSING, 101 images seen, 98 delivered, 3 missing, 8 GB\n");
  assertStringIncludes(
    text,
    "  c held       HELD, 100 images seen, 97 delivered, 3 held, 8 GB, the oldest has been waiting for 30 min, its clock is 1 min behind, nas is paused\n",
  );
  assertStringIncludes(text, "  e new        UNKNOWN, it has never reported\n");
});

Deno.test("fleetReport() of a computer that is sending at this moment is well; who waits for long is held, whatever it says", () => {
  const sending = (oldest_waiting: string, clock_ahead_seconds = 0) =>
    reportOf(member("spring", {
      level: "busy",
      night: { files_delivered: 98, files_waiting: 2 },
      report: { oldest_waiting, clock_ahead_seconds },
    }));
  const report = sending("2026-01-16T07:59:30Z");
  assertEquals([report.all_well, report.images.on_the_way, report.images.held], [true, 2, 0]);
  assertEquals(
    fleetReportText(report),
    `Fleet, night 2026-01-15: all well, 98 of 100 images of 1 computer are delivered, 2 on the way

100 images seen, 98 delivered, 2 on the way, 8 GB
  spring  well, 100 images seen, 98 delivered, 2 on the way, 8 GB
`,
  );
  assertEquals(sending("2026-01-16T07:45:00Z").computers[0]?.verdict, "held");
  // Its clock is an hour behind or ahead.
  assertEquals(sending("2026-01-16T06:59:30Z", -3600).computers[0]?.verdict, "well");
  assertEquals(sending("2026-01-16T08:45:00Z", 3600).computers[0]?.verdict, "held");
});

Deno.test("fleetReport() without an answer of the server for three minutes knows nothing of anybody", () => {
  const members = [member("spring")];
  assertEquals(fleetReport({ members, at: NOW - 179_000 }, NOW).computers[0]?.verdict, "well");
  const stale = fleetReport({ members, at: NOW - 181_000 }, NOW);
  assertEquals([stale.all_well, stale.computers[0]?.verdict], [false, "unknown"]);
  const none = fleetReport(null, NOW);
  assertEquals(none.all_well, false);
  assertMatch(fleetReportText(none), /^Fleet: nothing is known of any computer\n/);
});

Deno.test("the report over the fleet escapes the names and headlines of other computers", () => {
  const report = reportOf(
    member("<b>evil\u001b[31m</b>", { level: "bad", headline: "<img src=x onerror=alert(1)>\nSpring well" }),
  );
  const html = fleetReportHtml(report);
  assertEquals(["<b>", "<img", "\u001b"].filter((raw) => html.includes(raw)), []);
  assertStringIncludes(html, "&lt;img src=x onerror=alert(1)&gt;");
  const text = fleetReportText(report);
  assertEquals(text.includes("\u001b"), false);
  assertEquals(text.trimEnd().split("\n").length, 4);
});
