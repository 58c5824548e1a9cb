import { assertEquals } from "@std/assert";
import { bell } from "../../src/async/bell.ts";
import { createFakeClock } from "../support/fake_clock.ts";

const never = new AbortController().signal;

Deno.test("bell() does not lose a ring between two waits, and remembers only one", async () => {
  const clock = createFakeClock();
  const ring = bell(clock);
  ring.ring();
  ring.ring();
  assertEquals([await ring.wait(Infinity, never), clock.sleeping], [true, 0]);
  const waiting = ring.wait(1_000, never);
  assertEquals(clock.sleeping, 1);
  await clock.advance(1_000);
  assertEquals(await waiting, false);
});

Deno.test("bell() wakes all who wait, and is not remembered then", async () => {
  const clock = createFakeClock();
  const ring = bell(clock);
  const all = Promise.all([ring.wait(Infinity, never), ring.wait(5_000, never)]);
  ring.ring();
  // They look at everything when they run: this one changes nothing.
  ring.ring();
  assertEquals(await all, [true, true]);
  void ring.wait(1_000, never);
  assertEquals(clock.sleeping, 1);
  await clock.advance(1_000);
});

Deno.test("bell() still wakes those who wait when another's time has come, or another was stopped", async () => {
  const clock = createFakeClock();
  const ring = bell(clock);
  const end = new AbortController();
  let woken = false;
  const long = ring.wait(Infinity, never).then(() => woken = true);
  const short = ring.wait(1_000, never);
  const stopped = ring.wait(Infinity, end.signal);
  await clock.advance(1_000);
  await short;
  end.abort();
  assertEquals([await stopped, await ring.wait(Infinity, end.signal)], [false, false]);
  assertEquals(woken, false);
  ring.ring();
  assertEquals(await long, true);
});
