import { assertEquals } from "@std/assert";
import { chunks } from "../../src/domain/chunks.ts";

Deno.test("chunks() reads the items of a chunk only when it is asked for", () => {
  let read = 0;
  const items = (function* () {
    for (let item = 1; item <= 5; item++) yield read = item;
  })();
  const all = [];
  for (const some of chunks(items, 2)) all.push([some, read]);
  assertEquals(all, [[[1, 2], 2], [[3, 4], 4], [[5], 5]]);
  assertEquals([...chunks([], 2)], []);
});
