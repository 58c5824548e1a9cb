import { assertEquals, assertRejects } from "@std/assert";
import type { Delivery } from "../../src/domain/delivery.ts";
import type { Session } from "../../src/methods/method.ts";
import { attempts } from "../../src/delivery/attempts.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { aFailure } from "../support/fake_method.ts";

const never = new AbortController().signal;
const LARGE = 64 * 1024 * 1024;
// Only the id and the size are asked of a delivery.
const aDelivery = (id: number, size = LARGE) => ({ id, source: { size } }) as unknown as Delivery;

function bench() {
  const all = attempts(createFakeClock());
  const swept: string[][] = [];
  const world = { fails: false };
  const session = {
    sweep(names: string[] | null) {
      if (world.fails) return Promise.reject(aFailure("interrupted"));
      swept.push(names ?? []);
      return Promise.resolve();
    },
  } as unknown as Session;
  return { all, swept, world, sweep: () => all.sweep(session, never), session };
}

Deno.test("sweep() of attempts() removes what is over, and nothing of an attempt that is still running", async () => {
  const { all, swept, sweep } = bench();
  const name = all.begin();
  all.leave(aDelivery(1), `root/${name}/1`);
  all.forget(aDelivery(1));
  await sweep();
  assertEquals([swept, [...all.kept()]], [[], [name]]);
  all.end(name);
  await sweep();
  await sweep();
  assertEquals([swept, [...all.kept()]], [[[name]], []]);
});

Deno.test("sweep() of attempts() keeps the part of a large file until its delivery is settled", async () => {
  const { all, swept, sweep } = bench();
  const name = all.begin();
  all.leave(aDelivery(1), `root/${name}/1`);
  all.leave(aDelivery(2, 1000), `root/${name}/2`);
  all.end(name);
  await sweep();
  assertEquals([swept, all.leftover(aDelivery(1)), all.leftover(aDelivery(2))], [[], `root/${name}/1`, undefined]);
  all.forget(aDelivery(1));
  await sweep();
  assertEquals(swept, [[name]]);
});

Deno.test("sweep() of attempts() tries again what could not be removed", async () => {
  const { all, swept, world, sweep } = bench();
  const name = all.begin();
  all.end(name);
  world.fails = true;
  await assertRejects(sweep);
  world.fails = false;
  await sweep();
  assertEquals(swept, [[name]]);
});

Deno.test("leave() of attempts() builds on nothing whose publication is in doubt, before and after the doubt is ended", async () => {
  const { all } = bench();
  const name = all.begin();
  all.doubt(name);
  all.leave(aDelivery(1), `root/${name}/1`);
  assertEquals(all.leftover(aDelivery(1)), undefined);
  const ended: string[][] = [];
  const end = (names: readonly string[]) => Promise.resolve(void ended.push([...names]));
  await assertRejects(() => all.endDoubts(() => Promise.reject(aFailure("interrupted"))));
  await all.endDoubts(end);
  await all.endDoubts(end);
  assertEquals(ended, [[name]]);
});
