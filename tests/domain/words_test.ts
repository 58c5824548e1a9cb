import { assertEquals } from "@std/assert";
import { span } from "../../src/domain/words.ts";
import { VERSION } from "../../src/domain/version.ts";
import { chunks } from "../../src/domain/chunks.ts";

Deno.test("span() names the two largest parts", () => {
  const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000];
  const given = [-5, 0, 59.9 * second, minute, 119 * second, hour, 5.2 * hour, day, 3 * day + 4 * hour];
  assertEquals(given.map(span), ["0 s", "0 s", "59 s", "1 min", "1 min", "1 h", "5 h 12 min", "1 d", "3 d 4 h"]);
});

Deno.test("VERSION is the version in deno.json", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  assertEquals(VERSION, version);
});

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
