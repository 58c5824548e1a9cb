import { assertEquals } from "@std/assert";
import { sourceWatch } from "../../../src/system/watching/source_watch.ts";
import type { PathFacts } from "../../../src/system/system.ts";

/** A disk's number for each folder; null where it is missing. */
function bench() {
  const world: { mounted: Record<string, string> | null } = { mounted: { "/data/camera": "2" } };
  const deviceOf = (path: string, mounted: Record<string, string>): string => {
    const mount = Object.keys(mounted).find((folder) => path === folder || path.startsWith(`${folder}/`));
    return mount === undefined ? "1" : mounted[mount]!;
  };
  const facts = (path: string): PathFacts | null => {
    if (world.mounted === null) return null;
    const device = deviceOf(path, world.mounted);
    return { kind: "folder", size: 0, mtimeMs: 0, ctimeMs: 0, mode: 0o755, identity: `${device}:1`, device };
  };
  const isAway = sourceWatch("/data/camera/night", { followedFacts: (path) => Promise.resolve(facts(path)) });
  return { world, isAway };
}

Deno.test("sourceWatch() takes a missing folder for away, and one that is there for there", async () => {
  const { world, isAway } = bench();
  assertEquals([await isAway(), await isAway()], [false, false]);
  world.mounted = null;
  assertEquals(await isAway(), true);
});

Deno.test("sourceWatch() takes the folder below a disk that is not mounted any more for another one", async () => {
  const { world, isAway } = bench();
  await isAway();
  world.mounted = {};
  assertEquals(await isAway(), true);
  // Plugged in again, with another number.
  world.mounted = { "/data/camera": "3" };
  assertEquals(await isAway(), false);
});

Deno.test("sourceWatch() takes a disk that was not there yet at the first look", async () => {
  const { world, isAway } = bench();
  world.mounted = {};
  assertEquals(await isAway(), false);
  world.mounted = { "/data/camera": "2" };
  assertEquals(await isAway(), false);
  world.mounted = {};
  assertEquals(await isAway(), true);
});
