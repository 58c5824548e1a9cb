import { assertEquals } from "@std/assert";
import type { FileFacts } from "../../../src/domain/source_file.ts";
import { missingEvents } from "../../../src/intake/watch/events.ts";
import { createFakeClock } from "../../support/fake_clock.ts";

/** Everything is listed; what comes a second later should be told of. */
async function listed() {
  const clock = createFakeClock();
  const watch = missingEvents(clock);
  watch.scanBegins();
  watch.scanned();
  await clock.advance(1_000);
  const file = (path: string, changes: Partial<FileFacts> = {}): FileFacts => {
    return { path, size: 1, mtimeMs: 0, ctimeMs: clock.now(), identity: "1:1", ...changes };
  };
  return { clock, watch, file };
}

Deno.test("missingEvents() names a new file that a scan found and no event told of, some time later and once", async () => {
  const { clock, watch, file } = await listed();
  watch.found([file("n/a.fits")]);
  assertEquals(watch.overdue(), null);
  await clock.advance(10_000);
  assertEquals([watch.overdue(), watch.overdue()], ["n/a.fits", null]);
});

Deno.test("missingEvents() goes by whole seconds, as ctimes do", async () => {
  const clock = createFakeClock({ startMs: 1_000_900 });
  const watch = missingEvents(clock);
  watch.scanBegins();
  watch.scanned();
  watch.found([{ path: "a.fits", size: 1, mtimeMs: 0, ctimeMs: 1_000_000, identity: "1:1" }]);
  await clock.advance(10_000);
  assertEquals(watch.overdue(), "a.fits");
});

Deno.test("missingEvents() takes an event that comes late, for the file or for a folder above it", async () => {
  for (const told of ["a/b/c.fits", "a/b", "a"]) {
    const { clock, watch, file } = await listed();
    watch.found([file("a/b/c.fits")]);
    await clock.advance(9_000);
    watch.told(told);
    await clock.advance(9_000);
    assertEquals(watch.overdue(), null, told);
  }
  const { clock, watch, file } = await listed();
  watch.found([file("a/b/c.fits")]);
  for (const other of ["a/b/d.fits", "a/bb", "b", ""]) watch.told(other);
  await clock.advance(10_000);
  assertEquals(watch.overdue(), "a/b/c.fits");
});

Deno.test("missingEvents() expects nothing of what was there before everything was listed, or came while track was lost", async () => {
  const { clock, watch, file } = await listed();
  watch.found([file("old.fits", { ctimeMs: clock.now() - 5_000 })]);
  await clock.advance(10_000);
  assertEquals(watch.overdue(), null);
  watch.found([file("a.fits")]);
  watch.lost();
  watch.found([file("b.fits")]);
  // A scan that had begun before does not count either.
  watch.scanned();
  watch.found([file("c.fits")]);
  await clock.advance(10_000);
  assertEquals(watch.overdue(), null);
  watch.scanBegins();
  watch.scanned();
  watch.found([file("d.fits")]);
  await clock.advance(10_000);
  assertEquals(watch.overdue(), "d.fits");
});

Deno.test("missingEvents() goes by the time of last change where there is no ctime", async () => {
  const { clock, watch, file } = await listed();
  watch.found([file("copied.fits", { ctimeMs: 0, mtimeMs: 1 }), file("new.fits", { ctimeMs: 0, mtimeMs: clock.now() })]);
  await clock.advance(10_000);
  assertEquals(watch.overdue(), "new.fits");
});
