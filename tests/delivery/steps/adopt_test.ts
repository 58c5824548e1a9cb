import { assertEquals } from "@std/assert";
import { local } from "../../../src/methods/local/local.ts";
import { aFailure } from "../../support/fake_method.ts";
import { outboxRig } from "../outbox_rig.ts";

Deno.test("adoptExisting() takes a found file for delivered only when it is flushed", async () => {
  await using rig = await outboxRig();
  const order: string[] = [];
  rig.fake.before = (step) => {
    order.push(step);
    if (step === "flush" && rig.fake.calls.flush === 1) throw aFailure("interrupted");
  };
  // Renamed, and the answer lost before the folder was flushed.
  rig.fake.after = (step) => {
    if (step === "publish") throw aFailure("interrupted");
  };
  await rig.admit("a.fits", "alpha");
  rig.start();
  await rig.soon(() => rig.fake.calls.publish === 1 && rig.state("a.fits") === "deferred", "the answer is lost");
  await rig.until(() => rig.fake.calls.flush === 1 && rig.state("a.fits") === "deferred", "the flush fails");
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
  assertEquals([rig.fake.calls.flush, rig.fake.calls.put], [2, 1]);
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
  await rig.admit("a.fits", "alpha");
  rig.start();
  await rig.soon(() => rig.state("a.fits") === "deferred", "the answer is lost");
  await Deno.remove(rig.folder.at("data", "a.fits"));
  away = true;
  await rig.until(() => ["failed", "delivered"].includes(rig.state("a.fits")), "an end");
  assertEquals([rig.state("a.fits"), rig.fake.texts()], ["delivered", { "a.fits": "alpha" }]);
});
