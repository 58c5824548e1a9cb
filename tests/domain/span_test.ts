import { assertEquals } from "@std/assert";
import { span } from "../../src/domain/words.ts";

Deno.test("span() names the two largest parts", () => {
  const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000];
  const given = [-5, 0, 59.9 * second, minute, 119 * second, hour, 5.2 * hour, day, 3 * day + 4 * hour];
  assertEquals(given.map(span), ["0 s", "0 s", "59 s", "1 min", "1 min", "1 h", "5 h 12 min", "1 d", "3 d 4 h"]);
});
