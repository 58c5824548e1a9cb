import { assert, assertEquals } from "@std/assert";
import { gate } from "../../src/delivery/gate.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { aFailure } from "../support/fake_method.ts";

Deno.test("gate() lets one prober through at a time", async () => {
  const clock = createFakeClock();
  const breaker = gate(clock);
  breaker.trip(aFailure("login_refused"), 5000);
  assertEquals(breaker.enter(), null);
  await clock.advance(breaker.wait());
  const leave = breaker.enter();
  assert(leave);
  assertEquals(breaker.enter(), null);
  leave();
  assert(breaker.enter());
});

Deno.test("gate() lets one at a time try where it is open, too: servers drop those that log in at once", () => {
  const breaker = gate(createFakeClock());
  const leave = breaker.enter();
  assert(leave);
  assertEquals([breaker.enter(), breaker.wait() > 0], [null, true]);
  let heard = 0;
  breaker.listen(() => heard++);
  leave();
  assertEquals([heard, breaker.wait()], [1, 0]);
  assert(breaker.enter());
});

Deno.test("gate() lets the next one through after a prober was admitted", async () => {
  const clock = createFakeClock();
  const breaker = gate(clock);
  breaker.trip(aFailure("unreachable"), 5000);
  await clock.advance(2000);
  breaker.enter();
  breaker.admit();
  assert(breaker.enter());
  breaker.admit();
  assert(breaker.enter());
  assertEquals([breaker.state().state, breaker.streak()], ["open", 1]);
  breaker.prove();
  assertEquals(breaker.streak(), 0);
});

Deno.test("prove() does not open a gate that was closed meanwhile", () => {
  const breaker = gate(createFakeClock());
  breaker.trip(aFailure("disk_full"), 5000);
  breaker.prove();
  assertEquals([breaker.state().state, breaker.streak()], ["on_hold", 1]);
});

Deno.test("a late leave() does not take the right from another prober", async () => {
  const clock = createFakeClock();
  const breaker = gate(clock);
  breaker.trip(aFailure("unreachable"), 5000);
  await clock.advance(2000);
  const first = breaker.enter()!;
  breaker.trip(aFailure("unreachable"), 5000);
  await clock.advance(10_000);
  assert(breaker.enter());
  first();
  assertEquals(breaker.enter(), null);
});

Deno.test("listen() hears changes until it is taken back", () => {
  const breaker = gate(createFakeClock());
  let heard = 0;
  const deaf = breaker.listen(() => heard++);
  breaker.trip(aFailure("unreachable"), 5000);
  deaf();
  breaker.admit();
  assertEquals(heard, 1);
});
