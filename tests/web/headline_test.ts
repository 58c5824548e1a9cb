import { assertEquals } from "@std/assert";
import { headlineOf, type HeadlineParts } from "../../src/web/headline.ts";
import type { JobNow } from "../../src/web/page_source.ts";

function textFor(...reasons: readonly string[]): string {
  const waiting = reasons.map((reason, i) => ({ path: `${i}.fits`, reason, detail: "", size: 1, declared: null, since: 0 }));
  // Of a job only its failure and its files matter here.
  const jobs = [{ failure: null, waiting }] as unknown as JobNow[];
  const parts: HeadlineParts = {
    jobs,
    destinations: [],
    tonight: { night: "20240517", files: 0, bytes: 0, destinations: [] },
    underway: 0,
    failed: 0,
  };
  const { level, text } = headlineOf(parts);
  return `${level}: ${text}`;
}

Deno.test("headlineOf() tells incomplete files from such as cannot be taken", () => {
  assertEquals(textFor("incomplete"), "warning: 1 file was not taken: it is incomplete");
  assertEquals(textFor("refused", "growing"), "warning: 1 file cannot be taken");
  assertEquals(textFor("incomplete", "incomplete"), "warning: 2 files were not taken: they are incomplete");
  assertEquals(textFor("refused", "refused"), "warning: 2 files cannot be taken");
  assertEquals(textFor("refused", "incomplete", "refused"), "warning: 3 files were not taken");
  assertEquals(textFor("growing"), "good: No images yet tonight, and nothing waits");
});
