import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { local } from "../../../src/methods/local/local.ts";
import type { Session } from "../../../src/methods/method.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import type { System } from "../../../src/system/system.ts";
import { rejectsWith } from "../../conformance/expectations.ts";
import { aDestination, ignoreBytes, publication, STAGING, upload } from "../../conformance/rig.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";
import { sourceAt } from "../../support/source_at.ts";

const signal = new AbortController().signal;

async function opened(folder: TempFolder, changes: Partial<System> = {}): Promise<Session> {
  const context = {
    system: { ...createSystem(), ...changes },
    stagingRoot: STAGING,
    workFolder: folder.at("work"),
    log: () => {},
  };
  const session = await local.connect(aDestination({ basePath: folder.at("base") }), context, signal);
  await session.attach(true, signal);
  return session;
}

let count = 0;
async function staged(folder: TempFolder, session: Session, text: string): Promise<string> {
  const number = ++count;
  const name = `s${number}`;
  const absolutePath = await folder.write(name, text);
  const source = await sourceAt(absolutePath, name);
  const [outcome] = await session.put([upload(source, number)], ignoreBytes, signal);
  assert(outcome?.put);
  return `${STAGING}/a1/${number}`;
}

/** As exFAT and some network drives answer. */
function noLinks(): Promise<void> {
  return Promise.reject(new Deno.errors.NotSupported("Operation not supported (os error 95)"));
}

Deno.test("local publish() keeps every version where the file system has no hard links", async () => {
  await using folder = await tempFolder();
  const session = await opened(folder, { link: noLinks });
  const formers = [];
  for (const text of ["one", "two", "three"]) {
    const [outcome] = await session.publish([publication(await staged(folder, session, text), "n/a.fits")], signal);
    formers.push(outcome?.published ? outcome.former : outcome);
  }
  assertEquals(formers, [undefined, "n/a.v1.fits", "n/a.v2.fits"]);
  assertEquals(await folder.read("base/n/a.fits"), "three");
  assertEquals(await folder.read("base/n/a.v1.fits"), "one");
  assertEquals(await folder.read("base/n/a.v2.fits"), "two");
});

Deno.test("local publish() takes a free name only in its turn where the file system has no hard links", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const session = await opened(folder, {
    link: noLinks,
    // Another installation has the turn, and takes the name in it.
    lockFolder: async (path, signal) => {
      await folder.write("base/a.fits", "theirs");
      return await system.lockFolder(path, signal);
    },
  });
  const [outcome] = await session.publish([publication(await staged(folder, session, "ours"), "a.fits")], signal);
  assertEquals(outcome, { published: true, former: "a.v1.fits" });
  assertEquals([await folder.read("base/a.fits"), await folder.read("base/a.v1.fits")], ["ours", "theirs"]);
});

Deno.test("local publish() waits for a viewer that holds the former file open on Windows", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  let refusals = 3;
  let slept = 0;
  const session = await opened(folder, {
    platform: "windows",
    rename: (from, to) => {
      if (to.endsWith("a.fits") && refusals-- > 0) return Promise.reject(new Deno.errors.PermissionDenied("Access is denied"));
      return system.rename(from, to);
    },
    sleep: () => Promise.resolve(void slept++),
  });
  await folder.write("base/a.fits", "former");
  const [outcome] = await session.publish([
    publication(await staged(folder, session, "new"), "a.fits", { onConflict: "overwrite" }),
  ], signal);
  assertEquals(outcome, { published: true });
  assertEquals(slept, 3);
  assertEquals(await folder.read("base/a.fits"), "new");
});

Deno.test("local publish() leaves a file that stays open on Windows for later, without holding the destination", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const session = await opened(folder, {
    platform: "windows",
    rename: (from, to) =>
      to.endsWith("a.fits") ? Promise.reject(new Deno.errors.PermissionDenied("Access is denied")) : system.rename(from, to),
    sleep: () => Promise.resolve(),
  });
  await folder.write("base/a.fits", "former");
  const [outcome] = await session.publish([
    publication(await staged(folder, session, "new"), "a.fits", { onConflict: "overwrite" }),
  ], signal);
  assert(outcome && !outcome.published);
  assertEquals([outcome.failure.code, outcome.failure.next], ["permission_denied", "later"]);
  assertEquals(await folder.read("base/a.fits"), "former");
});

Deno.test("local publish() refuses names that Windows would take for something else", async () => {
  await using folder = await tempFolder();
  const session = await opened(folder, { platform: "windows" });
  for (const target of ["a:b.fits", "nul", "COM1.fits", "x/name.", "name ", "a?b", "back\\slash", "tab\there"]) {
    const [outcome] = await session.publish([publication(await staged(folder, session, "x"), target)], signal);
    assertEquals(outcome && !outcome.published && outcome.failure.code, "name_refused", target);
  }
});

Deno.test("local publish() never leaves the base path", async () => {
  await using folder = await tempFolder();
  const session = await opened(folder);
  for (const target of ["../out", "a/../../out", "/etc/out", "./a", "a//b", ""]) {
    const [outcome] = await session.publish([publication(await staged(folder, session, "x"), target)], signal);
    assertEquals(outcome && !outcome.published && outcome.failure.code, "name_refused", target);
  }
});

Deno.test("local put() and publish() hold when the base path is suddenly on another disk", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  let device = "1";
  const session = await opened(folder, {
    followedFacts: async (path) => {
      const facts = await system.followedFacts(path);
      return facts && { ...facts, device };
    },
  });
  const ready = await staged(folder, session, "x");
  device = "2";
  const codes = [];
  for (const work of [() => staged(folder, session, "y"), () => session.publish([publication(ready, "a.fits")], signal)]) {
    codes.push(await work().then(() => "done", (error) => error.code));
  }
  assertEquals(codes, ["device_missing", "device_missing"]);
});

for (const place of ["a folder on the disk", "the mount point"] as const) {
  Deno.test(`local put() and publish() write nothing in the disk's stead when it goes away just then (base path: ${place})`, async () => {
    for (const work of ["put", "publish"] as const) {
      await using folder = await tempFolder();
      const system = createSystem();
      let [leaving, device] = [false, "1"];
      const whenItWent = async (): Promise<void> => {
        if (!leaving) return;
        leaving = false;
        await Deno.rename(folder.at("base"), folder.at("unmounted"));
        if (place === "the mount point") await Deno.mkdir(folder.at("base"));
        device = "2";
      };
      const session = await opened(folder, {
        makeFolder: (path, mode) => whenItWent().then(() => system.makeFolder(path, mode)),
        makeInside: (path, mode) => whenItWent().then(() => system.makeInside(path, mode)),
        followedFacts: async (path) => {
          const facts = await system.followedFacts(path);
          return facts && { ...facts, device };
        },
      });
      const ready = work === "publish" ? await staged(folder, session, "x") : null;
      leaving = true;
      const failed = ready === null
        ? await staged(folder, session, "y").catch((error) => error.code)
        : await session.publish([publication(ready, "n/m/a.fits")], signal).then(([outcome]) =>
          outcome?.published === false ? outcome.failure.code : "published"
        );
      assertEquals(failed, "device_missing", work);
      const left = await Array.fromAsync(Deno.readDir(folder.path));
      assertEquals(left.some(({ name }) => name === "base"), place === "the mount point", work);
      if (place === "the mount point") assertEquals(await Array.fromAsync(Deno.readDir(folder.at("base"))), [], work);
    }
  });
}

Deno.test("local attach() says that the folder is missing when its disk goes away just then", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const attached = opened(folder, {
    space: (path) => Deno.rename(folder.at("base"), folder.at("unmounted")).then(() => system.space(path)),
  });
  assertEquals(await attached.then(() => "attached", (error) => error.code), "device_missing");
});

Deno.test("local publish() after a crash between link and remove ends with one file and no former version", async () => {
  await using folder = await tempFolder();
  const session = await opened(folder);
  const ready = await staged(folder, session, "x");
  await Deno.link(folder.at("base", ready), folder.at("base", "a.fits"));
  assertEquals(await session.publish([publication(ready, "a.fits")], signal), [{ published: true }]);
  await session.sweep(null, signal);
  assertEquals((await Array.fromAsync(Deno.readDir(folder.at("base")))).map(({ name }) => name), ["a.fits"]);
});

Deno.test("local publish() gives no name any more once it was given up, whatever it waited for", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const late = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const session = await opened(folder, {
    async facts(path) {
      const found = await system.facts(path);
      if (path.endsWith("a.fits")) {
        asked.resolve();
        await late.promise;
      }
      return found;
    },
  });
  const patience = new AbortController();
  const item = { ...publication(await staged(folder, session, "old"), "a.fits"), onConflict: "overwrite" as const };
  await folder.write("base/a.fits", "former");
  const naming = session.publish([item], patience.signal);
  await asked.promise;
  patience.abort(new Error("it took too long"));
  await folder.write("base/a.fits", "new");
  late.resolve();
  await assertRejects(() => naming, Error, "it took too long");
  assertEquals(await folder.read("base/a.fits"), "new");
});

Deno.test("local publish() flushes the file, then each changed folder, before it answers", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const synced: string[] = [];
  const session = await opened(folder, {
    sync: (path) => {
      synced.push(path.slice(folder.path.length + 1));
      return system.sync(path);
    },
  });
  const ready = await staged(folder, session, "x");
  synced.length = 0;
  await session.publish([publication(ready, "2026/07/a.fits")], signal);
  assertEquals(synced[0], `base/${ready}`);
  assertEquals(synced.slice(1).sort(), ["base", "base/2026", "base/2026/07"]);
});

Deno.test("local publish() refuses a file whose early flush failed: the system tells of it once", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  let told = false;
  const session = await opened(folder, {
    sync: (path) => {
      if (told || !path.includes(STAGING)) return system.sync(path);
      told = true;
      return Promise.reject(new Error("Input/output error (os error 5)"));
    },
  });
  const ready = await staged(folder, session, "x".repeat(2_000_000));
  const [outcome] = await session.publish([publication(ready, "a.fits")], signal);
  assertEquals([told, outcome?.published], [true, false]);
  // Nothing of it is left that a later attempt could take for whole.
  assertEquals([await system.facts(folder.at("base/a.fits")), await system.facts(folder.at("base", ready))], [null, null]);
});

Deno.test("local publish() refuses the one file of many whose early flush failed", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const asked = Promise.withResolvers<void>();
  let bad = "";
  const session = await opened(folder, {
    sync: async (path) => {
      if (bad !== "" || !path.includes(STAGING)) return await system.sync(path);
      bad = path;
      await asked.promise;
      throw new Error("Input/output error (os error 5)");
    },
  });
  const ready: string[] = [];
  while (ready.length < 64) ready.push(await staged(folder, session, "x".repeat(1_100_000)));
  const publishing = session.publish(ready.map((one, index) => publication(one, `${index}.fits`)), signal);
  // It is heard of when all others have their names.
  while (await system.facts(folder.at("base/63.fits")) === null) await system.sleep(1, signal);
  asked.resolve();
  assertEquals((await publishing).map(({ published }) => published), ready.map((_, index) => index !== 0));
});

Deno.test("local put() copies a file anew whose whole part may have heard of an error of the disk, and goes on with a shorter one", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const begins: number[] = [];
  const session = await opened(folder, {
    copy: (from, to, options, stop) => {
      begins.push(options.from ?? 0);
      return system.copy(from, to, options, stop);
    },
  });
  const absolutePath = await folder.write("big", "x".repeat(2_000_000));
  const source = await sourceAt(absolutePath, "big");
  for (const [number, bytes] of [[1, 2_000_000], [2, 1_500_000]] as const) {
    const leftover = `${STAGING}/old/${number}`;
    await folder.write(`base/${leftover}`, "x".repeat(bytes));
    const [outcome] = await session.put([{ ...upload(source, number), leftover }], ignoreBytes, signal);
    assert(outcome?.put);
  }
  assertEquals(begins, [0, 1_500_000]);
});

Deno.test("local digest() of a file whose early flush failed names the disk, and nothing of the file is left for a next attempt", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const removed = Promise.withResolvers<void>();
  const session = await opened(folder, {
    sync: (path) => path.includes(STAGING) ? Promise.reject(new Error("Input/output error (os error 5)")) : system.sync(path),
    removeTree: (path) => system.removeTree(path).finally(removed.resolve),
  });
  const ready = await staged(folder, session, "x".repeat(2_000_000));
  await removed.promise;
  assertEquals(await system.facts(folder.at("base", ready)), null);
  await rejectsWith(() => session.digest([ready], signal), ["interrupted"]);
});

Deno.test("local publish() into a folder that another publish() has just made returns when that folder's own name is flushed", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const flushing = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  let first = true;
  const synced: string[] = [];
  const session = await opened(folder, {
    sync: async (path) => {
      if (path === folder.at("base") && first) {
        first = false;
        flushing.resolve();
        await released.promise;
      }
      await system.sync(path);
      synced.push(path);
    },
  });
  const ready = [await staged(folder, session, "1"), await staged(folder, session, "2")];
  const publishing = session.publish([publication(ready[0]!, "night/1.fits")], signal);
  await flushing.promise;
  await session.publish([publication(ready[1]!, "night/2.fits")], signal);
  const flushed = synced.includes(folder.at("base"));
  released.resolve();
  await publishing;
  assert(flushed, `only flushed: ${synced}`);
});

for (
  const [trouble, error] of [
    ["may not be read", new Deno.errors.PermissionDenied("Permission denied (os error 13)")],
    ["is on a bad sector", new Error("Input/output error (os error 5)")],
  ] as const
) {
  Deno.test(`local digest() says mismatch of a file that ${trouble}, which holds no other`, async () => {
    await using folder = await tempFolder();
    const session = await opened(folder, { hash: () => Promise.reject(error) });
    await folder.write("base/a.fits", "x");
    const failure = await rejectsWith(() => session.digest(["a.fits"], signal), ["mismatch"]);
    assertStringIncludes(failure.message, 'Cannot read "a.fits" back');
    assertStringIncludes(failure.hint, "permission to read it");
  });
}

Deno.test("local digest() of a disk that does not answer any more is no file's mismatch", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const dead = () => Promise.reject(new Error("Stale file handle (os error 116)"));
  let gone = false;
  const session = await opened(folder, {
    hash: dead,
    followedFacts: (path) => gone && path === folder.at("base") ? dead() : system.followedFacts(path),
  });
  await folder.write("base/a.fits", "x");
  gone = true;
  await rejectsWith(() => session.digest(["a.fits"], signal), ["interrupted"]);
});

Deno.test("local put() keeps to a bandwidth limit over all files and batches, and to its timetable", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const noon = Date.UTC(2026, 10, 22, 12);
  let [passedMs, today] = [0, noon];
  const fake = {
    ...system,
    now: () => today,
    monotonic: () => passedMs,
    sleep: (ms: number) => Promise.resolve(void (passedMs += Math.max(0, ms))),
  };
  const context = { system: fake, stagingRoot: STAGING, workFolder: folder.at("work"), log: () => {} };
  const bandwidthLimit = { timezone: "UTC", entries: [{ from: 11 * 60, to: 13 * 60, limit: 100_000 }] };
  const session = await local.connect(aDestination({ basePath: folder.at("base"), bandwidthLimit }), context, signal);
  await session.attach(true, signal);
  const text = "x".repeat(50_000);
  await Promise.all(["1", "2", "3", "4", "5"].map((name) => staged(folder, session, name + text)));
  assert(passedMs >= 2_000 && passedMs <= 3_000, `250 kB took ${passedMs} ms`);
  [passedMs, today] = [60_000, noon + 3_600_000];
  await staged(folder, session, `6${text}`);
  await staged(folder, session, `7${text}`);
  assertEquals(passedMs, 60_000);
});

Deno.test("local put(), digest() and publish() of many small files: those at fault fail alone, or keep what has the name", async () => {
  await using folder = await tempFolder();
  await using session = await opened(folder);
  const texts = Array.from({ length: 150 }, (_, index) => `text ${index}`);
  const uploads = [];
  for (const [index, text] of texts.entries()) {
    const absolutePath = await folder.write(`many/${index}`, text);
    uploads.push(upload(await sourceAt(absolutePath, `${index}`), index));
  }
  await Deno.remove(uploads[4]!.source.absolutePath);
  const outcomes = await session.put(uploads, ignoreBytes, signal);
  assertEquals(outcomes.flatMap((outcome, index) => outcome.put ? [] : [[index, outcome.failure.code]]), [[4, "source_gone"]]);
  const digests = await session.digest(uploads.map(({ staged }) => staged), signal);
  assertEquals(digests, outcomes.map((outcome) => outcome.put ? outcome.sent! : null));

  await folder.write("base/n/10", "another");
  await folder.write("base/not a folder", "");
  const targets = texts.map((_, index) => `n/${index}`);
  targets[20] = "not a folder/20";
  targets[31] = "n/30";
  const published = await session.publish(uploads.map(({ staged }, index) => publication(staged, targets[index]!)), signal);
  const others = published.map((outcome, index) => outcome.published ? [index, outcome.former] : [index, outcome.failure.code]);
  assertEquals(others.filter(([, other]) => other !== undefined), [[4, "mismatch"], [10, "n/10.v1"], [20, "exists"], [
    31,
    "n/30.v1",
  ]]);
  for (const [index, text] of texts.entries()) {
    if (![4, 20, 30, 31].includes(index)) assertEquals(await folder.read(`base/n/${index}`), text);
  }
  assertEquals([await folder.read("base/n/30"), await folder.read("base/n/30.v1")], [texts[31], texts[30]]);
});

for (const many of [1, 100]) {
  Deno.test(`local put() of ${many} refuses a file that has grown, and copies none of it`, async () => {
    await using folder = await tempFolder();
    await using session = await opened(folder);
    const uploads = await Promise.all(Array.from({ length: many }, async (_, number) => {
      const name = `f${number}`;
      const absolutePath = await folder.write(name, "text");
      return upload(await sourceAt(absolutePath, name), number);
    }));
    await Deno.truncate(uploads[0]!.source.absolutePath, 20e9);
    const outcomes = await session.put(uploads, ignoreBytes, signal);
    assertEquals(
      outcomes.map((one) => one.put ? one.sent?.bytes : one.failure.code),
      uploads.map((_, index) => index === 0 ? "source_changed" : 4),
    );
    await assertRejects(() => Deno.stat(folder.at("base", uploads[0]!.staged)), Deno.errors.NotFound);
  });
}

Deno.test("local publish() of many names none whose flush fails, which is removed, and the others all the same", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using folder = await tempFolder();
  await using session = await opened(folder);
  const names = Array.from({ length: 100 }, (_, number) => `${STAGING}/a1/${number}`);
  for (const name of names) await folder.write(`base/${name}`, "text");
  await Deno.remove(folder.at("base", names[7]!));
  // A flush of this device fails, as that of a disk with an error does.
  await Deno.symlink("/dev/null", folder.at("base", names[7]!));
  const outcomes = await session.publish(names.map((name, index) => publication(name, `n/${index}.fits`)), signal);
  assertEquals(outcomes.flatMap(({ published }, index) => published ? [] : [index]), [7]);
  await assertRejects(() => Deno.lstat(folder.at("base/n/7.fits")), Deno.errors.NotFound);
  await assertRejects(() => Deno.lstat(folder.at("base", names[7]!)), Deno.errors.NotFound);
});

Deno.test("local attach() says that a base path cannot be reached below a folder that this account may not enter", async () => {
  await using folder = await tempFolder();
  const followedFacts = () => Promise.reject(new Deno.errors.PermissionDenied("Permission denied (os error 13): stat '/base'"));
  await rejectsWith(() => opened(folder, { followedFacts }), ["permission_denied"]);
});
