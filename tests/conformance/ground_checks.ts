/** What stands at the destination: attach, survey, digest, leftovers, sweep. */
import { assert, assertEquals } from "@std/assert";
import { type Check, check, digestOf, ignoreBytes, noise, publication, STAGING, upload } from "./rig.ts";
import { HOSTILE_NAMES, rejectsWith } from "./expectations.ts";

export const GROUND: readonly Check[] = [
  check("connect() states how durable publish() is", async ({ rig, session, candidate }) => {
    assertEquals((await session(await rig())).durability, candidate.durability);
  }),
  check("attach() makes the base path only when asked to, and tells its device", async ({ rig, signal }) => {
    const { method, destination, context, view } = await rig();
    await using session = await method.connect(destination, context, signal);
    await rejectsWith(() => session.attach(false, signal), ["device_missing"]);
    assertEquals(await view.files(), null);
    const made = await session.attach(true, signal);
    assertEquals(await view.files(), []);
    const again = await session.attach(false, signal);
    assertEquals(again.device, made.device);
    assert(made.freeBytes === null || made.freeBytes > 0);
    await using other = await method.connect(destination, context, signal);
    assertEquals((await other.attach(true, signal)).device, made.device);
  }),
  check(
    "attach() says that it made the base path, and leaves a probe that sweep() takes away",
    { onDisk: true },
    async ({ rig, signal }) => {
      const { method, destination, context, view } = await rig();
      await using session = await method.connect(destination, context, signal);
      assertEquals((await session.attach(true, signal, "p1")).made, true);
      assert(await view.facts(`${STAGING}/p1`) !== null, "no probe");
      assertEquals((await session.attach(true, signal, "p2")).made, undefined);
      assertEquals((await session.leftovers(signal)).sort(), ["p1", "p2"]);
      await session.sweep(["p1", "p2"], signal);
      assertEquals(await session.leftovers(signal), []);
      await session.sweep(null, signal);
      assertEquals(await view.facts(STAGING), null);
    },
  ),
  check(
    "attach() gives a base path that it makes the configured mode, and leaves one that was there as it is",
    { onDisk: true },
    async ({ rig, signal, candidate: { modes = 0o7777 } }) => {
      const { method, destination, context, view } = await rig({ settings: { directoryMode: 0o2775 } });
      await using session = await method.connect(destination, context, signal);
      await session.attach(true, signal);
      assertEquals((await view.facts("."))?.mode, 0o2775 & modes);
      const other = { ...destination, directoryMode: 0o700 };
      await using later = await method.connect(other, context, signal);
      await later.attach(true, signal);
      assertEquals((await view.facts("."))?.mode, 0o2775 & modes);
    },
  ),
  check("attach() refuses a base path that is a file", { onDisk: true }, async ({ rig, session, signal }) => {
    const parent = await rig();
    await session(parent);
    await parent.view.write("file", noise(3));
    const { method, destination, context } = await rig({ settings: { basePath: `${parent.destination.basePath}/file` } });
    await using inside = await method.connect(destination, context, signal);
    await rejectsWith(() => inside.attach(true, signal), ["not_a_folder", "device_missing"]);
  }),
  check("survey() tells files, folders and nothing, in order", async ({ attached, signal }) => {
    const { it, open } = await attached();
    await it.view.write("night/a b.fits", noise(5));
    await it.view.write("empty", noise(0));
    const found = await open.survey(
      ["missing", "night", "night/a b.fits", "night/no", "empty", "empty/below", "a/b/c"],
      signal,
    );
    assertEquals(found.map((each) => each?.kind ?? null), [null, "folder", "file", null, "file", null, null]);
    assertEquals(found[2]?.bytes, 5);
    assertEquals(found[4]?.bytes, 0);
    assertEquals(await open.survey([], signal), []);
  }),
  check(
    "survey() tells the same while it makes a staging folder: of free names, of taken ones, and of both",
    async ({ attached, signal, candidate: { refuses } }) => {
      const { it, open } = await attached();
      const names = HOSTILE_NAMES.filter((name) => !refuses?.test(name));
      for (const [index, name] of names.entries()) await it.view.write(`in/${name}`, noise(index + 1));
      await it.view.write("night/a b.fits", noise(5));
      const groups = [
        ["missing"],
        ["missing", "night/no", "in/no"],
        ["night"],
        ["night/a b.fits", "missing"],
        ["night/a b.fits/below", "a/b/c"],
        ...names.map((name) => [`in/${name}`]),
        names.map((name) => `in/no ${name}`),
      ];
      for (const [index, paths] of groups.entries()) {
        const staging = `${it.context.stagingRoot}/${index}`;
        assertEquals(await open.survey(paths, signal, staging), await open.survey(paths, signal), JSON.stringify(paths));
      }
    },
  ),
  check("survey() and digest() find files with hostile names", async ({ attached, signal, candidate: { refuses } }) => {
    const { it, open } = await attached();
    const names = HOSTILE_NAMES.filter((name) => !refuses?.test(name));
    for (const [index, name] of names.entries()) await it.view.write(`in/${name}`, noise(index + 1));
    const paths = names.map((name) => `in/${name}`);
    const bytes = paths.map((_, index) => index + 1);
    assertEquals((await open.survey(paths, signal)).map((each) => each?.bytes), bytes);
    assertEquals((await open.digest(paths, signal)).map((each) => each?.bytes), bytes);
  }),
  check("digest() is SHA-256 of what is there: nothing, empty, small, large", async ({ attached, signal }) => {
    const { it, open } = await attached();
    const large = noise(70 << 20);
    await it.view.write("large", large);
    await it.view.write("empty", noise(0));
    await it.view.write("small", noise(1000));
    assertEquals(await open.digest(["missing", "large", "empty", "no/way", "small"], signal), [
      null,
      await digestOf(large),
      await digestOf(""),
      null,
      await digestOf(noise(1000)),
    ]);
    assertEquals(await open.digest([], signal), []);
  }),
  check("sweep() removes what attempts left, and only that", async ({ attached, signal, source }) => {
    const { it, open } = await attached();
    assertEquals(await open.leftovers(signal), []);
    const file = await source("a.fits", noise(100));
    await open.put([upload(file, 1, "a1"), upload(file, 2, "a1")], ignoreBytes, signal);
    await open.put([upload(file, 1, "a2"), upload(file, 3, "a2")], ignoreBytes, signal);
    await open.put([upload(file, 1, "a3")], ignoreBytes, signal);
    await open.publish([publication(`${STAGING}/a3/1`, "a.fits")], signal);
    const left = await open.leftovers(signal);
    assert(left.includes("a1") && left.includes("a2"), `left: ${left}`);
    await open.sweep(["a1", "never-was"], signal);
    assert(!(await open.leftovers(signal)).includes("a1"));
    assertEquals((await it.view.files())?.filter((path) => path.startsWith(`${STAGING}/a2/`)).length, 2);
    await open.sweep(null, signal);
    assertEquals(await open.leftovers(signal), []);
    assertEquals(await it.view.files(), ["a.fits"]);
    assertEquals(await it.view.facts(STAGING), null);
    await open.sweep(null, signal);
  }),
];
