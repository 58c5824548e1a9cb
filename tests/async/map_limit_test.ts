import { assertEquals, assertRejects } from "@std/assert";
import { mapLimit } from "../../src/async/map_limit.ts";

/** Work that ends when told. */
function byHand() {
  const begun: number[] = [];
  const ends = new Map<number, PromiseWithResolvers<string>>();
  const work = (item: number) => {
    begun.push(item);
    const end = Promise.withResolvers<string>();
    ends.set(item, end);
    return end.promise;
  };
  return {
    begun,
    work,
    end: (item: number) => ends.get(item)!.resolve(`${item}`),
    fail: (item: number) => ends.get(item)!.reject(new Error(`${item}`)),
  };
}

const turn = () => new Promise((resolve) => queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => resolve(null)))));

Deno.test("mapLimit() runs only so many at once, and gives the results in the order of the items", async () => {
  const { begun, work, end } = byHand();
  const all = mapLimit([1, 2, 3], 2, work);
  assertEquals(begun, [1, 2]);
  end(2);
  await turn();
  assertEquals(begun, [1, 2, 3]);
  end(3);
  end(1);
  assertEquals(await all, ["1", "2", "3"]);
  assertEquals(await mapLimit([], 2, work), []);
});

Deno.test("mapLimit() throws the first error when what had begun has ended, and begins nothing more", async () => {
  const { begun, work, end, fail } = byHand();
  let over = false;
  const all = assertRejects(() => mapLimit([1, 2, 3], 2, work), Error, "1").finally(() => over = true);
  fail(1);
  await turn();
  assertEquals([begun, over], [[1, 2], false]);
  end(2);
  await all;
});

Deno.test("mapLimit() throws the signal's reason at once, even if the work hangs", async () => {
  const { begun, work, end } = byHand();
  const stop = new AbortController();
  const all = assertRejects(() => mapLimit([1, 2, 3], 2, work, stop.signal), Error, "stop");
  stop.abort(new Error("stop"));
  await all;
  end(1);
  await turn();
  assertEquals(begun, [1, 2]);
});
