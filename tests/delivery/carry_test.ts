import { assertEquals } from "@std/assert";
import { racyUntil } from "../../src/domain/source_file.ts";
import { aFailure } from "../support/fake_method.ts";
import { pause } from "../support/until.ts";
import { outboxRig, stagedAttempts } from "./outbox_rig.ts";

Deno.test("carry() keeps the staging folder of half a batch until that half is done, whatever other workers sweep", async () => {
  await using rig = await outboxRig();
  const held = Promise.withResolvers<void>();
  rig.fake.before = async (step) => {
    // The batch of two is spoilt as a whole, so it is sent in halves.
    if (step === "put" && rig.fake.calls.put === 1) throw aFailure("name_refused");
    if (step === "digest" && rig.fake.calls.digest === 1) await held.promise;
  };
  await rig.admit("a.fits", "alpha");
  await rig.admit("b.fits", "beta");
  rig.start();
  await rig.soon(() => rig.fake.calls.digest === 1, "half a batch is being hashed");
  await rig.admit("c.fits", "gamma");
  await rig.until(() => rig.state("c.fits") === "delivered" && rig.fake.calls.sweep > 0, "another worker delivers and sweeps");
  held.resolve();
  await rig.until(() => rig.ledger.counts().delivered === 3, "all delivered");
  assertEquals(["a.fits", "b.fits"].map((name) => rig.delivery(name).attempts), [0, 0]);
});

Deno.test("carry() does not take a file without a hash whose ctime moved while it was sent", async () => {
  await using rig = await outboxRig({ destination: { verify: "size" } });
  const puts: number[] = [];
  rig.fake.before = async (step) => {
    if (step !== "put" || puts.push(1) > 1) return;
    // Whole seconds are all that the runtime tells of a ctime.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await Deno.chmod(rig.folder.at("data", "a.fits"), 0o600);
  };
  await rig.becomes("a.fits", "alpha", "delivered");
  assertEquals(puts.length, 2);
});

Deno.test("carry() gives no name to what a writer was heard to rewrite meanwhile, whatever its times say", async () => {
  let isHeard = false;
  await using rig = await outboxRig({ tools: { looks: { of: () => undefined, heardSince: () => isHeard } } });
  rig.fake.hashesSource = true;
  rig.fake.before = async (step) => {
    if (step !== "digest") return;
    // The ctime moves as well, but it is told in whole seconds.
    const path = rig.folder.at("data", "a.fits");
    const { mtime } = await Deno.stat(path);
    await Deno.writeTextFile(path, "omega");
    await Deno.utime(path, mtime!, mtime!);
    isHeard = true;
  };
  await rig.admit("a.fits", "alpha");
  rig.start();
  await rig.until(() => !["queued", "sending"].includes(rig.state("a.fits")), "decided");
  assertEquals([rig.fake.calls.put, rig.fake.calls.publish, rig.state("a.fits")], [1, 0, "deferred"]);
});

Deno.test("carry() sends a file without a hash no sooner than a rewrite would show in its facts", async () => {
  // At the beginning of a second: a file of the next one would be of the future of the clock that stands still.
  await pause(1010 - Date.now() % 1000);
  await using rig = await outboxRig({ destination: { verify: "size" } });
  let sentAt = 0;
  rig.fake.before = (step) => void (step === "put" && (sentAt = rig.clock.now()));
  await rig.becomes("a.fits", "alpha", "delivered");
  assertEquals(sentAt >= racyUntil(rig.delivery("a.fits").source), true);
});

Deno.test("carry() publishes nothing while an attempt with an unknown end could still do so", async () => {
  await using rig = await outboxRig();
  const order: string[] = [];
  let late: () => void = () => {};
  rig.fake.before = (step) => {
    // The first contact sweeps what it looked with, and so does each later one.
    if (step === "publish" || (step === "sweep" && order.length > 0)) order.push(step);
    // The connection is gone: nothing can be swept with it either.
    if (step === "sweep" && order.length === 2) throw aFailure("interrupted");
    if (step !== "publish" || rig.fake.calls.publish > 1) return;
    // The connection breaks, and the program at the far end works on by itself.
    const staged = [...rig.fake.files].filter(([path]) => path.startsWith(".image-transfer-"));
    late = () => staged.forEach(([path, file]) => rig.fake.files.has(path) && rig.fake.files.set("a.fits", file));
    throw aFailure("interrupted");
  };
  await rig.soonBecomes("a.fits", "old", "deferred");
  await rig.admit("a.fits", "newer");
  await rig.until(() => rig.state("a.fits") === "delivered", "the newer version is delivered");
  late();
  assertEquals(rig.fake.texts(), { "a.fits": "newer" });
  assertEquals(order.slice(0, 5), ["publish", "sweep", "sweep", "sweep", "publish"]);
});

Deno.test("carry() sweeps the part of a version that a newer one has replaced", async () => {
  await using rig = await outboxRig();
  const part = new Uint8Array(5 * 1024 * 1024);
  rig.fake.before = (step) => {
    if (step === "digest" && rig.fake.calls.digest === 1) throw aFailure("interrupted");
  };
  await rig.admit("a.fits", part);
  rig.start();
  await rig.soon(() => rig.state("a.fits") === "deferred", "the connection breaks");
  assertEquals(stagedAttempts(rig.fake).length, 1);
  await rig.admit("a.fits", "newer");
  await rig.until(() => rig.state("a.fits") === "delivered", "the newer version is delivered");
  await rig.admit("b.fits", "another");
  await rig.until(() => rig.state("b.fits") === "delivered" && stagedAttempts(rig.fake).length === 0, "nothing stays staged");
});
