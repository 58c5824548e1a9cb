import { assertEquals } from "@std/assert";
import { dirtyFolders } from "../../../src/intake/watch/events.ts";

Deno.test("dirtyFolders() lets a close be looked at within a millisecond", () => {
  const dirty = dirtyFolders(1_000);
  dirty.touch("n", "a.fits", "close", 100);
  assertEquals(dirty.due(), 101);
});

Deno.test("dirtyFolders() looks at a new name within 30 ms", () => {
  const dirty = dirtyFolders(1_000);
  dirty.touch("n", "a.fits", "create", 100);
  assertEquals(dirty.due() <= 130, true);
});

Deno.test("dirtyFolders() gathers the hints of one folder", () => {
  const dirty = dirtyFolders(1_000);
  dirty.touch("n", "a.fits", "create", 0);
  dirty.touch("n", "a.fits", "close", 2);
  dirty.touch("n", "b.fits", "close", 2);
  const [work, ...more] = dirty.take(3);
  assertEquals(more, []);
  assertEquals([...work!.names.keys()], ["a.fits", "b.fits"]);
  assertEquals([...work!.names.get("a.fits")!], ["create", "close"]);
  assertEquals(work!.whole, false);
});

Deno.test("dirtyFolders() lists the whole folder after debounce_ms, as hints get lost", () => {
  const dirty = dirtyFolders(1_000);
  dirty.touch("n", "a.fits", "close", 0);
  dirty.take(1);
  assertEquals(dirty.due(), 1_000);
  assertEquals(dirty.take(1_000).map(({ folder, whole }) => ({ folder, whole })), [{ folder: "n", whole: true }]);
  assertEquals(dirty.due(), Infinity);
});

Deno.test("dirtyFolders() lists a busy folder no more often than debounce_ms, but looks at closes at once", () => {
  const dirty = dirtyFolders(1_000);
  let listings = 0;
  let slowest = 0;
  for (let now = 0; now < 10_000; now += 10) {
    dirty.touch("n", `${now}.fits`, "close", now);
    slowest = Math.max(slowest, dirty.due() - now);
    for (const { whole } of dirty.take(now + 5)) {
      if (!whole) continue;
      listings++;
      dirty.listed("n", now + 5, 1);
    }
  }
  assertEquals([listings <= 10, listings >= 9, slowest <= 1], [true, true, true]);
});

Deno.test("dirtyFolders() lists a folder that takes long to list less often", () => {
  const dirty = dirtyFolders(1_000);
  dirty.touch("n", "a", "close", 0);
  dirty.take(1_000);
  dirty.listed("n", 1_000, 500);
  dirty.touch("n", "b", "close", 1_100);
  dirty.take(1_101);
  assertEquals(dirty.due(), 1_000 + 50 * 500);
});

Deno.test("dirtyFolders() keeps the wish to descend until the folder is listed", () => {
  const dirty = dirtyFolders(1_000);
  dirty.list("n", 0, 500, true);
  dirty.touch("n", "a", "close", 100);
  assertEquals(dirty.take(101).map(({ deep }) => deep), [false]);
  assertEquals(dirty.take(500).map(({ deep, whole }) => ({ deep, whole })), [{ deep: true, whole: true }]);
});

Deno.test("dirtyFolders() says whether names wait", () => {
  const dirty = dirtyFolders(1_000);
  assertEquals(dirty.pending(), false);
  dirty.touch("n", "a", "write", 0);
  assertEquals(dirty.pending(), true);
  dirty.take(100);
  assertEquals(dirty.pending(), false);
});
