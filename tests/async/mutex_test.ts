import { assertEquals, assertRejects } from "@std/assert";
import { keyedMutex, mutex, perOwner } from "../../src/async/mutex.ts";

Deno.test("mutex() lets one work after the other, whatever became of the earlier", async () => {
  const inTurn = mutex();
  const order: string[] = [];
  const first = inTurn(async () => {
    order.push("first begins");
    await Promise.resolve();
    order.push("first ends");
    throw new Error("broken");
  });
  const second = inTurn(() => Promise.resolve(order.push("second")));
  await assertRejects(() => first, Error, "broken");
  assertEquals(await second, 3);
  assertEquals(order, ["first begins", "first ends", "second"]);
});

Deno.test("keyedMutex() makes only those with the same key wait", async () => {
  const inTurn = keyedMutex();
  const end = Promise.withResolvers<void>();
  const order: string[] = [];
  const work = (name: string, until?: Promise<void>) => async () => {
    order.push(name);
    await until;
    if (name === "a1") throw new Error("broken");
    return name;
  };
  const a1 = inTurn("a", work("a1", end.promise));
  const a2 = inTurn("a", work("a2"));
  assertEquals(await inTurn("b", work("b1")), "b1");
  assertEquals(order, ["a1", "b1"]);
  end.resolve();
  await assertRejects(() => a1, Error, "broken");
  assertEquals(await a2, "a2");
});

Deno.test("perOwner() makes one for each owner: what one of them holds, holds no other", async () => {
  const lock = perOwner(keyedMutex);
  const [crashed, started] = [{}, {}];
  lock(crashed)("name", () => new Promise(() => {}));
  assertEquals(await lock(started)("name", () => Promise.resolve("free")), "free");
  assertEquals(lock(started), lock(started));
});
