import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { backOff } from "../../src/domain/failure.ts";

Deno.test("backOff() doubles from the base", () => {
  assertEquals([1, 2, 3, 4].map((attempt) => backOff(attempt, 5000, 0.5)), [5000, 10000, 20000, 40000]);
});

Deno.test("backOff() spreads each wait from three to five quarters", () => {
  assertEquals([backOff(1, 5000, 0), backOff(1, 5000, 0.5), backOff(1, 1000, 0.999999)], [3750, 5000, 1250]);
});

Deno.test("backOff() never exceeds the cap, even after years", () => {
  assertEquals([backOff(50, 5000, 0.9, 60_000), backOff(1e9, 5000, 0.5), backOff(1, 1e12, 0.9)], [60_000, 300_000, 300_000]);
});

Deno.test("backOff() of no base is no wait", () =>
  assertEquals([backOff(3, 0, 0.5), backOff(3, -1, 0.5), backOff(3, NaN, 0.5)], [0, 0, 0]));

Deno.test("backOff() is always a number of milliseconds up to the cap", () => {
  const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 1e9 }),
      unit,
      fc.integer({ min: 1, max: 1e9 }),
      (attempt, base, random, cap) => {
        const wait = backOff(attempt, base, random, cap);
        assert(Number.isSafeInteger(wait) && wait >= 0 && wait <= cap, String(wait));
      },
    ),
  );
});
