import { assertEquals, assertNotEquals } from "@std/assert";
import type { ConflictPolicy } from "../../../src/config/settings.ts";
import { outbox } from "../../../src/delivery/outbox.ts";
import { local } from "../../../src/methods/local/local.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { aFailure } from "../../support/fake_method.ts";
import { tempFolder } from "../../support/temp.ts";
import { type OutboxRig, outboxRig } from "../outbox_rig.ts";

Deno.test("adoptExisting() takes a found file for delivered only when its flush is known to have worked", async () => {
  await using rig = await outboxRig();
  // With the connection, the look afterwards is lost too.
  let lost = false;
  rig.fake.before = (step) => {
    if (step === "connect") lost = false;
    if (step === "flush" && rig.fake.calls.flush === 1) lost = true;
    if (lost) throw aFailure("interrupted");
  };
  // Renamed, and the answer lost before the folder was flushed.
  rig.fake.after = (step) => {
    if (step === "publish" && rig.fake.calls.publish === 1) throw aFailure("interrupted");
  };
  await rig.admit("a.fits", "alpha");
  rig.start();
  await rig.soon(() => rig.fake.calls.publish === 1 && rig.state("a.fits") === "deferred", "the answer is lost");
  await rig.until(() => rig.fake.calls.flush === 1 && rig.state("a.fits") === "deferred", "the flush fails");
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
  assertEquals([rig.fake.calls.flush, rig.fake.calls.put], [1, 2]);
});

Deno.test("adoptGone() finds what had arrived before its source was removed, and nothing else", async () => {
  await using rig = await outboxRig();
  rig.fake.after = (step) => {
    if (step === "publish" && rig.fake.calls.publish === 1) throw aFailure("interrupted");
  };
  for (const name of ["arrived.fits", "replaced.fits"]) await rig.admit(name, `content of ${name}`);
  rig.start();
  const waits = (name: string) => rig.state(name) === "deferred";
  await rig.soon(() => waits("arrived.fits") && waits("replaced.fits"), "the answer is lost");
  const { bytes, ...rest } = rig.fake.files.get("replaced.fits")!;
  rig.fake.files.set("replaced.fits", { ...rest, bytes: bytes.map((byte) => byte ^ 1) });
  for (const name of ["arrived.fits", "replaced.fits"]) await Deno.remove(rig.folder.at("data", name));
  await rig.until(() => rig.state("arrived.fits") === "delivered", "found there");
  await rig.until(() => rig.state("replaced.fits") === "failed", "given up");
  assertEquals([rig.fake.calls.flush, rig.fake.calls.put], [1, 1]);
});

Deno.test("adoptExisting() takes no second name of the source for a copy", async () => {
  await using rig = await outboxRig({ destination: { basePath: "/nowhere" }, tools: { method: local } });
  await Deno.symlink(rig.folder.at("data"), rig.folder.at("back"));
  const destination = { ...rig.job.destinations[0]!, basePath: rig.folder.at("back") };
  await using looped = await outboxRig({ destination, tools: { method: local } });
  await Deno.remove(looped.folder.at("data"));
  await Deno.symlink(rig.folder.at("data"), looped.folder.at("data"));
  await looped.admit("a.fits", "the only one");
  looped.start();
  await looped.until(() => looped.state("a.fits") === "failed", "refused");
  const { state } = looped.delivery("a.fits");
  assertEquals(state.state === "failed" && state.failure.code, "exists");
  assertEquals(await Deno.readTextFile(rig.folder.at("data", "a.fits")), "the only one");
});

Deno.test("adoptGone() asks again when the destination was away just when it was asked", async () => {
  await using rig = await outboxRig();
  rig.fake.after = (step) => {
    if (step === "publish" && rig.fake.calls.publish === 1) throw aFailure("interrupted");
  };
  let away = false;
  rig.fake.before = (step) => {
    if (step === "survey" && away) {
      away = false;
      throw aFailure("interrupted");
    }
  };
  await rig.soonBecomes("a.fits", "alpha", "deferred");
  await Deno.remove(rig.folder.at("data", "a.fits"));
  away = true;
  await rig.until(() => ["failed", "delivered"].includes(rig.state("a.fits")), "an end");
  assertEquals([rig.state("a.fits"), rig.fake.texts()], ["delivered", { "a.fits": "alpha" }]);
});

for (const onConflict of ["version", "skip", "fail", "overwrite"] satisfies ConflictPolicy[]) {
  Deno.test(`adoptExisting() has a found file replaced that the disk did not take: the system tells of it once (on_conflict: ${onConflict})`, async () => {
    await using there = await tempFolder();
    for (const name of ["a.fits", "b.fits"]) await there.write(name, `content of ${name}`);
    const found = await identityOf(there.at("a.fits"));
    const system = createSystem();
    // As Linux: what the second flush of this file says is worth nothing.
    const flushes: string[] = [];
    await using rig = await outboxRig({
      destination: { basePath: there.path, onConflict },
      tools: { method: local },
      system: {
        sync(path) {
          flushes.push(path);
          const isFirst = path === there.at("a.fits") && flushes.filter((each) => each === path).length === 1;
          return isFirst ? Promise.reject(new Error("Input/output error (os error 5)")) : system.sync(path);
        },
      },
    });
    for (const name of ["a.fits", "b.fits"]) await rig.admit(name, `content of ${name}`);
    rig.start();
    await rig.until(() => rig.ledger.counts().delivered === 2, "delivered");
    assertNotEquals(await identityOf(there.at("a.fits")), found);
    assertEquals(await Deno.readTextFile(there.at("a.fits")), "content of a.fits");
    assertEquals(flushes.filter((path) => path === there.at("a.fits")).length, 1);
    const left = (await Array.fromAsync(Deno.readDir(there.path))).filter(({ isFile }) => isFile).map(({ name }) => name);
    assertEquals(left.sort(), ["a.fits", "b.fits"]);
  });
}

async function identityOf(path: string): Promise<number | null> {
  return (await Deno.stat(path)).ino;
}

Deno.test("adoptExisting() does not adopt at the retry what could not be flushed before the outage, and sends it", async () => {
  await using rig = await outboxRig();
  find(rig, ["a.fits", "b.fits"]);
  rig.fake.before = (step) => {
    if (step === "flush" && rig.fake.calls.flush === 1) throw aFailure("interrupted", "Input/output error");
    if (step === "put" && rig.fake.calls.put === 1) throw aFailure("interrupted");
  };
  for (const name of ["a.fits", "b.fits"]) await rig.admit(name, name);
  rig.start();
  await rig.soon(() => rig.fake.calls.put === 1 && rig.state("a.fits") === "deferred", "an outage");
  await rig.until(() => rig.ledger.counts().delivered === 2, "delivered");
  assertEquals([rig.fake.calls.flush, rig.fake.calls.put], [1, 2]);
  assertEquals([...rig.fake.files.values()].filter(({ mtimeMs }) => mtimeMs === FOUND_MS), []);
  assertEquals(rig.events.filter((event) => event.type === "notice" && event.level === "warning").length, 1);
});

/** A file is found and cannot be flushed; the disk is full when it is to be sent. */
async function fullAfterRefusedFlush(rig: OutboxRig): Promise<{ full: boolean }> {
  const disk = { full: true };
  find(rig, ["a.fits"]);
  rig.fake.before = (step) => {
    if (step === "flush" && rig.fake.calls.flush === 1) throw aFailure("interrupted", "Input/output error");
    if (step === "put" && disk.full) throw aFailure("disk_full");
  };
  await rig.admit("a.fits", "a.fits");
  rig.start();
  await rig.soon(() => rig.fake.calls.put === 1 && rig.state("a.fits") === "deferred", "an outage");
  return disk;
}

Deno.test("adoptExisting() does not adopt after a new start what could not be flushed before it", async () => {
  await using rig = await outboxRig();
  const disk = await fullAfterRefusedFlush(rig);
  await rig.stop();
  disk.full = false;
  const ending = new AbortController();
  let over = false;
  void outbox(rig.tools).run(ending.signal).then(() => over = true);
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
  ending.abort();
  await rig.until(() => over, "the end");
  assertEquals(rig.fake.calls.flush, 1);
  assertEquals(rig.fake.files.get("a.fits")?.mtimeMs === FOUND_MS, false);
  assertEquals(rig.ledger.unflushed("spring", "nas"), []);
});

Deno.test("adoptExisting() adopts no new version of the same bytes where the old one could not be flushed", async () => {
  await using rig = await outboxRig();
  const disk = await fullAfterRefusedFlush(rig);
  const former = rig.delivery("a.fits").id;
  await rig.clock.advance(1000);
  await rig.admit("a.fits", "a.fits");
  assertNotEquals(rig.delivery("a.fits").id, former);
  disk.full = false;
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
  assertEquals(rig.fake.calls.flush, 1);
  assertEquals(rig.fake.files.get("a.fits")?.mtimeMs === FOUND_MS, false);
});

Deno.test("adoptExisting() sends what was found when the connection was lost while it was flushed: nobody heard whether that worked", async () => {
  await using rig = await outboxRig();
  find(rig, ["a.fits", "b.fits"]);
  let lost = false;
  rig.fake.before = (step) => {
    if (step === "connect") lost = false;
    if (step === "flush" && rig.fake.calls.flush === 1) lost = true;
    if (lost) throw aFailure("interrupted");
  };
  for (const name of ["a.fits", "b.fits"]) await rig.admit(name, name);
  rig.start();
  await rig.soon(() => lost && rig.state("a.fits") === "deferred", "an outage");
  await rig.until(() => rig.ledger.counts().delivered === 2, "delivered");
  assertEquals([rig.fake.calls.flush, rig.fake.calls.put], [1, 1]);
  assertEquals(rig.ledger.unflushed("spring", "nas"), []);
});

Deno.test("adoptGone() takes nothing for delivered that could not be flushed, and its source is gone", async () => {
  await using rig = await outboxRig();
  rig.fake.after = (step) => {
    if (step === "publish" && rig.fake.calls.publish === 1) throw aFailure("interrupted");
  };
  rig.fake.before = (step) => {
    if (step === "flush" && rig.fake.calls.flush === 1) throw aFailure("interrupted", "Input/output error");
  };
  await rig.soonBecomes("a.fits", "alpha", "deferred");
  await Deno.remove(rig.folder.at("data", "a.fits"));
  await rig.until(() => ["failed", "delivered"].includes(rig.state("a.fits")), "an end");
  const { state } = rig.delivery("a.fits");
  assertEquals(state.state === "failed" && state.failure.code, "source_gone");
  assertEquals(rig.fake.calls.flush, 1);
});

const FOUND_MS = 1;

/** Another tool has put files there: each holds its name. */
function find(rig: OutboxRig, names: readonly string[]): void {
  for (const name of names) rig.fake.files.set(name, { bytes: new TextEncoder().encode(name), mtimeMs: FOUND_MS, mode: null });
}
