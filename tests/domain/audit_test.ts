import { assertEquals } from "@std/assert";
import { isTouched, nextAudit } from "../../src/domain/audit.ts";

const SOURCE = { mtimeMs: 1_700_000_000_500 };
const DELIVERED = 1_700_000_100_000;

Deno.test("isTouched() is false for the source's own time, as coarsely as file systems keep it, and for times up to the delivery", () => {
  for (const mtimeMs of [1_700_000_000_500, 1_700_000_000_000, 1_700_000_002_000, 1_700_000_099_000, 1_700_000_101_000]) {
    assertEquals(isTouched(mtimeMs, SOURCE, DELIVERED), false, String(mtimeMs));
  }
  // A source whose clock was ahead.
  assertEquals(isTouched(DELIVERED + 1e9, { mtimeMs: DELIVERED + 1e9 }, DELIVERED), false);
});

Deno.test("isTouched() is true for a later time, and where no time is known", () => {
  for (const mtimeMs of [DELIVERED + 3_000, DELIVERED + 1e9, null]) assertEquals(isTouched(mtimeMs, SOURCE, DELIVERED), true);
  assertEquals(isTouched(DELIVERED - 1e9, SOURCE, null), true);
});

Deno.test("nextAudit() is one period after the last began, never later than one period from now", () => {
  const every = { everyMs: 1000 };
  assertEquals(nextAudit({ begunAt: 5000 }, every, 5500), 6000);
  assertEquals(nextAudit({ begunAt: 5000 }, every, 9000), 6000);
  assertEquals(nextAudit({ begunAt: 1e12 }, every, 9000), 10_000);
});
