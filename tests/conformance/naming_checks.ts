/** What `publish` promises: whole files at final names, atomically, and nothing lost that stood there. */
import { assert, assertEquals } from "@std/assert";
import type { ConflictPolicy } from "../../src/config/settings.ts";
import type { Session, Upload } from "../../src/methods/method.ts";
import { assertAllPublished, assertAllPut, codeOf, HOSTILE_NAMES } from "./expectations.ts";
import { type Bench, type Check, check, digestOf, ignoreBytes, noise, publication, STAGING, upload } from "./rig.ts";

export const NAMING: readonly Check[] = [
  check("publish() gives the final name, makes folders, sets modes", async (bench) => {
    const { attached, signal, candidate: { modes = 0o7777 } } = bench;
    const { it, open } = await attached();
    const staged = await stage(bench, open, "new");
    const outcomes = await open.publish([
      publication(staged, "2026/07/05/a.fits", { fileMode: 0o664, directoryMode: 0o2775 }),
    ], signal);
    assertEquals(outcomes, [{ published: true }]);
    assertEquals(await text(it, "2026/07/05/a.fits"), "new");
    assertEquals((await it.view.facts("2026/07/05/a.fits"))?.mode, 0o664 & modes);
    for (const folder of bench.candidate.onDisk ? ["2026", "2026/07", "2026/07/05"] : []) {
      assertEquals((await it.view.facts(folder))?.mode, 0o2775 & modes, folder);
    }
    assertEquals((await open.survey([staged], signal))[0], null);
    assertEquals(await open.publish([], signal), []);
  }),
  check("publish() keeps former versions as v1, v2, …, whatever has these names", async (bench) => {
    const { attached, signal } = bench;
    const { it, open } = await attached();
    await it.view.write("n/a.v2.fits", new TextEncoder().encode("not ours"));
    const formers = [];
    for (const content of ["one", "two", "three", "four"]) {
      const outcome = (await open.publish([publication(await stage(bench, open, content), "n/a.fits")], signal))[0];
      formers.push(outcome?.published ? outcome.former : codeOf(outcome));
    }
    assertEquals(formers, [undefined, "n/a.v1.fits", "n/a.v3.fits", "n/a.v4.fits"]);
    assertEquals(await text(it, "n/a.fits"), "four");
    assertEquals(await text(it, "n/a.v1.fits"), "one");
    assertEquals(await text(it, "n/a.v2.fits"), "not ours");
    assertEquals(await text(it, "n/a.v3.fits"), "two");
    assertEquals(await text(it, "n/a.v4.fits"), "three");
  }),
  check("publish() keeps a former version of a name that is already as long as names can be", async (bench) => {
    const { attached, signal } = bench;
    const { it, open } = await attached();
    const target = `${"é".repeat(((bench.candidate.longestName ?? 255) - ".fits".length) / 2)}.fits`;
    await open.publish([publication(await stage(bench, open, "one"), target)], signal);
    const outcome = (await open.publish([publication(await stage(bench, open, "two"), target)], signal))[0];
    assertAllPublished([outcome!]);
    assert(outcome?.published && outcome.former, "no former name");
    assertEquals(await text(it, outcome.former), "one");
    assertEquals(await text(it, target), "two");
  }),
  check("publish() replaces with overwrite, and leaves alone with skip and fail", async (bench) => {
    const { attached, signal } = bench;
    const { it, open } = await attached();
    await it.view.write("a.fits", new TextEncoder().encode("former"));
    const as = async (onConflict: ConflictPolicy, content: string) =>
      (await open.publish([publication(await stage(bench, open, content), "a.fits", { onConflict })], signal))[0];
    assertEquals(codeOf(await as("skip", "skipped")), "exists");
    assertEquals(codeOf(await as("fail", "failed")), "exists");
    assertEquals(await text(it, "a.fits"), "former");
    assertEquals(await as("overwrite", "newer"), { published: true });
    assertEquals(await text(it, "a.fits"), "newer");
    await open.sweep(null, signal);
    assertEquals(await it.view.files(), ["a.fits"]);
  }),
  check("flush() takes files that stand there already, whatever their names", async ({ attached, signal }) => {
    const { it, open } = await attached();
    const names = ["plain.fits", '2026/01/it\'s $HOME `id` "x".fits', "-n.fits", "a\nb.fits"];
    for (const name of names) await it.view.write(name, noise(10));
    await open.flush(names, signal);
    await open.flush([], signal);
    await open.sweep(null, signal);
    assertEquals(await it.view.files(), names.toSorted());
  }),
  check("publish() over the same bytes is no conflict", async (bench) => {
    const { attached, signal } = bench;
    const { it, open } = await attached();
    await it.view.write("a.fits", new TextEncoder().encode("same"));
    for (const onConflict of ["version", "skip", "fail", "overwrite"] as const) {
      const staged = await stage(bench, open, "same");
      assertEquals(
        await open.publish([publication(staged, "a.fits", { onConflict })], signal),
        [{ published: true }],
        onConflict,
      );
      assertEquals((await open.survey([staged], signal))[0], null, "the staged file is gone");
    }
    await open.sweep(null, signal);
    assertEquals(await it.view.files(), ["a.fits"]);
    assertEquals(await text(it, "a.fits"), "same");
  }),
  check("publish() lets a target that is a folder, one below a file, and a lost staged file fail alone", async (bench) => {
    const { attached, signal } = bench;
    const { it, open } = await attached();
    await it.view.write("file", noise(3));
    await it.view.write("folder/inside", noise(4));
    for (const onConflict of ["version", "overwrite", "skip"] as const) {
      const outcomes = await open.publish([
        publication(await stage(bench, open, "0"), `ok ${onConflict}`, { onConflict }),
        publication(await stage(bench, open, "1"), "folder", { onConflict }),
        publication(await stage(bench, open, "2"), "file/below", { onConflict }),
        publication(`${STAGING}/a1/lost`, "lost", { onConflict }),
        publication(await stage(bench, open, "4"), `also ok ${onConflict}`, { onConflict }),
      ], signal);
      const codes = outcomes.map(codeOf);
      assertEquals([codes[0], codes[1], codes[2], codes[4]], [null, "exists", "exists", null], onConflict);
      assert(codes[3] !== null, "a lost staged file cannot be published");
    }
    await open.sweep(null, signal);
    const ok = ["overwrite", "skip", "version"].flatMap((policy) => [`also ok ${policy}`, `ok ${policy}`]);
    assertEquals(await it.view.files(), [...ok, "file", "folder/inside"].sort());
  }),
  check("publish() is atomic: a reader always finds one whole version", async (bench) => {
    const { attached, signal } = bench;
    const { it, open } = await attached();
    const sizes = [300_000, 200_000];
    let stop = false;
    let looks = 0;
    const wrong: string[] = [];
    const round = async (number: number, onConflict: ConflictPolicy) => {
      const size = sizes[number % 2]!;
      const staged = await stage(bench, open, noise(size, size));
      assertAllPublished(await open.publish([publication(staged, "a.fits", { onConflict })], signal));
    };
    await round(0, "overwrite");
    const observer = (async () => {
      while (!stop) {
        looks++;
        const seen = await it.view.read("a.fits");
        const whole = seen !== null && sizes.includes(seen.length) && same(seen, noise(seen.length, seen.length));
        const expected = seen === null && bench.candidate.replacesInTwoSteps;
        if (!whole && !expected) wrong.push(seen === null ? "nothing" : `${seen.length} bytes`);
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    })();
    try {
      for (let number = 1; number <= 12; number++) await round(number, number < 6 ? "overwrite" : "version");
    } finally {
      stop = true;
      await observer;
    }
    assertEquals(wrong, []);
    assert(looks > 0);
  }),
  check("publish() calls for one name may overlap: every version is kept", async (bench) => {
    const { attached, signal } = bench;
    const { it, open } = await attached();
    const contents = ["1", "2", "3", "4", "5", "6"];
    const staged = [];
    for (const content of contents) staged.push(await stage(bench, open, content));
    const outcomes = await Promise.all(staged.map((each) => open.publish([publication(each, "a.fits")], signal)));
    assertAllPublished(outcomes.flat());
    await open.sweep(null, signal);
    const files = await it.view.files() ?? [];
    assertEquals((await Promise.all(files.map((path) => text(it, path)))).sort(), contents);
  }),
  check("publish() of one batch may name the same target twice", async (bench) => {
    const { attached, signal } = bench;
    const { it, open } = await attached();
    const staged = [await stage(bench, open, "first"), await stage(bench, open, "second")];
    assertAllPublished(await open.publish(staged.map((each) => publication(each, "n/a.fits")), signal));
    assertEquals(await text(it, "n/a.fits"), "second");
    assertEquals(await text(it, "n/a.v1.fits"), "first");
  }),
  check(
    "put() that is told the final names shows whole files only, and leaves names that are taken to publish()",
    async ({ attached, signal, source, candidate: { refuses } }) => {
      const { it, open } = await attached();
      await it.view.write("n/taken.fits", new TextEncoder().encode("former"));
      const targets = ["n/free.fits", "n/taken.fits", "twice.fits", "twice.fits", "large.fits", "deep/er/Größe (1).fits"];
      for (const name of HOSTILE_NAMES.slice(0, 20)) if (!refuses?.test(name)) targets.push(`n/${name}`);
      const contents = targets.map((target, index) => noise(target === "large.fits" ? 9 << 20 : 1000 + index, index + 1));
      const uploads: Upload[] = [];
      for (const [index, target] of targets.entries()) {
        uploads.push({ ...upload(await source(`t${index}`, contents[index]!), index), target });
      }
      assertAllPut(await open.put(uploads, ignoreBytes, signal));
      for (const path of (await it.view.files())!.filter((path) => !path.startsWith(".") && path !== "n/taken.fits")) {
        const seen = await it.view.read(path);
        assert(seen && targets.some((target, index) => target === path && same(seen, contents[index]!)), path);
      }
      assertEquals(await text(it, "n/taken.fits"), "former");
      const staged = uploads.map(({ staged }) => staged);
      assertEquals(await open.digest(staged, signal), await Promise.all(contents.map(digestOf)));
      assertEquals((await open.survey(staged, signal)).map((stat) => stat?.bytes), contents.map(({ length }) => length));
      const items = uploads.map(({ staged, target }) => publication(staged, target!));
      assertEquals(
        (await open.publish(items, signal)).map((outcome) => outcome.published ? outcome.former : codeOf(outcome)),
        targets.map((_, index) => index === 1 ? "n/taken.v1.fits" : index === 3 ? "twice.v1.fits" : undefined),
      );
      assertEquals(await open.survey(staged, signal), staged.map(() => null));
      await open.sweep(null, signal);
      assertEquals(await it.view.files(), [...new Set([...targets, "n/taken.v1.fits", "twice.v1.fits"])].sort());
      for (const [index, target] of targets.entries()) {
        const seen = await it.view.read(index === 2 ? "twice.v1.fits" : target);
        assert(seen && same(seen, contents[index]!), target);
      }
    },
  ),
  check(
    "put() calls that are told one final name may overlap: every version is kept",
    async ({ rig, session, signal, source }) => {
      const it = await rig();
      const sessions = [await session(it), await session(it)];
      const contents = ["1", "2", "3", "4"];
      await Promise.all(contents.map(async (content, index) => {
        const open = sessions[index % 2]!;
        const own = { ...upload(await source(`o${content}`, content), index, `a${index}`), target: "a.fits" };
        assertAllPut(await open.put([own], ignoreBytes, signal));
        assertAllPublished(await open.publish([publication(own.staged, "a.fits")], signal));
      }));
      await sessions[0]!.sweep(null, signal);
      const files = await it.view.files() ?? [];
      assertEquals((await Promise.all(files.map((path) => text(it, path)))).sort(), contents);
    },
  ),
];

let staged = 0;

/** Puts one content under a staging name of its own; gives that. */
async function stage(bench: Bench, open: Session, content: string | Uint8Array): Promise<string> {
  const number = ++staged;
  const it = upload(await bench.source(`s${number}`, content), number);
  assertAllPut(await open.put([it], ignoreBytes, bench.signal));
  return it.staged;
}

async function text(it: { view: { read(path: string): Promise<Uint8Array | null> } }, path: string): Promise<string | null> {
  const bytes = await it.view.read(path);
  return bytes && new TextDecoder().decode(bytes);
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
