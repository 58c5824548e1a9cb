import { assert, assertEquals } from "@std/assert";
import { type FailureCode, type FailureRecord, failureRecord } from "../../src/domain/failure.ts";
import {
  type BreakerState,
  circuitBreaker,
  close,
  CLOSED,
  concernsHost,
  mayTry,
  probeSoon,
  shown,
  trip,
} from "../../src/delivery/breaker.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { aFailure } from "../support/fake_method.ts";

const failing = (code: FailureCode): FailureRecord => failureRecord(aFailure(code));
const rules = (monotonic: number, random = 0.5) => ({ baseMs: 5000, random, monotonic });

/** The waits of `count` failures in a row, each probed as soon as it may be. */
function waits(code: FailureCode, count: number): number[] {
  let breaker: BreakerState = CLOSED;
  let now = 0;
  return Array.from({ length: count }, () => {
    breaker = trip(breaker, failing(code), rules(now));
    const wait = breaker.tripped!.probeAt - now;
    now = breaker.tripped!.probeAt;
    return wait;
  });
}

Deno.test("trip() tries an outage again nearly at once, then ever more rarely, never more rarely than every five minutes", () => {
  assertEquals(waits("unreachable", 9), [1000, 5000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
});

Deno.test("trip() probes a full disk at least once a minute, a refused login at most every five", () => {
  assert(waits("disk_full", 20).every((wait) => wait >= 5000 && wait <= 60_000));
  assert(waits("login_refused", 20).every((wait) => wait >= 300_000 && wait <= 1_800_000));
});

Deno.test("trip() never waits in step with others", () => {
  const at = (random: number) => trip(CLOSED, failing("unreachable"), rules(0, random)).tripped!.probeAt;
  assertEquals([at(0), at(0.999)], [750, 1250]);
});

Deno.test("trip() takes failures before the probe for the same outage", () => {
  const first = trip(CLOSED, failing("unreachable"), rules(0));
  assertEquals(trip(first, failing("interrupted"), rules(500)), first);
  const graver = trip(first, failing("login_refused"), rules(500));
  assertEquals([graver.failuresInARow, graver.tripped?.failure.code, graver.tripped?.probeAt], [1, "login_refused", 1000]);
});

Deno.test("close() lets files pass but forgets no failures", () => {
  const again = close(trip(CLOSED, failing("timeout"), rules(0)));
  assertEquals([again.tripped, again.failuresInARow], [null, 1]);
  assertEquals(trip(again, failing("timeout"), rules(10)).failuresInARow, 2);
});

Deno.test("mayTry() is false until the probe is due; probeSoon() makes it due", () => {
  const tripped = trip(CLOSED, failing("read_only"), rules(0));
  assertEquals([mayTry(CLOSED, 0), mayTry(tripped, 4999), mayTry(tripped, 5000)], [true, false, true]);
  assert(mayTry(probeSoon(tripped, 10), 10));
});

Deno.test("shown() tells hold from back-off, with the time of the next probe by the wall clock", () => {
  const now = Date.UTC(2026, 0, 15);
  assertEquals(shown(CLOSED, now, 0), { state: "open" });
  const away = shown(trip(CLOSED, failing("unreachable"), rules(0)), now, 400);
  assertEquals(away.state === "backing_off" && away.until, now + 600);
  assertEquals(shown(trip(CLOSED, failing("read_only"), rules(0)), now, 0).state, "on_hold");
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
