import { assertEquals } from "@std/assert";
import { pace } from "../../src/async/pace.ts";

Deno.test("pace() holds the rate over all who share it, and saves nothing up", async () => {
  let now = 0;
  const clock = { monotonic: () => now, sleep: (ms: number) => Promise.resolve(void (now += Math.max(0, ms))) };
  const { atOnce, next } = pace(() => 10_000, clock);
  const { signal } = new AbortController();
  assertEquals(atOnce, 2500);
  for (let i = 0; i < 5; i++) await next(2500, signal);
  assertEquals(now, 1000);
  now = 60_000;
  for (let i = 0; i < 5; i++) await next(2500, signal);
  assertEquals(now, 61_000);
});

Deno.test("pace() without a limit never waits", async () => {
  const clock = { monotonic: () => 0, sleep: () => Promise.reject(new Error("waited")) };
  await pace(() => null, clock).next(1e12, new AbortController().signal);
});

Deno.test("pace() takes a new limit at the next piece", async () => {
  let now = 0;
  let limit: number | null = 1_000;
  const clock = { monotonic: () => now, sleep: (ms: number) => Promise.resolve(void (now += Math.max(0, ms))) };
  const shared = pace(() => limit, clock);
  const { signal } = new AbortController();
  for (let i = 0; i < 3; i++) await shared.next(1_000, signal);
  assertEquals([now, shared.atOnce], [2_000, 1024]);
  limit = null;
  for (let i = 0; i < 3; i++) await shared.next(1e9, signal);
  assertEquals([now, shared.atOnce], [2_000, Infinity]);
  limit = 100_000;
  for (let i = 0; i < 4; i++) await shared.next(25_000, signal);
  assertEquals([now, shared.atOnce], [3_750, 25_000]);
});
