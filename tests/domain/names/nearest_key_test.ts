/** Which known word a mistyped one is taken for. */
import { assertEquals } from "@std/assert";
import { nearestKey } from "../../../src/domain/names/nearest_key.ts";

const KNOWN = ["watch_path", "remote_host", "remote_base_path", "file_patterns", "retry_attempts", "web"];

const ROWS: readonly (readonly [string, string | undefined])[] = [
  ["file_patern", "file_patterns"],
  ["file-patterns", "file_patterns"],
  ["filePatterns", "file_patterns"],
  ["FILE_PATTERNS", "file_patterns"],
  ["watch_apth", "watch_path"],
  ["host", "remote_host"],
  ["base_path", "remote_base_path"],
  ["wbe", "web"],
  ["zebra", undefined],
  ["", undefined],
  ["path", undefined],
  ["x".repeat(100_000), undefined],
];

for (const [written, expected] of ROWS) {
  Deno.test(`nearestKey() takes "${written.slice(0, 20)}" for ${expected ?? "none"}`, () => {
    assertEquals(nearestKey(written, KNOWN), expected);
  });
}

Deno.test("nearestKey() knows nothing among no words", () => {
  assertEquals(nearestKey("watch_path", []), undefined);
});
