import { assertEquals } from "@std/assert";
import { ago, bytes, count, duration, failedTries, latency, plural, rate, ratio } from "../../src/web/page/parts/format.ts";

/** Units stand behind a space that does not break. */
const plain = (text: string) => text.replaceAll("\u00a0", " ");

Deno.test("bytes() keeps three digits and never shows a thousand of a unit", () => {
  const cases = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.00 kB"],
    [9_994, "9.99 kB"],
    [9_999, "10.0 kB"],
    [99_960, "100 kB"],
    [999_400, "999 kB"],
    [999_600, "1.00 MB"],
    [16_800_000, "16.8 MB"],
    [4.2e12, "4.20 TB"],
  ] as const;
  assertEquals(cases.map(([value]) => plain(bytes(value))), cases.map(([, text]) => text));
  assertEquals(plain(rate(112_300_000)), "112 MB/s");
});

Deno.test("duration() names the two largest units and never goes back in time", () => {
  const cases = [
    [-5, "under 1 s"],
    [949, "under 1 s"],
    [1000, "1 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [3_599_999, "59 min"],
    [7_500_000, "2 h 05 min"],
    [100 * 3_600_000, "4 d 4 h"],
  ] as const;
  assertEquals(cases.map(([value]) => plain(duration(value))), cases.map(([, text]) => text));
  assertEquals([ago(-100), plain(ago(34_000))], ["just now", "34 s ago"]);
});

Deno.test("latency() is fine below ten seconds", () => {
  assertEquals([0.02, 0.344, 1, 4.23, 10, 190].map((value) => plain(latency(value))), [
    "0.02 s",
    "0.34 s",
    "1 s",
    "4.2 s",
    "10 s",
    "3 min",
  ]);
});

Deno.test("count(), plural() and ratio() fit together in sentences", () => {
  assertEquals([count(50_000), plural(1, "delivery"), plural(2, "delivery"), plural(0, "image")], [
    "50,000",
    "delivery",
    "deliveries",
    "images",
  ]);
  assertEquals([ratio(1, 4), ratio(5, 4), ratio(-1, 4), ratio(0, 0)], [0.25, 1, 0, 1]);
});

Deno.test("failedTries() leaves out the try that succeeded", () => {
  const of = (state: string, attempts: number) => failedTries({ state, attempts });
  assertEquals([of("delivered", 1), of("delivered", 3), of("failed", 3), of("deferred", 2), of("queued", 0)], [0, 2, 3, 2, 0]);
});
