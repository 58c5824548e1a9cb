import { assertEquals, assertMatch } from "@std/assert";
import { whyAsk } from "../../src/delivery/mirror/mirror.ts";
import { clockAt } from "../../src/delivery/mirror/replaced.ts";

const DAY = 86_400_000;
const intended = { files: 3, lately: 0, delivered: 100, emptied: false, root: "1:2", elsewhere: false };
const before = { root: "1:2", accepted: 0 };
const fifty = { maxDelete: { files: 50 } };

Deno.test("whyAsk() lets a mirror remove a few files", () => {
  assertEquals(whyAsk(fifty, before, intended), null);
  assertEquals(whyAsk(fifty, { ...before, root: "" }, intended), null);
  assertEquals(whyAsk({ maxDelete: { percent: 3 } }, before, intended), null);
});

Deno.test("whyAsk() asks for too many files, at once or within an hour", () => {
  assertMatch(whyAsk(fifty, before, { ...intended, files: 51 }) ?? "", /^51 delivered files are no longer .* max_delete is 50$/);
  assertMatch(whyAsk(fifty, before, { ...intended, lately: 48 }) ?? "", /48 were removed within the last hour/);
  assertMatch(whyAsk({ maxDelete: { percent: 2 } }, before, intended) ?? "", /max_delete is 2%, here 2$/);
  assertMatch(whyAsk({ maxDelete: { files: 0 } }, before, { ...intended, files: 1 }) ?? "", /^1 delivered file is no longer/);
});

Deno.test("whyAsk() asks where the source is empty, another folder, or may not be mounted", () => {
  assertMatch(whyAsk(fifty, before, { ...intended, emptied: true }) ?? "", /no delivered file is left there$/);
  assertMatch(whyAsk(fifty, before, { ...intended, root: "1:3" }) ?? "", /another folder than before$/);
  assertMatch(whyAsk(fifty, before, { ...intended, elsewhere: true }) ?? "", /may not be mounted$/);
});

Deno.test("whyAsk() asks for nothing that was accepted, but for more than that", () => {
  const accepted = { ...before, accepted: 3 };
  assertEquals(whyAsk({ maxDelete: { files: 0 } }, accepted, { ...intended, emptied: true, root: "9:9" }), null);
  assertMatch(whyAsk({ maxDelete: { files: 0 } }, accepted, { ...intended, files: 4 }) ?? "", /^4 delivered files/);
  assertEquals(whyAsk(fifty, before, { ...intended, files: 0, emptied: true, root: "9:9" }), null);
});

Deno.test("clockAt() goes with the wall clock, and never with its jumps", () => {
  assertEquals(clockAt({ clockMs: 0, wallMs: 0 }, 5_000, null), { clockMs: 0, wallMs: 5_000 });
  assertEquals(clockAt({ clockMs: 10, wallMs: 5_000 }, 8_000, 3_000), { clockMs: 3_010, wallMs: 8_000 });
  // Set forward by a year while it runs, and while it does not.
  assertEquals(clockAt({ clockMs: 10, wallMs: 5_000 }, 365 * DAY, 3_000).clockMs, 63_010);
  assertEquals(clockAt({ clockMs: 10, wallMs: 5_000 }, 365 * DAY, null).clockMs, DAY + 10);
  // Set back.
  assertEquals(clockAt({ clockMs: 10, wallMs: 5_000 }, 1_000, 3_000), { clockMs: 10, wallMs: 1_000 });
});
