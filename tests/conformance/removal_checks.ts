/** What `remove` and `emptyTrash` promise: only the file that was meant goes, and it lies in the trash. */
import { assertEquals, assertRejects } from "@std/assert";
import type { RemovalOutcome } from "../../src/methods/method.ts";
import { inTrash, TRASH } from "../../src/methods/removal.ts";
import { type Check, check, ignoreBytes, publication, type Rig, STAGING, upload } from "./rig.ts";
import { assertAllPublished, HOSTILE_NAMES } from "./expectations.ts";

const encode = (text: string) => new TextEncoder().encode(text);

export const REMOVAL: readonly Check[] = [
  check("remove() moves files to the trash under their own paths, or removes them for good", async (bench) => {
    const { it, open } = await bench.attached();
    await it.view.write("a/b/x.fits", encode("one"));
    await it.view.write("y.fits", encode("three"));
    await it.view.write("keep.fits", encode("kept"));
    const outcomes = await open.remove([
      { path: "a/b/x.fits", bytes: 3, to: inTrash("t1", "a/b/x.fits") },
      { path: "y.fits", bytes: 5, to: null },
    ], bench.signal);
    assertEquals(codes(outcomes), ["removed", "removed"]);
    assertEquals(await shown(it), ["keep.fits"]);
    assertEquals(await text(it, `${TRASH}/t1/a/b/x.fits`), "one");
    assertEquals(await open.remove([], bench.signal), []);
  }),
  check(
    "remove() leaves what is gone, has another length, is a folder, or would replace something in the trash",
    async (bench) => {
      const { it, open } = await bench.attached();
      await it.view.write("changed.fits", encode("longer"));
      await it.view.write("folder/in.fits", encode("in"));
      await it.view.write("twice.fits", encode("two"));
      await it.view.write(inTrash("t1", "twice.fits"), encode("one"));
      await it.view.write("good.fits", encode("good"));
      const to = (path: string) => inTrash("t1", path);
      const outcomes = await open.remove([
        { path: "gone.fits", bytes: 3, to: to("gone.fits") },
        { path: "no/such/folder.fits", bytes: 3, to: null },
        { path: "changed.fits", bytes: 3, to: to("changed.fits") },
        { path: "folder", bytes: 0, to: null },
        { path: "twice.fits", bytes: 3, to: to("twice.fits") },
        { path: "good.fits", bytes: 4, to: to("good.fits") },
      ], bench.signal);
      assertEquals(codes(outcomes), ["gone", "gone", "exists", "exists", "exists", "removed"]);
      assertEquals(await shown(it), ["changed.fits", "folder/in.fits", "twice.fits"]);
      assertEquals([await text(it, to("twice.fits")), await text(it, to("good.fits"))], ["one", "good"]);
    },
  ),
  check("remove() takes every name that publish() gives", async (bench) => {
    const { it, open } = await bench.attached();
    const sources = await Promise.all(HOSTILE_NAMES.map((_, index) => bench.source(`${index}`, "hostile")));
    await open.put(sources.map((source, index) => upload(source, index)), ignoreBytes, bench.signal);
    const names = HOSTILE_NAMES.map((name) => `n/${name}`);
    const published = await open.publish(names.map((name, index) => publication(`${STAGING}/a1/${index}`, name)), bench.signal);
    const given = names.filter((_, index) => published[index]?.published);
    const outcomes = await open.remove(
      given.map((path, index) => ({ path, bytes: 7, to: index % 2 === 0 ? inTrash("t1", path) : null })),
      bench.signal,
    );
    assertEquals(codes(outcomes).filter((code) => code !== "removed"), []);
    assertEquals((await shown(it)).filter((path) => path.startsWith("n/")), []);
    await open.emptyTrash([`${TRASH}/t1`], bench.signal);
    assertEquals((await it.view.files() ?? []).filter((path) => path.startsWith(TRASH)), []);
  }),
  check("emptyTrash() removes the folders that are named, deep ones too, and nothing else", async (bench) => {
    const { it, open } = await bench.attached();
    const deep = `${Array.from({ length: 12 }, (_, depth) => `d ${depth}`).join("/")}/x.fits`;
    await it.view.write(deep, encode("deep"));
    await it.view.write("b.fits", encode("b"));
    await it.view.write("stays.fits", encode("stays"));
    await open.remove([
      { path: deep, bytes: 4, to: inTrash("t1", deep) },
      { path: "b.fits", bytes: 1, to: inTrash("t2", "b.fits") },
    ], bench.signal);
    await open.emptyTrash([`${TRASH}/t1`, `${TRASH}/never-was`], bench.signal);
    assertEquals(await it.view.files(), [`${TRASH}/t2/b.fits`, "stays.fits"]);
    for (const wrong of [TRASH, "stays.fits", `${TRASH}/..`, `${TRASH}/t2/../..`, STAGING, `${TRASH}/t2/b`, ""]) {
      await assertRejects(() => open.emptyTrash([wrong], bench.signal), TypeError);
    }
    assertEquals(await it.view.files(), [`${TRASH}/t2/b.fits`, "stays.fits"]);
  }),
  check("remove() and emptyTrash() leave symlinks and what they lead to alone", { onDisk: true }, async (bench) => {
    const { it, open } = await bench.attached();
    await it.view.write("real.fits", encode("real"));
    await it.view.write(inTrash("t1", "x"), encode("x"));
    const base = it.destination.basePath;
    await Deno.symlink(`${base}/real.fits`, `${base}/link.fits`);
    await Deno.symlink(base, `${base}/${inTrash("t1", "to-base")}`);
    const outcomes = await open.remove([{ path: "link.fits", bytes: 4, to: inTrash("t1", "link.fits") }], bench.signal);
    assertEquals(codes(outcomes), ["exists"]);
    await open.emptyTrash([`${TRASH}/t1`], bench.signal);
    assertEquals((await Deno.lstat(`${base}/link.fits`)).isSymlink, true);
    assertEquals(await text(it, "real.fits"), "real");
  }),
  check("a removed name can be published again", async (bench) => {
    const { it, open } = await bench.attached();
    for (const [number, content] of ["one", "two2"].entries()) {
      await open.put([upload(await bench.source("a", content), number)], ignoreBytes, bench.signal);
      assertAllPublished(await open.publish([publication(`${STAGING}/a1/${number}`, "n/a.fits")], bench.signal));
      const path = "n/a.fits";
      const outcomes = await open.remove([{ path, bytes: content.length, to: inTrash(`t${number}`, path) }], bench.signal);
      assertEquals(codes(outcomes), ["removed"]);
    }
    assertEquals([await text(it, inTrash("t0", "n/a.fits")), await text(it, inTrash("t1", "n/a.fits"))], ["one", "two2"]);
  }),
];

function codes(outcomes: readonly RemovalOutcome[]): string[] {
  return outcomes.map((outcome) => outcome.removed ? "removed" : outcome.failure.code);
}

/** All files but those of ours. */
async function shown(it: Rig): Promise<string[]> {
  return (await it.view.files() ?? []).filter((path) => !path.startsWith(".image-transfer"));
}

async function text(it: Rig, path: string): Promise<string | null> {
  const bytes = await it.view.read(path);
  return bytes && new TextDecoder().decode(bytes);
}
