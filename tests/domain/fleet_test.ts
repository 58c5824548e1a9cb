import { assert, assertEquals } from "@std/assert";
import { toBeatReport, webAddress } from "../../src/domain/fleet.ts";
import { dice } from "../support/seeded.ts";

Deno.test("webAddress() takes http and https without a password, and nothing else", () => {
  assertEquals(webAddress("https://autumn.example:9090"), "https://autumn.example:9090/");
  assertEquals(webAddress("http://[fd00::1]:9090/x"), "http://[fd00::1]:9090/x");
  const refused = [
    "javascript:alert(1)",
    " JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "ftp://a",
    "//evil.example",
    "https://spring@evil.example/",
    "https://u:p@evil.example/",
    `https://a.example/${"x".repeat(600)}`,
    "",
    7,
    null,
    { href: "https://a.example" },
  ];
  for (const address of refused) assertEquals(webAddress(address), null, String(address));
});

Deno.test("toBeatReport() has the right shape whatever was written", () => {
  const { int } = dice(13);
  const pick = (below: number) => int(0, below - 1);
  const leaf = () =>
    [
      null,
      true,
      -1,
      1e308,
      0.5,
      Infinity,
      NaN,
      "x".repeat(500),
      "20260115",
      "2026-01-15T20:00:00Z",
      [],
      {},
      [[]],
      "+275760-09-12T00:00:00Z",
    ][pick(14)];
  const value = (depth: number): unknown => {
    const kind = pick(4);
    if (depth === 0 || kind === 0) return leaf();
    if (kind === 1) return Array.from({ length: pick(300) }, () => value(depth - 1));
    const keys = [
      "page",
      "waiting",
      "destinations",
      "night",
      "files",
      "files_delivered",
      "free_bytes",
      "clock_ahead_seconds",
      "started_at",
      "may_do",
      "name",
    ];
    return Object.fromEntries(keys.map((key) => [key, value(depth - 1)]));
  };
  for (let round = 0; round < 300; round++) {
    const report = toBeatReport(value(3));
    if (report === null) continue;
    const counts = [report.waiting, report.failed, report.delivered, ...report.destinations.map(({ waiting }) => waiting)];
    assert(counts.every((count) => Number.isSafeInteger(count) && count >= 0 && count <= 1e9), `${counts}`);
    for (const { free_bytes } of report.destinations) assert(free_bytes === null || (free_bytes >= 0 && free_bytes <= 1e18));
    for (const at of [report.started_at, report.oldest_waiting]) assert(at === null || /^20\d\d-/.test(at));
    assert(report.destinations.length <= 200 && report.may_do.length <= 200);
    assert(report.destinations.every(({ name, waiting }) => typeof name === "string" && name.length <= 200 && waiting >= 0));
    assert(report.clock_ahead_seconds === null || Math.abs(report.clock_ahead_seconds) < 1e10);
    assert(report.night === null || /^\d{8}$/.test(report.night.night) && Number.isFinite(report.night.files));
    assertEquals(toBeatReport(JSON.parse(JSON.stringify(report))), report);
  }
});

Deno.test("toBeatReport() of a daemon that tells deliveries only knows nothing of its images", () => {
  assertEquals(toBeatReport({ night: { night: "20260115", files: 3, expected: 6, delivered: 6 } })?.night, null);
});
