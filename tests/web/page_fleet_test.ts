/** All cameras of the fleet on the page of each of them. */
import { assertEquals, assertMatch } from "@std/assert";
import type { BeatReport, FleetMember } from "../../src/domain/fleet.ts";
import { startBrowser } from "../support/browser.ts";
import { has } from "../support/needs.ts";
import { seriousFaults } from "./axe_faults.ts";
import { webRig } from "./web_rig.ts";

const REPORT: BeatReport = {
  started_at: null,
  page: "https://autumn.example:9090/",
  waiting: 3,
  failed: 0,
  delivered: 240,
  oldest_waiting: null,
  destinations: [],
  night: null,
  clock_ahead_seconds: null,
  may_do: [],
};

function member(name: string, level: FleetMember["level"], changes: Partial<FleetMember> = {}): FleetMember {
  const headline = "All 240 of tonight's images are on freya";
  return { name, level, headline, version: "1", seen_at: null, seconds_ago: 3, config_error: null, report: REPORT, ...changes };
}

Deno.test({
  name: "page: all cameras with their headlines, the worst first; a name leads to a page of the web only",
  ignore: !has("chromium"),
  async fn() {
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
    assertMatch(rows[0]!, /offline[^]*winter[^]*last heard from 2\s*h/);
    assertMatch(rows[1]!, /<b>evil<\/b>[^]*<img src=x onerror=alert\(1\)>/);
    assertMatch(rows[3]!, /its jobs on the server are not used: job "a": unknown key "x"/);
    assertEquals(await panel.locator("a").evaluateAll((links) => links.map((link) => (link as HTMLAnchorElement).href)), [
      "https://autumn.example:9090/",
    ]);
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 900 });
      assertEquals(await seriousFaults(page), []);
      assertEquals(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0);
    }
  },
});
