import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { clock, untilStep } from "../../../src/system/host/clock.ts";

Deno.test("sleep() ends at once, without an error, when the signal is aborted", async () => {
  const stop = new AbortController();
  const began = clock.monotonic();
  const sleeping = clock.sleep(3_600_000, stop.signal);
  stop.abort();
  await sleeping;
  await clock.sleep(3_600_000, stop.signal);
  assertLessOrEqual(clock.monotonic() - began, 60_000);
});

Deno.test("sleep() of zero or less is over at once", async () => {
  await clock.sleep(0);
  await clock.sleep(-5);
});

Deno.test("sleep() longer than a timer can be does not end early", async () => {
  const stop = new AbortController();
  let over = false;
  const sleeping = clock.sleep(2 ** 33, stop.signal).then(() => over = true);
  await clock.sleep(20);
  assertEquals(over, false);
  stop.abort();
  await sleeping;
});

Deno.test("sleep() in step ends when others do, never later than asked but for an early timer", () => {
  const ends = (ms: number, ...starts: number[]) => starts.map((now) => now + untilStep(ms, now));
  assertEquals(ends(2_000, 0, 1, 400, 1_500, 1_979), [2_000, 2_000, 2_000, 2_000, 2_000]);
  assertEquals(ends(2_000, 1_999, 1_999.6, 2_000), [4_000, 4_000, 4_000]);
  assertEquals(ends(5_000, 4_000, 4_002, 5_002, 5_999), [8_000, 8_000, 10_000, 10_000]);
  assertEquals(ends(1_999, 400, 1_999), [2_399, 3_998]);
});

Deno.test("now() is the time of day, monotonic() grows", () => {
  assert(Math.abs(clock.now() - Date.now()) < 60_000);
  const before = clock.monotonic();
  assert(clock.monotonic() >= before);
});
