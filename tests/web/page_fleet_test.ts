/** All cameras of the fleet on the page of each of them. */
import { assertEquals, assertMatch } from "@std/assert";
import type { BeatReport, FleetMember } from "../../src/domain/fleet.ts";
import { startBrowser } from "../support/browser.ts";
import { needs } from "../support/needs.ts";
import { seriousFaults } from "./axe_faults.ts";
import { webRig } from "./web_rig.ts";

const REPORT: BeatReport = {
  started_at: null,
  page: "https://autumn.example:9090/",
  waiting: 3,
  failed: 0,
  delivered: 240,
  oldest_waiting: "2026-01-15T20:00:00.000Z",
  destinations: [
    { job: "default", name: "nas", state: "open", waiting: 3, free_bytes: 4e12 },
    { job: "default", name: "freya", state: "open", waiting: 3, free_bytes: 1.2e12 },
  ],
  night: {
    night: "20260115",
    files: 243,
    files_delivered: 240,
    files_waiting: 3,
    files_failed: 0,
    not_sent: 0,
    expected: 486,
    delivered: 480,
    failed: 0,
    bytes: 7e9,
  },
  clock_ahead_seconds: -75,
  may_do: ["pause", "scan", "reboot"],
};

function member(name: string, level: FleetMember["level"], changes: Partial<FleetMember> = {}): FleetMember {
  const headline = "All 240 of tonight's images are on freya";
  return { name, level, headline, version: "1", seen_at: null, seconds_ago: 3, config_error: null, report: REPORT, ...changes };
}

Deno.test(
  "page: all cameras with their headlines, the worst first; a name leads to a page of the web only",
  needs("chromium"),
  async () => {
    await using rig = await webRig();
    assertEquals(await rig.json("/api/fleet"), null);
    const members = [
      member("winter", "offline", { seconds_ago: 7200, report: { ...REPORT, page: "http://127.0.0.1:9090/" } }),
      member("<b>evil</b>", "bad", {
        headline: "<img src=x onerror=alert(1)>",
        report: { ...REPORT, page: "javascript:alert(1)" },
      }),
      member("autumn", "good"),
      member("summer", "unknown", { headline: "It has never reported", report: null, config_error: 'job "a": unknown key "x"' }),
    ];
    rig.daemon.events.emit({ type: "fleet", members });
    await using browser = await startBrowser();
    const page = await browser.open(rig.daemon.opening()?.once ?? "");
    const panel = page.locator(".fleet");
    await panel.waitFor();
    const rows = await panel.locator("li").allInnerTexts();
    assertEquals(rows.length, 4);
    assertMatch(
      rows[2]!.replaceAll(/\s+/g, " "),
      /240 of 243 files delivered, night Thu 15 Jan 2026 · 3 files waiting, the oldest for .* · 1.20 TB free on freya · clock 1 min behind/,
    );
    assertMatch(rows[0]!, /offline[^]*winter[^]*last heard from 2\s*h/);
    assertMatch(rows[1]!, /<b>evil<\/b>[^]*<img src=x onerror=alert\(1\)>/);
    assertMatch(rows[3]!, /its jobs on the server are not used: job "a": unknown key "x"/);
    assertEquals(await panel.locator("a").evaluateAll((links) => links.map((link) => (link as HTMLAnchorElement).href)), [
      "https://autumn.example:9090/",
    ]);
    // Commands only for those that take them, and only those that there are.
    await panel.getByText("Send a command").click();
    assertEquals(await panel.getByLabel("Computer").locator("option").allInnerTexts(), ["<b>evil</b>", "autumn"]);
    assertEquals(await panel.getByLabel("Command").locator("option").allInnerTexts(), ["Pause", "Scan"]);
    assertEquals(await panel.getByLabel("Destination").locator("option").allInnerTexts(), ["all", "nas", "freya"]);
    await panel.getByText("Latest commands").click();
    await panel.getByText("No PocketBase server is configured").waitFor();
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 900 });
      assertEquals(await seriousFaults(page), []);
      assertEquals(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0);
    }
  },
);

Deno.test(
  "page: of fifty cameras those that are well are told in short, and still lead to their pages",
  needs("chromium"),
  async () => {
    await using rig = await webRig();
    const well = Array.from({ length: 48 }, (_, index) => {
      const page = `https://camera-${index}.example:9090/`;
      return member(`camera-${index}`, index === 0 ? "busy" : "good", { report: { ...REPORT, page } });
    });
    const members = [member("winter", "offline"), member("x".repeat(64), "bad", { headline: "w".repeat(500) }), ...well];
    rig.daemon.events.emit({ type: "fleet", members });
    await using browser = await startBrowser();
    const page = await browser.open(rig.daemon.opening()?.once ?? "");
    const panel = page.locator(".fleet");
    await panel.waitFor();
    assertEquals(await panel.locator(".rows > li").count(), 2);
    assertEquals(await panel.locator(".fleet-well a").count(), 48);
    const lines = await page.evaluate(
      `new Set([...document.querySelector(".fleet-well a").getClientRects()].map(({ y }) => y)).size`,
    );
    assertEquals(lines, 1, "a short name is not broken");
    assertMatch(await panel.locator(".fleet-well li").first().innerText(), /delivering[^]*camera-0[^]*240 of 243 files/);
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 900 });
      assertEquals(await seriousFaults(page), []);
      assertEquals(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0);
    }
  },
);
