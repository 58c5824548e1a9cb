import { assertEquals } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import { sourceRoot } from "../../../src/system/watching/source_root.ts";
import type { PathFacts } from "../../../src/system/system.ts";
import { createFakeClock } from "../../support/fake_clock.ts";
import { needs } from "../../support/needs.ts";
import { mountSmallDisk } from "../../support/small_disk.ts";
import { tempFolder } from "../../support/temp.ts";

const system = createSystem();
const never = new AbortController().signal;

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
    return { kind: "folder", size: 0, mtimeMs: 0, ctimeMs: 0, mode: 0o755, bornMs: 0, links: 1, identity: `${device}:1`, device };
  };
  const root = sourceRoot("/data/camera/night", {
    ...createFakeClock(),
    followedFacts: (path) => Promise.resolve(facts(path)),
  });
  return { world, isAway: root.isAway, look: async () => (await root.look(never)).is };
}

Deno.test("isAway() of sourceRoot() takes a missing folder for away, and one that is there for there", async () => {
  const { world, isAway } = bench();
  assertEquals([await isAway(), await isAway()], [false, false]);
  world.mounted = null;
  assertEquals(await isAway(), true);
});

Deno.test("isAway() of sourceRoot() takes the folder below a disk that is not mounted any more for another one", async () => {
  const { world, isAway } = bench();
  await isAway();
  world.mounted = {};
  assertEquals(await isAway(), true);
  // Plugged in again, with another number.
  world.mounted = { "/data/camera": "3" };
  assertEquals(await isAway(), false);
});

Deno.test("look() of sourceRoot() tells the folder below a disk that is not mounted any more from the root", async () => {
  const { world, look } = bench();
  assertEquals(await look(), "folder");
  world.mounted = {};
  assertEquals(await look(), "unmounted");
  world.mounted = { "/data/camera": "3" };
  assertEquals(await look(), "folder");
});

Deno.test("isAway() of sourceRoot() takes a disk that was not there yet at the first look", async () => {
  const { world, isAway } = bench();
  world.mounted = {};
  assertEquals(await isAway(), false);
  world.mounted = { "/data/camera": "2" };
  assertEquals(await isAway(), false);
  world.mounted = {};
  assertEquals(await isAway(), true);
});

/** A real folder, and whether it is still the root as it was at the beginning. */
async function realRoot() {
  const dir = await tempFolder();
  await system.makeFolder(dir.at("root"));
  const root = sourceRoot(dir.at("root"), system);
  const found = await root.look(never);
  const identity = found.is === "folder" ? found.identity : "";
  return {
    dir,
    path: dir.at("root"),
    look: async () => (await root.look(never)).is,
    isStill: () => root.isStill(identity, never),
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

Deno.test("sourceRoot() tells a folder, a file and nothing from each other, and notices that the folder was removed", async () => {
  await using root = await realRoot();
  assertEquals([await root.look(), await root.isStill()], ["folder", true]);
  await system.removeTree(root.path);
  assertEquals([await root.look(), await root.isStill()], ["missing", false]);
  await root.dir.write("root", "");
  assertEquals([await root.look(), await root.isStill()], ["not a folder", false]);
});

Deno.test("isStill() of sourceRoot() notices another folder of the same name", async () => {
  await using root = await realRoot();
  await system.rename(root.path, root.dir.at("old"));
  await system.makeFolder(root.path);
  assertEquals([await root.look(), await root.isStill()], ["folder", false]);
});

Deno.test("isStill() of sourceRoot() notices that something is mounted over the folder", needs("root"), async () => {
  await using root = await realRoot();
  await using _disk = await mountSmallDisk(root.path, 1);
  assertEquals([await root.look(), await root.isStill()], ["folder", false]);
});

Deno.test("sourceRoot() waits ten seconds for a disk that does not respond, and asks it again less and less often", async () => {
  const clock = createFakeClock();
  let asked = 0;
  const root = sourceRoot("/data", { ...clock, followedFacts: () => (asked++, new Promise(() => {})) });
  const after = async <T>(answer: Promise<T>) => {
    await clock.advance(10_000);
    return await answer;
  };
  assertEquals(await after(root.look(never)), { is: "silent" });
  assertEquals(await after(root.isStill("1:1", never)), "silent");
  for (let look = 0; look < 10; look++) await after(root.look(never));
  assertEquals(asked, 4);
});
