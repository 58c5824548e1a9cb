import { assertEquals, assertRejects } from "@std/assert";
import { deadline, sharedDeadline, within } from "../../src/async/deadline.ts";
import { createFakeClock } from "../support/fake_clock.ts";

const hanging = new Promise<never>(() => {});

Deno.test("deadline() aborts its signal, with its reason, when the time is up", async () => {
  const clock = createFakeClock();
  using limit = deadline(1_000, clock, undefined, "too late");
  await clock.advance(999);
  assertEquals([limit.signal.aborted, limit.passed], [false, false]);
  await clock.advance(1);
  assertEquals([limit.signal.reason, limit.passed], ["too late", true]);
});

Deno.test("deadline() follows the signal it is given, and has not passed then", async () => {
  const clock = createFakeClock();
  const end = new AbortController();
  using limit = deadline(1_000, clock, end.signal, "too late");
  end.abort("stop");
  await clock.advance(1_000);
  assertEquals([limit.signal.reason, limit.passed, clock.sleeping], ["stop", false, 0]);
});

Deno.test("deadline() leaves no timer behind its block, and does not pass any more", async () => {
  const clock = createFakeClock();
  const limit = deadline(1_000, clock);
  limit[Symbol.dispose]();
  assertEquals([limit.signal.aborted, clock.sleeping], [true, 0]);
  await clock.advance(1_000);
  assertEquals(limit.passed, false);
});

Deno.test("within() gives what the work gives in time, and leaves no timer behind", async () => {
  const clock = createFakeClock();
  assertEquals(await within(Promise.resolve(7), 1_000, clock, "late"), 7);
  await assertRejects(() => within(Promise.reject(new Error("broken")), 1_000, clock, "late"), Error, "broken");
  assertEquals(clock.sleeping, 0);
});

Deno.test("within() gives the other value when the time is up, and hears no later failure", async () => {
  const clock = createFakeClock();
  const work = Promise.withResolvers<number>();
  const waiting = within(work.promise, 1_000, clock, "late");
  await clock.advance(1_000);
  assertEquals(await waiting, "late");
  work.reject(new Error("nobody hears this"));
});

Deno.test("sharedDeadline() gives up at its next tick what has not ended, with one timer for all", async () => {
  const clock = createFakeClock();
  {
    using limit = sharedDeadline(1_000, clock);
    assertEquals(await limit.inTime(Promise.resolve()), true);
    assertEquals(await limit.inTime(Promise.reject(new Error("ended, too"))), true);
    const two = Promise.all([limit.inTime(hanging), limit.inTime(hanging)]);
    assertEquals(clock.sleeping, 1);
    await clock.advance(1_000);
    assertEquals(await two, [false, false]);
    const next = limit.inTime(hanging);
    await clock.advance(1_000);
    assertEquals(await next, false);
  }
  assertEquals(clock.sleeping, 0);
});
