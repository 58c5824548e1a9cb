import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { needs } from "../../support/needs.ts";
import { startBrowser } from "../../support/browser.ts";
import type { MorningReport } from "../../../src/reports/morning/morning_json.ts";
import { reportHtml, reportText } from "../../../src/reports/morning/report_text.ts";
import { seriousFaults } from "../../web/axe_faults.ts";

const path = (at: number) => `/data/2026-01-15/M31_Ha_300s_${String(at).padStart(4, "0")}.fits`;
const hundred = Array.from({ length: 100 }, (_, at) => path(at));

/** A night of two jobs that both send to a "nas"; every list is longer than it is shown. */
const REPORT: MorningReport = {
  night: "20260115",
  made_at: "2026-01-16T07:00:00.000Z",
  all_well: false,
  headline: {
    level: "bad",
    text: "usb-stick is full. All 240 images are safe on freya.",
    advice: "Free 120 MB; delivery resumes automatically.",
  },
  seen: { files: 500, bytes: 5e9 },
  not_taken: {
    count: 103,
    bytes: 1e6,
    files: hundred.map((path) => ({
      job: "guide",
      path,
      size: 1,
      message: "it is incomplete: 400 of 694 kB written",
      hint: "Look.",
    })),
    problems: ['Cannot list "/data/guide": permission denied'],
  },
  flagged: {
    count: 117,
    files: hundred.map((path) => ({ job: "spring", path, message: "its DATASUM does not match its data" })),
  },
  destinations: ["spring", "guide"].map((job) => ({
    job,
    name: "nas",
    expected: 300,
    delivered: 200,
    proven: 200,
    bytes: 2e9,
    replaced: 0,
    present: 39,
    hashed: false,
    wrong_count: 161,
    wrong: hundred.map((path) => ({ path, target: path, reason: "it is no longer there" })),
    problem: null,
  })),
  audits: [],
  gaps: [{ job: "spring", series: "M31_*_####.fits", first: 1, last: 90, missing: ["13", "20-25"], missingCount: 7 }],
  slowest: [{ job: "spring", path: path(7), destination: "nas", seconds: 4 }],
  undelivered_count: 205,
  undelivered: hundred.map((path, at) => ({
    id: at + 1,
    job: "spring",
    path,
    destination: "nas",
    state: "queued",
    message: "it waits",
    hint: "",
  })),
};

Deno.test("reportHtml() and reportText() say how many more there are than they list", () => {
  const html = reportHtml(REPORT);
  assertEquals([...html.matchAll(/… and (\d+) more/g)].map(([, more]) => more), ["122", "3", "105", "17"]);
  assertEquals([...html.matchAll(/<h2>(.*? \(\d+\))<\/h2>/g)].map(([, title]) => title), [
    "Missing or changed (322)",
    "Not picked up at the camera (103)",
    "Not delivered (205)",
    "Sent with a warning (117)",
  ]);
  assertEquals([...reportText(REPORT).matchAll(/… and (\d+) more/g)].map(([, more]) => more), ["61", "61", "3", "105", "17"]);
});

Deno.test("reportHtml() names the job of every row, reportText() where two jobs have a destination of one name", () => {
  const html = reportHtml(REPORT);
  for (const line of html.split("\n").filter((line) => /^<tr>.*M31|^<tr>.*nas/.test(line))) {
    assert(/<td>(spring|guide)<\/td>/.test(line), line);
  }
  const text = reportText(REPORT);
  assertStringIncludes(text, "100 not on nas (spring), 100 not on nas (guide)");
  assertStringIncludes(text, "Missing or changed on nas (guide):");
  const [spring] = REPORT.destinations;
  assert(!reportText({ ...REPORT, destinations: [spring!] }).includes("(spring)"));
});

Deno.test("reportHtml() keeps the folders of a path in order, whatever script they are written in", () => {
  const html = reportHtml({ ...REPORT, slowest: [{ ...REPORT.slowest[0]!, path: "/data/לילה/אוריון_0001.fits" }] });
  assertStringIncludes(html, "/<bdi>data</bdi>/<bdi>לילה</bdi>/<bdi>אוריון_0001.fits</bdi>");
});

Deno.test("reportHtml() can be read on light and dark screens, on a phone and on paper", needs("chromium"), async () => {
  await using browser = await startBrowser();
  const page = await browser.open("about:blank");
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 800 });
      await page.setContent(reportHtml(REPORT));
      assertEquals(await seriousFaults(page), [], `${colorScheme} at ${width}`);
      assertEquals(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0, `${width} scrolls sideways`);
    }
  }
  await page.emulateMedia({ colorScheme: "dark", media: "print" });
  assertEquals(await page.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)");
});
