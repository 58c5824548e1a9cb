import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { clock } from "../../../src/system/host/clock.ts";

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

Deno.test("now() is the time of day, monotonic() grows", () => {
  assert(Math.abs(clock.now() - Date.now()) < 1000);
  const before = clock.monotonic();
  assert(clock.monotonic() >= before);
});
