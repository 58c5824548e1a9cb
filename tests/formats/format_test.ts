import { assertEquals } from "@std/assert";
import { written } from "../../src/formats/format.ts";

Deno.test("written() names the unit once, and exact bytes where rounding hides the difference", () => {
  assertEquals(written(400_000, 694_080), "400 of 694 kB written");
  assertEquals(written(20_000, 4_000_000), "20 kB of 4 MB written");
  assertEquals(written(51_839, 51_840), "51839 of 51840 bytes written");
  assertEquals(written(20_000, 51_840, "at least "), "20 of at least 51.8 kB written");
});
