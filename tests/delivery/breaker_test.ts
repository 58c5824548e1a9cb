import { assert, assertEquals } from "@std/assert";
import { type FailureCode, type FailureRecord, failureRecord } from "../../src/domain/failure.ts";
import { circuitBreaker, concernsHost } from "../../src/delivery/breaker.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { aFailure } from "../support/fake_method.ts";

const failing = (code: FailureCode): FailureRecord => failureRecord(aFailure(code));

function aBreaker(random = 0.5) {
  const clock = createFakeClock();
  return { clock, breaker: circuitBreaker({ ...clock, random: () => random }) };
}

/** The waits of `count` failures in a row, each probed as soon as it may be. */
async function waits(code: FailureCode, count: number): Promise<number[]> {
  const { clock, breaker } = aBreaker();
  const found: number[] = [];
  while (found.length < count) {
    breaker.trip(failing(code), 5000);
    found.push(breaker.wait());
    await clock.advance(breaker.wait());
  }
  return found;
}

Deno.test("trip() tries an outage again nearly at once, then ever more rarely, never more rarely than every five minutes", async () => {
  assertEquals(await waits("unreachable", 9), [1000, 5000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
});

Deno.test("trip() probes a full disk at least once a minute, a refused login at most every five", async () => {
  assert((await waits("disk_full", 20)).every((wait) => wait >= 5000 && wait <= 60_000));
  assert((await waits("login_refused", 20)).every((wait) => wait >= 300_000 && wait <= 1_800_000));
});

Deno.test("trip() never waits in step with others", () => {
  const at = (random: number) => {
    const { breaker } = aBreaker(random);
    breaker.trip(failing("unreachable"), 5000);
    return breaker.wait();
  };
  assertEquals([at(0), at(0.999)], [750, 1250]);
});

Deno.test("trip() takes failures before the probe for the same outage", async () => {
  const { clock, breaker } = aBreaker();
  breaker.trip(failing("unreachable"), 5000);
  const first = breaker.state();
  await clock.advance(500);
  breaker.trip(failing("interrupted"), 5000);
  assertEquals(breaker.state(), first);
  breaker.trip(failing("login_refused"), 5000);
  const graver = breaker.state();
  assertEquals([breaker.failuresInARow(), breaker.wait()], [1, 500]);
  assertEquals(graver.state === "on_hold" && graver.failure.code, "login_refused");
});

Deno.test("close() lets files pass but forgets no failures", () => {
  const { breaker } = aBreaker();
  breaker.trip(failing("timeout"), 5000);
  breaker.close();
  assertEquals([breaker.state(), breaker.failuresInARow()], [{ state: "open" }, 1]);
  breaker.trip(failing("timeout"), 5000);
  assertEquals(breaker.failuresInARow(), 2);
});

Deno.test("enter() gives nothing until the probe is due; probeSoon() makes it due", async () => {
  const { clock, breaker } = aBreaker();
  breaker.trip(failing("read_only"), 5000);
  await clock.advance(4999);
  assertEquals(breaker.enter(), null);
  breaker.probeSoon();
  assert(breaker.enter());
});

Deno.test("state() tells hold from back-off, with the time of the next probe by the wall clock", async () => {
  const { clock, breaker } = aBreaker();
  assertEquals(breaker.state(), { state: "open" });
  const began = clock.now();
  breaker.trip(failing("unreachable"), 5000);
  await clock.advance(400);
  const away = breaker.state();
  assertEquals(away.state === "backing_off" && away.until, began + 1000);
  breaker.trip(failing("read_only"), 5000);
  assertEquals(breaker.state().state, "on_hold");
});

Deno.test("concernsHost() is true for the way and the login, false for one folder", () => {
  assertEquals(["unreachable", "login_refused", "host_key_changed"].map((code) => concernsHost(failing(code as FailureCode))), [
    true,
    true,
    true,
  ]);
  assertEquals(["disk_full", "device_missing", "read_only"].map((code) => concernsHost(failing(code as FailureCode))), [
    false,
    false,
    false,
  ]);
});

Deno.test("circuitBreaker() lets one prober through at a time", async () => {
  const clock = createFakeClock();
  const breaker = circuitBreaker(clock);
  breaker.trip(aFailure("login_refused"), 5000);
  assertEquals(breaker.enter(), null);
  await clock.advance(breaker.wait());
  const leave = breaker.enter();
  assert(leave);
  assertEquals(breaker.enter(), null);
  leave();
  assert(breaker.enter());
});

Deno.test("circuitBreaker() lets one at a time try where it is closed, too: servers drop those that log in at once", () => {
  const breaker = circuitBreaker(createFakeClock());
  const leave = breaker.enter();
  assert(leave);
  assertEquals([breaker.enter(), breaker.wait() > 0], [null, true]);
  let heard = 0;
  breaker.listen(() => heard++);
  leave();
  assertEquals([heard, breaker.wait()], [1, 0]);
  assert(breaker.enter());
});

Deno.test("circuitBreaker() lets the next one through after a prober has closed it", async () => {
  const clock = createFakeClock();
  const breaker = circuitBreaker(clock);
  breaker.trip(aFailure("unreachable"), 5000);
  await clock.advance(2000);
  breaker.enter();
  breaker.close();
  assert(breaker.enter());
  breaker.close();
  assert(breaker.enter());
  assertEquals([breaker.state().state, breaker.failuresInARow()], ["open", 1]);
  breaker.succeed();
  assertEquals(breaker.failuresInARow(), 0);
});

Deno.test("probeSoon() during a probe means another one: that one may have begun before the cause was gone", async () => {
  const clock = createFakeClock();
  const breaker = circuitBreaker(clock);
  breaker.trip(aFailure("login_refused"), 5000);
  await clock.advance(breaker.wait());
  breaker.enter();
  breaker.probeSoon();
  breaker.trip(aFailure("login_refused"), 5000);
  assertEquals([breaker.state().state, breaker.wait()], ["on_hold", 0]);
  breaker.enter();
  breaker.trip(aFailure("login_refused"), 5000);
  assert(breaker.wait() > 0, "once");
  await clock.advance(breaker.wait());
  breaker.enter();
  breaker.probeSoon();
  breaker.close();
  breaker.trip(aFailure("login_refused"), 5000);
  assert(breaker.wait() > 0, "what worked needs no other one");
});

Deno.test("succeed() does not close a breaker that was opened meanwhile", () => {
  const breaker = circuitBreaker(createFakeClock());
  breaker.trip(aFailure("disk_full"), 5000);
  breaker.succeed();
  assertEquals([breaker.state().state, breaker.failuresInARow()], ["on_hold", 1]);
});

Deno.test("a late leave() does not take the right from another prober", async () => {
  const clock = createFakeClock();
  const breaker = circuitBreaker(clock);
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
  const breaker = circuitBreaker(createFakeClock());
  let heard = 0;
  const deaf = breaker.listen(() => heard++);
  breaker.trip(aFailure("unreachable"), 5000);
  deaf();
  breaker.close();
  assertEquals(heard, 1);
});
