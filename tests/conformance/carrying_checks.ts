/** What `put` promises: everything arrives whole under staging names, one bad file fails alone, nothing is visible. */
import { assert, assertEquals } from "@std/assert";
import { bandwidth } from "../../src/methods/bandwidth.ts";
import { assertAllPublished, assertAllPut, codeOf, HOSTILE_NAMES } from "./expectations.ts";
import { type Check, check, digestOf, ignoreBytes, noise, publication, STAGING, upload } from "./rig.ts";

export const CARRYING: readonly Check[] = [
  check("put() carries many small files, one big, one empty, and shows nothing yet", async ({ attached, signal, source }) => {
    const { it, open } = await attached();
    const contents = [...Array.from({ length: 200 }, (_, index) => noise(index * 37, index + 1)), noise(9 << 20), noise(0)];
    const sources = await Promise.all(contents.map((content, index) => source(`${index}.fits`, content)));
    const uploads = sources.map((file, index) => upload(file, index));
    const told = new Map<number, number>();
    const outcomes = await open.put(uploads, (index, bytes) => told.set(index, bytes), signal);
    assertAllPut(outcomes);
    assertEquals(await open.digest(uploads.map(({ staged }) => staged), signal), await Promise.all(contents.map(digestOf)));
    assertEquals((await it.view.files())?.filter((path) => !path.startsWith(`${STAGING}/`)), []);
    for (const [index, bytes] of told) assert(bytes <= contents[index]!.length, `told ${bytes} of ${contents[index]!.length}`);
    for (const [index, outcome] of outcomes.entries()) {
      assertEquals(outcome.put && outcome.sent, open.hashesSource ? await digestOf(contents[index]!) : undefined);
      if (outcome.put && outcome.there) assertEquals(outcome.there, await digestOf(contents[index]!));
    }
    assertEquals(await open.put([], ignoreBytes, signal), []);
  }),
  check(
    "put() and publish() carry hostile names byte for byte",
    async ({ attached, signal, source, candidate: { refuses } }) => {
      const { it, open } = await attached();
      const carried = HOSTILE_NAMES.filter((name) => !refuses?.test(name));
      const sources = [];
      for (const [index, name] of HOSTILE_NAMES.entries()) sources.push(await source(name, noise(index + 10, index + 1)));
      const uploads = sources.map((file, index) => upload(file, index));
      assertAllPut(await open.put(uploads, ignoreBytes, signal));
      const outcomes = await open.publish(
        uploads.map(({ staged, source: { path } }) => publication(staged, `night -1/${path}`)),
        signal,
      );
      assertAllPublished(outcomes.filter((_, index) => carried.includes(HOSTILE_NAMES[index]!)));
      assertEquals(
        HOSTILE_NAMES.filter((_, index) => codeOf(outcomes[index]) === "name_refused"),
        HOSTILE_NAMES.filter((name) => refuses?.test(name)),
      );
      await open.sweep(null, signal);
      assertEquals(await it.view.files(), carried.map((name) => `night -1/${name}`).sort());
      for (const [index, name] of HOSTILE_NAMES.entries()) {
        if (!carried.includes(name)) continue;
        assertEquals(
          await digestOf(await it.view.read(`night -1/${name}`) ?? ""),
          await digestOf(noise(index + 10, index + 1)),
          name,
        );
      }
    },
  ),
  check("put() sends what was admitted, and nothing from behind a link that another account puts in place of its folder", {
    root: true,
  }, async ({ attached, signal, source, folder }) => {
    const { open } = await attached();
    await Deno.mkdir(folder.at("source/night"), { recursive: true });
    const contents = [noise(1000, 1), noise(2 << 20, 2)];
    const uploads = await Promise.all(
      contents.map(async (content, index) => upload(await source(`night/${index}`, content), index)),
    );
    await Deno.chown(folder.at("source"), 54_321, 54_321);
    assertAllPut(await open.put(uploads, ignoreBytes, signal));
    assertEquals(await open.digest(uploads.map(({ staged }) => staged), signal), await Promise.all(contents.map(digestOf)));
    await Deno.rename(folder.at("source/night"), folder.at("source/before"));
    for (const [index, content] of contents.entries()) {
      const path = await folder.write(`secret/${index}`, content.toReversed());
      await Deno.utime(path, new Date(), new Date(uploads[index]!.source.mtimeMs));
    }
    await Deno.symlink(folder.at("secret"), folder.at("source/night"));
    const again = [...uploads.map(({ source }) => source), await source("other", "text")].map((one, index) =>
      upload(one, index, "a2")
    );
    const outcomes = await open.put(again, ignoreBytes, signal);
    assertEquals([...outcomes.slice(0, 2).map(codeOf), outcomes[2]?.put], ["source_changed", "source_changed", true]);
    const secrets = await Promise.all(contents.map((content) => digestOf(content.toReversed())));
    for (const found of await open.digest(again.map(({ staged }) => staged), signal)) {
      assertEquals(secrets.filter(({ sha256 }) => sha256 === found?.sha256), []);
    }
  }),
  check("put() lets a missing, a replaced and an unreadable file fail alone", async ({ attached, signal, source, folder }) => {
    const { open } = await attached();
    const good = await Promise.all([1, 2, 3, 4, 5].map((index) => source(`good ${index}`, noise(1000, index))));
    const missing = await source("missing", noise(10));
    await Deno.remove(missing.absolutePath);
    const replaced = await source("replaced", noise(10));
    await Deno.remove(replaced.absolutePath);
    await Deno.mkdir(replaced.absolutePath);
    const locked = await source("locked", noise(10));
    await Deno.chmod(locked.absolutePath, 0);
    const below = { ...missing, absolutePath: folder.at("source", "no folder", "x") };
    const files = [good[0]!, missing, good[1]!, replaced, good[2]!, below, good[3]!, locked, good[4]!];
    const uploads = files.map((file, index) => upload(file, index));
    const outcomes = await open.put(uploads, ignoreBytes, signal);
    const codes = outcomes.map(codeOf);
    assertEquals([0, 2, 4, 6, 8].map((index) => codes[index]), [null, null, null, null, null]);
    assertEquals([codes[1], codes[5]], ["source_gone", "source_gone"]);
    assert(codes[3] === "source_changed" || codes[3] === "source_unreadable", `replaced: ${codes[3]}`);
    // Root reads everything.
    if (Deno.uid() !== 0) assertEquals(codes[7], "source_unreadable");
    const digests = await open.digest([0, 2, 4, 6, 8].map((index) => uploads[index]!.staged), signal);
    assertEquals(digests, await Promise.all([1, 2, 3, 4, 5].map((index) => digestOf(noise(1000, index)))));
  }),
  check(
    "put() keeps times and modes when asked to",
    async ({ attached, signal, source, candidate: { modes = 0o7777, times } }) => {
      const { it, open } = await attached();
      const file = await source("a.fits", noise(10), { mtimeMs: 1_600_000_000_000, mode: 0o604 });
      await open.put([upload(file, 1)], ignoreBytes, signal);
      assertAllPublished(await open.publish([publication(`${STAGING}/a1/1`, "a.fits")], signal));
      const { mtimeMs, mode } = (await it.view.facts("a.fits"))!;
      assertEquals([mtimeMs === 1_600_000_000_000, mode], [times !== "never", 0o604 & modes]);
    },
  ),
  check(
    "put() gives new times when asked to, and keeps modes all the same",
    async ({ attached, signal, source, candidate: { modes = 0o7777, times } }) => {
      const { it, open } = await attached({ settings: { preserveTimestamps: false } });
      const file = await source("a.fits", noise(10), { mtimeMs: 1_600_000_000_000, mode: 0o666 });
      await open.put([upload(file, 1)], ignoreBytes, signal);
      assertAllPublished(await open.publish([publication(`${STAGING}/a1/1`, "a.fits")], signal));
      const { mtimeMs, mode } = (await it.view.facts("a.fits"))!;
      assertEquals(mtimeMs > 1_700_000_000_000, times !== "always");
      assertEquals(mode, 0o666 & modes);
    },
  ),
  check(
    "put() gives modes of the account when permissions are not kept, with or without the times",
    async ({ attached, signal, source, candidate: { modes = 0o7777, times } }) => {
      for (const preserveTimestamps of [true, false]) {
        const { it, open } = await attached({ settings: { preservePermissions: false, preserveTimestamps } });
        const name = `a ${preserveTimestamps}`;
        const file = await source(name, noise(10), { mtimeMs: 1_600_000_000_000, mode: 0o400 });
        assertAllPut(await open.put([upload(file, 1)], ignoreBytes, signal));
        assertAllPublished(await open.publish([publication(`${STAGING}/a1/1`, name)], signal));
        const { mtimeMs, mode } = (await it.view.facts(name))!;
        assert((mode & 0o600) === (0o600 & modes), `mode ${mode.toString(8)}`);
        if (times === undefined) assertEquals(mtimeMs === 1_600_000_000_000, preserveTimestamps);
      }
    },
  ),
  check(
    "put() goes on with what an earlier attempt left",
    async ({ attached, signal, source, candidate: { modes = 0o7777, times } }) => {
      const { it, open } = await attached();
      const content = noise(8 << 20);
      const file = await source("big.fits", content, { mtimeMs: 1_600_000_000_000, mode: 0o604 });
      await it.view.write(`${STAGING}/old/1`, content.subarray(0, 6 << 20));
      const before = it.bytesSent?.() ?? 0;
      const outcome = await open.put([{ ...upload(file, 1), leftover: `${STAGING}/old/1` }], ignoreBytes, signal);
      assertAllPut(outcome);
      if (open.hashesSource) assertEquals(outcome, [{ put: true, sent: await digestOf(content) }]);
      const sent = (it.bytesSent?.() ?? 0) - before;
      assert(sent < 4 << 20, `${sent} bytes were sent for the last 2 MiB`);
      assertEquals(await open.digest([`${STAGING}/a1/1`], signal), [await digestOf(content)]);
      const { mtimeMs, mode } = (await it.view.facts(`${STAGING}/a1/1`))!;
      assertEquals(mode, 0o604 & modes);
      assertEquals(mtimeMs === 1_600_000_000_000, times !== "never");
    },
  ),
  check("put() survives leftovers that are missing, too long, of other bytes, empty", async ({ attached, signal, source }) => {
    const { it, open } = await attached();
    const content = noise(3 << 20);
    const file = await source("big.fits", content);
    await it.view.write(`${STAGING}/old/2`, noise(4 << 20, 2));
    await it.view.write(`${STAGING}/old/3`, noise(1 << 20, 3));
    await it.view.write(`${STAGING}/old/4`, noise(3 << 20, 4));
    await it.view.write(`${STAGING}/old/5`, noise(0));
    const uploads = [1, 2, 3, 4, 5].map((number) => ({ ...upload(file, number), leftover: `${STAGING}/old/${number}` }));
    assertAllPut(await open.put(uploads, ignoreBytes, signal));
    const staged = uploads.map((each) => each.staged);
    const first = await open.digest(staged, signal);
    for (const [index, digest] of first.entries()) {
      assertEquals(digest, await digestOf(await it.view.read(staged[index]!) ?? ""));
    }
    // What the digest shows to be wrong is sent again, with that as its leftover: then it must be right.
    const expected = await digestOf(content);
    const wrong = uploads.filter((_, index) => first[index]?.sha256 !== expected.sha256);
    const again = wrong.map((each, index) => ({ ...upload(file, index, "a2"), leftover: each.staged }));
    assertAllPut(await open.put(again, ignoreBytes, signal));
    for (const digest of await open.digest(again.map((each) => each.staged), signal)) assertEquals(digest, expected);
  }),
  check(
    "put() stops when its signal is aborted, with no final name, and the next session works",
    { onDisk: true },
    async ({ attached, rig, session, signal, source }) => {
      const { it, open } = await attached({ settings: { bandwidthLimit: 1 << 20 } });
      const content = noise(30 << 20);
      const file = await source("big.fits", content);
      const stop = new AbortController();
      const putting = open.put([upload(file, 1)], ignoreBytes, stop.signal).then(() => "put", () => "stopped");
      while (!(await it.view.files())?.length) await new Promise((resolve) => setTimeout(resolve, 10));
      stop.abort();
      assertEquals(await putting, "stopped");
      await open[Symbol.asyncDispose]();
      assertEquals((await it.view.files())?.filter((path) => !path.startsWith(STAGING)), []);
      const next = await session(await rig({ settings: { basePath: it.destination.basePath } }));
      assertAllPut(await next.put([upload(file, 1, "a2")], ignoreBytes, signal));
      assertEquals(await next.digest([`${STAGING}/a2/1`], signal), [await digestOf(content)]);
    },
  ),
  check(
    "put() keeps bandwidth_limit, whatever sessions and batches send at the same time",
    async ({ rig, session, signal, source }) => {
      const it = await rig({ settings: { bandwidthLimit: 3e6 } });
      const jobs = [{ destinations: [it.destination] }];
      const paceFor = bandwidth(() => jobs, it.context.system);
      const open = () => session({ ...it, context: { ...it.context, pace: paceFor(it.destination) } });
      const [first, second] = [await open(), await open()];
      const files = await Promise.all([1, 2, 3].map((number) => source(`${number}.fits`, noise(2e6, number))));
      const batches = files.map((file, index) => [upload(file, index, `b${index}`)]);
      const began = performance.now();
      const outcomes = await Promise.all(
        batches.map((uploads, index) => (index === 0 ? first : second).put(uploads, ignoreBytes, signal)),
      );
      const rate = 6e6 / (performance.now() - began) * 1000;
      assertAllPut(outcomes.flat());
      assert(rate <= 1.05 * 3e6, `${Math.round(rate)} B/s`);
    },
  ),
  check("put() calls may overlap", async ({ attached, signal, source }) => {
    const { open } = await attached();
    const batches = await Promise.all(
      [1, 2, 3, 4].map(async (batch) =>
        await Promise.all([1, 2, 3, 4, 5].map(async (number) => {
          return upload(await source(`${batch}-${number}`, noise(300_000, batch * 10 + number)), number, `b${batch}`);
        }))
      ),
    );
    const outcomes = await Promise.all(batches.map((uploads) => open.put(uploads, ignoreBytes, signal)));
    assertAllPut(outcomes.flat());
    const digests = await Promise.all(batches.map((uploads) => open.digest(uploads.map(({ staged }) => staged), signal)));
    for (const [batch, found] of digests.entries()) {
      for (const [index, digest] of found.entries()) {
        assertEquals(digest, await digestOf(noise(300_000, (batch + 1) * 10 + index + 1)));
      }
    }
  }),
];
