import { assert, assertEquals } from "@std/assert";
import { gate } from "../../src/delivery/gate.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { aFailure } from "../support/fake_method.ts";

Deno.test("gate() lets one prober through at a time", async () => {
  const clock = createFakeClock();
  const door = gate(clock);
  door.trip(aFailure("login_refused"), 5000);
  assertEquals(door.enter(), null);
  await clock.advance(door.wait());
  const leave = door.enter();
  assert(leave);
  assertEquals(door.enter(), null);
  leave();
  assert(door.enter());
});

Deno.test("gate() lets one at a time try where it is open, too: servers drop those that log in at once", () => {
  const door = gate(createFakeClock());
  const leave = door.enter();
  assert(leave);
  assertEquals([door.enter(), door.wait() > 0], [null, true]);
  let heard = 0;
  door.listen(() => heard++);
  leave();
  assertEquals([heard, door.wait()], [1, 0]);
  assert(door.enter());
});

Deno.test("gate() lets the next one through after a prober was admitted", async () => {
  const clock = createFakeClock();
  const door = gate(clock);
  door.trip(aFailure("unreachable"), 5000);
  await clock.advance(2000);
  door.enter();
  door.admit();
  assert(door.enter());
  door.admit();
  assert(door.enter());
  assertEquals([door.state().state, door.streak()], ["open", 1]);
  door.prove();
  assertEquals(door.streak(), 0);
});

Deno.test("prove() does not open a gate that was closed meanwhile", () => {
  const door = gate(createFakeClock());
  door.trip(aFailure("disk_full"), 5000);
  door.prove();
  assertEquals([door.state().state, door.streak()], ["on_hold", 1]);
});

Deno.test("a late leave() does not take the right from another prober", async () => {
  const clock = createFakeClock();
  const door = gate(clock);
  door.trip(aFailure("unreachable"), 5000);
  await clock.advance(2000);
  const first = door.enter()!;
  door.trip(aFailure("unreachable"), 5000);
  await clock.advance(10_000);
  assert(door.enter());
  first();
  assertEquals(door.enter(), null);
});

Deno.test("listen() hears changes until it is taken back", () => {
  const door = gate(createFakeClock());
  let heard = 0;
  const deaf = door.listen(() => heard++);
  door.trip(aFailure("unreachable"), 5000);
  deaf();
  door.admit();
  assertEquals(heard, 1);
});
