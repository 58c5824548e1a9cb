import { assertEquals } from "@std/assert";
import { noticeStandstills } from "../../../src/intake/intake.ts";
import { createFakeClock } from "../../support/fake_clock.ts";

Deno.test("noticeStandstills() tells once that this process, or the whole computer, stood still, and never of a clock that is set back", async () => {
  const clock = createFakeClock();
  const stop = new AbortController();
  let stood = 0;
  let told = 0;
  const time = { ...clock, monotonic: () => clock.monotonic() + stood };
  const noticing = noticeStandstills(time, () => void told++, stop.signal);
  const after = async (change: () => void) => {
    await clock.resting();
    change();
    await clock.advance(3_000);
    await clock.resting();
    return told;
  };
  assertEquals(await after(() => clock.jump(-60_000)), 0);
  assertEquals(await after(() => stood += 4_000), 1);
  assertEquals(await after(() => clock.jump(4_000)), 2);
  assertEquals(await after(() => clock.jump(8 * 3_600_000)), 3);
  assertEquals(await after(() => {}), 3);
  stop.abort();
  await noticing;
});
