import { assertEquals, assertRejects } from "@std/assert";
import { createQueue } from "../../../src/system/watching/queue.ts";

Deno.test("queue: what was pushed before the end still comes, in order", async () => {
  const queue = createQueue<number>();
  queue.push(1);
  queue.push(2);
  queue.end();
  queue.push(3);
  const got: number[] = [];
  for await (const item of queue) got.push(item);
  assertEquals(got, [1, 2]);
});

Deno.test("queue: a waiting consumer gets the next item, and the end", async () => {
  const queue = createQueue<string>();
  const first = queue.next();
  queue.push("a");
  assertEquals(await first, "a");
  const second = queue.next();
  queue.end();
  assertEquals(await second, undefined);
});

Deno.test("queue: an error comes after the last item", async () => {
  const queue = createQueue<number>();
  queue.push(1);
  queue.end(new Error("broken"));
  assertEquals(await queue.next(), 1);
  await assertRejects(() => queue.next(), Error, "broken");
});

Deno.test("queue: clear() takes out what waits", async () => {
  const queue = createQueue<number>();
  queue.push(1);
  queue.push(2);
  assertEquals([queue.clear(), queue.length], [[1, 2], 0]);
  queue.push(3);
  assertEquals(await queue.next(), 3);
});
