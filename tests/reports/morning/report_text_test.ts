import { assertEquals } from "@std/assert";
import type { MorningReport } from "../../../src/reports/morning/morning_json.ts";
import { duration, reportText } from "../../../src/reports/morning/report_text.ts";

/** Without images. */
const night: MorningReport = {
  night: "20260115",
  made_at: "2026-01-16T07:00:00.000Z",
  all_well: true,
  headline: {
    level: "bad",
    text: "usb-stick is full. All 240 images are safe on freya.",
    advice: "Free 120 MB; delivery resumes automatically.",
  },
  seen: { files: 0, bytes: 0 },
  not_taken: { count: 0, bytes: 0, files: [], problems: [] },
  flagged: { count: 0, files: [] },
  destinations: [],
  audits: [],
  gaps: [],
  slowest: [],
  undelivered_count: 0,
  undelivered: [],
};

Deno.test("reportText() says after a night without images, too, what the audit has found damaged", () => {
  const found = { begun_at: null, checked: 9, changed: 0, unreadable: 0, sent_again: 0, damaged: 2, vanished: 0 };
  assertEquals(
    reportText({ ...night, all_well: false, audits: [{ job: "spring", name: "nas", ...found }] }).split("\n")[0],
    "Night 2026-01-15: NOT all well: 2 damaged or vanished on nas, found by the audit",
  );
  assertEquals(reportText(night).split("\n")[0], "Night 2026-01-15: no images");
});

Deno.test("reportText() says in the words of the headline what is wrong at this moment, and nothing where all is well", () => {
  assertEquals(
    reportText(night).split("\n")[1],
    "Now: usb-stick is full. All 240 images are safe on freya. Free 120 MB; delivery resumes automatically.",
  );
  assertEquals(reportText({ ...night, headline: { level: "good", text: "All is fine", advice: "" } }).includes("Now:"), false);
  assertEquals(reportText({ ...night, headline: null }).includes("Now:"), false);
});

Deno.test("duration() never shows sixty of a unit", () => {
  const cases = [
    [0, "0.0 s"],
    [4.24, "4.2 s"],
    [59.94, "59.9 s"],
    [59.96, "1 min 0 s"],
    [119.4, "1 min 59 s"],
    [119.7, "2 min 0 s"],
    [192, "3 min 12 s"],
    [3599.4, "59 min 59 s"],
    [3599.7, "1 h 0 min"],
    [7199, "2 h 0 min"],
    [7500, "2 h 5 min"],
    [7529, "2 h 5 min"],
  ] as const;
  assertEquals(cases.map(([seconds]) => duration(seconds)), cases.map(([, text]) => text));
});
