import { assertEquals } from "@std/assert";
import { type FleetMember, toBeatReport } from "../../../src/domain/fleet.ts";
import { scrapeTargets } from "../../../src/reports/fleet/scrape_targets.ts";

function member(name: string, page: unknown, level: FleetMember["level"] = "good"): FleetMember {
  const report = toBeatReport({ page });
  return { name, level, headline: "", version: null, seen_at: null, seconds_ago: null, config_error: null, report };
}

Deno.test("scrapeTargets() lists the pages that other computers can open, offline computers included, by name", () => {
  const members = [
    member("winter", "https://winter.example/", "offline"),
    member("autumn", "http://10.0.0.7:9090/"),
    member("six", "http://[fd00::7]:9090/"),
    member("local", "http://127.0.0.1:9090/"),
    member("any", "http://0.0.0.0:9090/"),
    member("none", null),
    member("evil", "javascript:alert(1)"),
    { ...member("new", null), report: null },
  ];
  assertEquals(scrapeTargets(members), [
    { targets: ["10.0.0.7:9090"], labels: { instance: "autumn", __scheme__: "http" } },
    { targets: ["[fd00::7]:9090"], labels: { instance: "six", __scheme__: "http" } },
    { targets: ["winter.example:443"], labels: { instance: "winter", __scheme__: "https" } },
  ]);
});
