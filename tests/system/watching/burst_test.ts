import { assertEquals } from "@std/assert";
import { type BurstLimits, createBurst } from "../../../src/system/watching/hints.ts";
import { createFakeClock } from "../../support/fake_clock.ts";

const LIMITS: BurstLimits = { pauseMs: 20, events: 16, files: 4, quietMs: 250, longestMs: 3_000 };

function aBurst(limits = LIMITS) {
  const clock = createFakeClock();
  let losses = 0;
  const burst = createBurst(() => losses++, limits, clock);
  const many = (events: number, files: number) => {
    for (let event = 0; event < events; event++) burst.note([`f${event % files}`]);
  };
  return { clock, burst, many, losses: () => losses };
}

Deno.test("burst: many files at once mean that everything is listed again, once, after it is over", async () => {
  const { clock, many, losses } = aBurst();
  many(40, 10);
  await clock.advance(249);
  assertEquals(losses(), 0);
  await clock.advance(1);
  assertEquals(losses(), 1);
  await clock.advance(10_000);
  assertEquals([losses(), clock.sleeping], [1, 0]);
});

Deno.test("burst: one file written in many pieces loses nothing that matters", async () => {
  const { clock, many, losses } = aBurst();
  many(1_000, 3);
  await clock.advance(10_000);
  assertEquals(losses(), 0);
});

Deno.test("burst: events with pauses between them are no burst", async () => {
  const { clock, burst, losses } = aBurst();
  for (let event = 0; event < 40; event++) {
    burst.note([`f${event}`]);
    await clock.advance(21);
  }
  await clock.advance(10_000);
  assertEquals(losses(), 0);
});

Deno.test("burst: one without end is cut by the longest wait", async () => {
  const { clock, many, losses } = aBurst({ ...LIMITS, longestMs: 300 });
  for (let step = 0; step < 40; step++) {
    many(16, 16);
    await clock.advance(10);
  }
  assertEquals(losses(), 1);
});

Deno.test("burst: a certain loss is told after the same quiet time", async () => {
  const { clock, burst, losses } = aBurst();
  burst.suspect();
  burst.suspect();
  await clock.advance(250);
  assertEquals(losses(), 1);
});

Deno.test("burst: nothing is told after its end", async () => {
  const { clock, burst, many, losses } = aBurst();
  many(40, 10);
  burst.end();
  await clock.advance(10_000);
  assertEquals([losses(), clock.sleeping], [0, 0]);
});
