import { assertEquals, assertRejects } from "@std/assert";
import { queue } from "../../src/async/queue.ts";

Deno.test("queue: what was pushed before the end still comes, in order", async () => {
  const items = queue<number>();
  items.push(1);
  items.push(2);
  items.end();
  items.push(3);
  const got: number[] = [];
  for await (const item of items) got.push(item);
  assertEquals(got, [1, 2]);
});

Deno.test("queue: a waiting consumer gets the next item, and the end", async () => {
  const items = queue<string>();
  const first = items.next();
  items.push("a");
  assertEquals(await first, "a");
  const second = items.next();
  items.end();
  assertEquals(await second, undefined);
});

Deno.test("queue: an error comes after the last item", async () => {
  const items = queue<number>();
  items.push(1);
  items.end(new Error("broken"));
  assertEquals(await items.next(), 1);
  await assertRejects(() => items.next(), Error, "broken");
});

Deno.test("queue: clear() takes out what waits", async () => {
  const items = queue<number>();
  items.push(1);
  items.push(2);
  assertEquals([items.clear(), items.length], [[1, 2], 0]);
  items.push(3);
  assertEquals(await items.next(), 3);
});
