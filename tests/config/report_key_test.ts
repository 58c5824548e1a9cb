import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseSettings } from "../../src/config/read/parse_settings.ts";
import { createSystem } from "../../src/system/create_system.ts";

const settingsOf = (report: string) =>
  parseSettings(
    `watch_path: /data\nremote_host: freya\nremote_base_path: /data/images\nreport: ${report}\n`,
    "/config.yaml",
    "yaml",
    createSystem(),
  );

Deno.test("report: a time and a webhook; false and nothing mean none", () => {
  assertEquals(settingsOf("{ to: https://chat.example/hooks/abc }").report, {
    at: "08:00",
    to: "https://chat.example/hooks/abc",
    fleet: false,
  });
  assertEquals(settingsOf('{ at: "7:30", to: http://10.0.0.1/x }').report?.at, "7:30");
  assertEquals(settingsOf("false").report, null);
});

for (
  const [report, words] of [
    ["true", "must be false or a section"],
    ['{ at: "25:00", to: https://a.example }', "must be a time of day, like 08:00"],
    ["{ to: ftp://a.example }", "must be the address of a webhook"],
    ["{ to: me@observatory.example }", "must be the address of a webhook"],
    ["{ at: 08:00 }", "to"],
    ["{ to: https://a.example, fleet: true }", '"report.fleet" needs "pocketbase"'],
    ["{ to: https://a.example, fleet: spring }", "report.fleet"],
    ["{ to: https://a.example, form: html }", "form"],
  ]
) {
  Deno.test(`report: ${report} is refused, and told why`, () => {
    const error = assertThrows(() => settingsOf(report!), Error);
    assertStringIncludes(error.message, words!);
  });
}
