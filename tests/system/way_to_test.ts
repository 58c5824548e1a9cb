import { assertEquals, assertNotEquals } from "@std/assert";
import type { PathFacts } from "../../src/system/system.ts";
import { type WaySystem, wayTo } from "../../src/system/way_to.ts";

const NOW = 1_800_000_000_000;
const [OURS, STRANGER] = [1000, 1001];

/** Folders of this computer that differ from those that only root can write in. */
function disk(changed: Readonly<Record<string, Partial<PathFacts>>>, groups = "camera:x:1000:\n"): WaySystem {
  const facts = (path: string): Promise<PathFacts> =>
    Promise.resolve({
      ...{ kind: "folder", size: 0, mtimeMs: 0, ctimeMs: NOW - 60_000, bornMs: 0, mode: 0o755, links: 1 },
      ...{ identity: `1:${path}`, device: "1", uid: 0, gid: 0 },
      ...changed[path],
    });
  const texts: Readonly<Record<string, string>> = {
    "/etc/group": groups,
    "/etc/passwd": "camera:x:1000:1000::/home/camera:/bin/sh\n",
  };
  return {
    platform: "linux",
    uid: OURS,
    now: () => NOW,
    facts,
    followedFacts: (path) => facts(path),
    realPath: () => Promise.resolve("/disk/images"),
    readText: (path) => Promise.resolve(texts[path]!),
  };
}

/** Of `/data/images/night`, with `/data/images` watched. */
const way = (system: WaySystem) => wayTo("/data/images/night", "/data/images", system);

for (
  const [name, changed, exchangeable, groups] of [
    ["folders of root and ours", { "/data/images": { uid: OURS } }, []],
    ["a folder of another account", { "/data": { uid: STRANGER } }, ["/data"]],
    ["a folder that everybody may write in", { "/data/images": { mode: 0o777 } }, ["/data/images"]],
    ["the folder of the file, in which only names of files can be exchanged", { "/data/images/night": { mode: 0o777 } }, []],
    ["a sticky folder with what is ours", { "/data": { mode: 0o1777 } }, []],
    ["a sticky folder with what is another's", { "/data": { mode: 0o1777 }, "/data/images": { uid: STRANGER } }, [
      "/data/images",
      "/data",
    ]],
    ["our own group", { "/data": { mode: 0o775, uid: OURS, gid: 1000 } }, []],
    ["a group with members", { "/data": { mode: 0o775, uid: OURS, gid: 1000 } }, ["/data"], "camera:x:1000:nina\n"],
    ["a group that is not known here", { "/data": { mode: 0o775, uid: OURS, gid: 5000 } }, ["/data"]],
    ["what a link leads through", { "/data/images": { kind: "symlink" }, "/disk": { mode: 0o777 } }, ["/disk"]],
  ] as readonly [string, Record<string, Partial<PathFacts>>, string[], string?][]
) {
  Deno.test(`wayTo() knows who may exchange a folder: ${name}`, async () => {
    const found = await way(disk(changed, groups));
    assertEquals([found.exchangeable, found.is], [exchangeable, "steady"]);
  });
}

Deno.test("wayTo() is steady only where an exchange would show, and tells one by its state", async () => {
  const open = { mode: 0o777 };
  const steady = await way(disk({ "/data/images": { ...open, ctimeMs: NOW - 2_000 } }));
  assertEquals(steady.is, "steady");
  assertNotEquals((await way(disk({ "/data/images": { ...open, ctimeMs: NOW - 1_000 } }))).state, steady.state);
  assertEquals((await way(disk({ "/data/images": { ...open, ctimeMs: NOW - 1_000 } }))).is, "fresh");
  // As after a start without a clock.
  assertEquals((await way(disk({ "/data/images": { ...open, ctimeMs: NOW + 3_600_000 } }))).is, "steady");
  assertEquals((await way(disk({ "/data/images/night": { kind: "symlink" } }))).is, "elsewhere");
});
