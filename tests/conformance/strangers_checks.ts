/**
 * A destination that other accounts may write to: what they put in the place of our staging folder, or on the way to a target, leads
 * neither files nor removals to other places.
 */
import { assert, assertEquals } from "@std/assert";
import type { Session } from "../../src/methods/method.ts";
import { assertAllPublished, assertAllPut, rejectsWith } from "./expectations.ts";
import { type Bench, type Check, check, ignoreBytes, noise, publication, STAGING, upload } from "./rig.ts";

/** An account that is not ours. */
const STRANGER = 12_345;

export const STRANGERS: readonly Check[] = [
  check(
    "nothing is listed, removed or written where a link has the place of the staging folder",
    { strangers: "links" },
    async ({ attached, signal, source, folder }) => {
      const base = folder.at("base", "images");
      const files = ["Documents/thesis.txt", ".ssh/id", "a1/1", "p1/keep"];
      for (const file of files) {
        await Deno.mkdir(folder.at("home", file, ".."), { recursive: true });
        await Deno.writeTextFile(folder.at("home", file), file);
      }
      await Deno.mkdir(base, { recursive: true });
      const { it, open } = await attached({ base });
      await Deno.symlink(folder.at("home"), `${base}/${STAGING}`);
      const file = await source("a.fits", noise(1000));
      for (
        const act of [
          () => open.leftovers(signal),
          () => open.sweep(["a1"], signal),
          () => open.sweep(null, signal),
          () => putOne(open, upload(file, 1, "p1"), signal),
          () => open.attach(false, signal, "p9"),
        ]
      ) {
        const failure = await rejectsWith(act, ["staging_unsafe"]);
        assertEquals(failure.next, "hold");
      }
      await using next = await it.method.connect(it.destination, it.context, signal);
      await rejectsWith(() => next.attach(true, signal, "p9"), ["staging_unsafe"]);
      assertEquals((await listed(folder.at("home"))).sort(), files.toSorted());
      await Deno.remove(`${base}/${STAGING}`);
      await next.attach(true, signal, "p9");
      assertAllPut(await next.put([upload(file, 1)], ignoreBytes, signal));
      await next.sweep(null, signal);
      assertEquals(await it.view.files(), []);
    },
  ),
  check("nothing is listed, removed or written where the folder of another account has the place of the staging folder", {
    strangers: "owners",
    root: true,
  }, async ({ rig, signal, folder }) => {
    const base = folder.at("base", "images");
    await Deno.mkdir(`${base}/${STAGING}/a1`, { recursive: true });
    await Deno.writeTextFile(`${base}/${STAGING}/a1/1`, "theirs");
    await Deno.chown(`${base}/${STAGING}`, STRANGER, STRANGER);
    await Deno.chmod(`${base}/${STAGING}`, 0o777);
    const it = await rig({ base });
    await using open = await it.method.connect(it.destination, it.context, signal);
    await rejectsWith(() => open.attach(true, signal, "p1"), ["staging_unsafe"]);
    for (const attempts of [["a1"], null]) await rejectsWith(() => open.sweep(attempts, signal), ["staging_unsafe"]);
    await rejectsWith(() => open.leftovers(signal), ["staging_unsafe"]);
    assertEquals(await listed(base), [`${STAGING}/a1/1`]);
  }),
  check(
    "sweep() leaves alone what no attempt of ours can be called",
    { strangers: "names" },
    async ({ attached, signal, folder }) => {
      const base = folder.at("base", "images");
      const { it, open } = await attached({ base });
      await open.attach(true, signal, "p1");
      const kept = [`${STAGING}/.ssh/id`, `${STAGING}/2026-11-24/a.fits`, `${STAGING}/Documents/thesis.txt`];
      for (const file of kept) await it.view.write(file, noise(10));
      assert(!(await open.leftovers(signal)).some((name) => name !== "p1"));
      await open.sweep(null, signal).catch(() => undefined);
      assertEquals(await it.view.files(), kept);
      await Deno.remove(`${base}/${STAGING}`, { recursive: true });
    },
  ),
  check(
    "publish(), flush() and remove() refuse the links of other accounts by name, follow others, and follow_links allows all",
    { strangers: "owners", root: true },
    async (bench) => {
      const { folder } = bench;
      const base = folder.at("base", "images");
      await Deno.mkdir(base, { recursive: true });
      for (const name of ["theirs", "ours"]) {
        await Deno.mkdir(folder.at(name), { recursive: true });
        await Deno.symlink(folder.at(name), `${base}/${name}`);
      }
      await chown(STRANGER, `${base}/theirs`);
      await deliver(bench, base, {}, true);
      await deliver(bench, base, { followLinks: true }, false);
      await chown(STRANGER, base);
      await Deno.chmod(base, 0o777);
      await deliver(bench, base, {}, false);
    },
  ),
];

/** Delivers three files, one through the link of a stranger, and removes them again. */
async function deliver(
  { attached, source, signal, folder }: Bench,
  base: string,
  settings: { followLinks?: boolean },
  refused: boolean,
): Promise<void> {
  const { open } = await attached({ base, settings });
  await open.attach(true, signal, "p1");
  const targets = ["theirs/sub/a.fits", "ours/b.fits", "real/c.fits"];
  const files = await Promise.all(targets.map((_, index) => source(`${index}.fits`, noise(1000, index + 1))));
  assertAllPut(await open.put(files.map((file, index) => upload(file, index)), ignoreBytes, signal));
  const [first, ...others] = await open.publish(
    targets.map((target, index) => publication(`${STAGING}/a1/${index}`, target)),
    signal,
  );
  assertAllPublished(others);
  assert(first !== undefined && first.published === !refused, JSON.stringify(first));
  if (!first.published) {
    assertEquals([first.failure.code, first.failure.next], ["link_refused", "never"]);
    assert(first.failure.message.includes('"theirs"'), first.failure.message);
    await Deno.mkdir(folder.at("theirs", "sub"), { recursive: true });
    await Deno.writeFile(folder.at("theirs", "sub", "a.fits"), noise(1000, 1));
  }
  if (refused) await rejectsWith(() => open.flush(targets, signal), ["link_refused"]);
  await open.flush(refused ? targets.slice(1) : targets, signal);
  const removed = await open.remove(targets.map((path) => ({ path, bytes: 1000, to: null })), signal);
  assertEquals(removed.map(({ removed }) => removed), [!refused, true, true]);
  await Deno.remove(folder.at("theirs", "sub"), { recursive: true });
  await open.sweep(null, signal);
}

async function putOne(open: Session, item: ReturnType<typeof upload>, signal: AbortSignal): Promise<void> {
  await open.put([item], ignoreBytes, signal);
}

async function chown(uid: number, path: string): Promise<void> {
  await new Deno.Command("chown", { args: ["-h", String(uid), path] }).output();
}

async function listed(folder: string, prefix = ""): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${folder}/${prefix}`)) {
    paths.push(...isDirectory ? await listed(folder, `${prefix}${name}/`) : [`${prefix}${name}`]);
  }
  return paths;
}
