import { assertEquals } from "@std/assert";
import { duration } from "../../../src/reports/morning/report_text.ts";

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
