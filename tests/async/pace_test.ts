import { assert, assertEquals, assertRejects } from "@std/assert";
import { bucket, type Pace, pace } from "../../src/async/pace.ts";
import { createFakeClock } from "../support/fake_clock.ts";

const { signal } = new AbortController();

Deno.test("pace() holds the limit over any second, for all who share it, and saves nothing up", async () => {
  const world = aWorld();
  const shared = bucket(() => 1e6, world.clock);
  const paces = [pace(shared), pace(shared)] as const;
  assertEquals(paces[0].atOnce, 10_000);
  assertNear(await world.took(paces.map((one) => world.send(one, 2_500_000))), 4_980);
  await world.clock.advance(60_000);
  assertNear(await world.took([world.send(paces[0], 2_000_000)]), 1_980);
  assertKept(world.sent, 1e6);
});

Deno.test("pace() loses nothing where pieces are smaller than they may be", async () => {
  const world = aWorld();
  const one = pace(bucket(() => 1e6, world.clock));
  const sizes = Array.from({ length: 300 }, (_, index) => index % 3 === 0 ? 3_000 : 6_000);
  const send = async () => {
    for (const bytes of sizes) await world.send(one, bytes);
  };
  assertNear(await world.took([send()]), 1_490);
});

Deno.test("pace() without a limit never waits", async () => {
  const clock = { monotonic: () => 0, sleep: () => Promise.reject(new Error("waited")) };
  const free = pace(bucket(() => null, clock));
  await free.next(1e12, signal);
  assertEquals([free.atOnce, (await free.lease(1e12, signal)).rate], [Infinity, null]);
});

Deno.test("pace() takes a new limit at the next piece", async () => {
  const world = aWorld();
  let limit: number | null = 1e6;
  const one = pace(bucket(() => limit, world.clock));
  assertNear(await world.took([world.send(one, 1e6)]), 980);
  limit = null;
  assertEquals(await world.took([one.next(1e9, signal), one.next(1e9, signal)]), 0);
  assertEquals(one.atOnce, Infinity);
  limit = 1e7;
  assertNear(await world.took([world.send(one, 1e7)]), 980);
});

Deno.test("pace() holds the limits of a destination and of the line together, and shares the line fairly", async () => {
  const world = aWorld();
  const line = bucket(() => 1e6, world.clock);
  const [slow, fast] = [bucket(() => 3e5, line), bucket(() => null, line)];
  const own: Sent[] = [];
  const all = [...Array.from({ length: 20 }, () => world.send(pace(slow), 54_000, own)), world.send(pace(fast), 3e6)];
  assertNear(await world.took(all), 4_080, 200);
  assertKept(world.sent, 1e6);
  assertKept(own, 3e5);
  const ends: number[] = [];
  const equal = Array.from({ length: 10 }, async () => {
    await world.send(pace(bucket(() => null, line)), 100_000);
    ends.push(world.clock.monotonic());
  });
  await world.took(equal);
  assertNear(ends[0]!, ends.at(-1)!, 300);
});

Deno.test("lease() gives a program all of the limit but what keeps others alive, and one lease at a time", async () => {
  const world = aWorld();
  const one = pace(bucket(() => 1e6, world.clock));
  const first = await one.lease(1e9, signal);
  assertEquals(first.rate, 960_000);
  let [told, second] = [0, 0];
  const waiting = one.lease(1e9, signal, () => void told++).then(({ rate }) => void (second = rate!));
  assertNear(await world.took([world.send(one, 160_000)]), 3_975, 60);
  assertEquals(second, 0);
  assert(told >= 3, `${told} signs of life`);
  first[Symbol.dispose]();
  await world.took([waiting]);
  assertEquals(second, 960_000);
});

Deno.test("lease() waits for a fair share; renew() leaves others theirs, and takes what nobody needs", async () => {
  const world = aWorld();
  const line = bucket(() => 1e6, world.clock);
  const [a, b, c] = [1, 2, 3].map(() => pace(bucket(() => null, line))) as [Pace, Pace, Pace];
  const first = await a.lease(1e9, signal);
  const waiting = [b.lease(1e9, signal), c.lease(1e9, signal)];
  await world.clock.advance(3_000);
  first.renew();
  await world.took(waiting);
  const others = await Promise.all(waiting);
  assertEquals([first, ...others].map(({ rate }) => rate), [320_000, 320_000, 320_000]);
  for (const each of others) each[Symbol.dispose]();
  await world.clock.advance(3_000);
  first.renew();
  assertEquals(first.rate, 960_000);
});

Deno.test("lease() counts for as long as its bytes take: a program may be ahead of its rate when it ends", async () => {
  const world = aWorld();
  const one = pace(bucket(() => 1e6, world.clock));
  (await one.lease(96_000, signal))[Symbol.dispose]();
  assertNear(await world.took([one.lease(96_000, signal)]), 100);
});

Deno.test("next() and lease() give up when the signal is aborted, and nobody else waits for them", async () => {
  const world = aWorld();
  const shared = bucket(() => 1e6, world.clock);
  const stop = new AbortController();
  const lease = await pace(shared).lease(1e6, signal);
  await pace(shared).next(1e6, signal);
  const given = [pace(shared).lease(1, stop.signal), pace(shared).next(1e6, stop.signal)];
  stop.abort(new Error("stopped"));
  for (const each of given) await assertRejects(() => each, Error, "stopped");
  lease[Symbol.dispose]();
  await world.clock.advance(3_000);
  assertEquals((await pace(shared).lease(1, signal)).rate, 960_000);
  assertEquals(world.clock.sleeping, 0);
});

interface Sent {
  readonly at: number;
  readonly bytes: number;
}

function aWorld() {
  const clock = createFakeClock();
  const sent: Sent[] = [];
  return {
    clock,
    sent,
    async send(through: Pace, bytes: number, also: Sent[] = []): Promise<void> {
      for (let left = bytes; left > 0;) {
        const piece = Math.min(left, through.atOnce);
        await through.next(piece, signal);
        for (const list of [sent, also]) list.push({ at: clock.monotonic(), bytes: piece });
        left -= piece;
      }
    },
    /** Lets time pass until all is done; gives how much. */
    async took(work: readonly Promise<unknown>[]): Promise<number> {
      const began = clock.monotonic();
      let done = false;
      void Promise.all(work).then(() => done = true);
      await clock.advance(0);
      while (!done) await clock.advance(1);
      return clock.monotonic() - began;
    },
  };
}

function assertNear(found: number, expected: number, most = 30): void {
  assert(Math.abs(found - expected) <= most, `${found} instead of ${expected}`);
}

function assertKept(sent: readonly Sent[], limit: number): void {
  for (const { at: begin } of sent) {
    const bytes = sent.filter(({ at }) => at >= begin && at < begin + 1000).reduce((sum, { bytes }) => sum + bytes, 0);
    assert(bytes <= 1.05 * limit, `${bytes} bytes in the second from ${begin} on`);
  }
}
