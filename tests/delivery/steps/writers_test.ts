/** A program that writes to a source while it is sent: what is read then is never published. */
import { assertEquals } from "@std/assert";
import { aFailure } from "../../support/fake_method.ts";
import { type OutboxRig, outboxRig, stagedAttempts } from "../outbox_rig.ts";

const NOBODY: ReadonlySet<string> = new Set();

Deno.test("lookForWriters() has a source sent once no program has it open for writing, and uses up no attempt", async () => {
  let open = true;
  await using rig = await outboxRig({
    system: { openForWriting: (paths) => Promise.resolve(open ? new Set(paths) : NOBODY) },
  });
  await rig.becomes("a.fits", "alpha", "deferred");
  const { state, attempts } = rig.delivery("a.fits");
  assertEquals([state.state === "deferred" && state.failure.code, attempts], ["source_unreadable", 0]);
  open = false;
  await rig.until(() => rig.state("a.fits") === "delivered", "it is closed");
});

/** The write that was under way has ended; its times are those of its beginning. */
async function finishWrite(rig: OutboxRig, text: string): Promise<void> {
  const path = rig.folder.at("data", "a.fits");
  const { mtime } = await Deno.stat(path);
  await rig.folder.write("data/a.fits", text);
  await Deno.utime(path, mtime!, mtime!);
}

for (const hashesSource of [true, false]) {
  const how = hashesSource ? "also where the method hashes" : "where the method does not hash";
  Deno.test(`lookForWriters() has the hash of what was sent meanwhile read after it, ${how}`, async () => {
    const answer = Promise.withResolvers<ReadonlySet<string>>();
    await using rig = await outboxRig({ system: { openForWriting: () => answer.promise } });
    rig.fake.hashesSource = hashesSource;
    await rig.admit("a.fits", "alpPA");
    rig.start();
    await rig.soon(() => rig.fake.calls.digest > 0, "it is staged and read");
    assertEquals(rig.fake.texts(), {});
    await finishWrite(rig, "ALPHA");
    answer.resolve(NOBODY);
    await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
    assertEquals(rig.fake.texts(), { "a.fits": "ALPHA" });
    assertEquals(rig.ledger.query({}).length, 1);
  });
}

Deno.test("lookForWriters() has no hash remembered of what was read before it was over", async () => {
  const answer = Promise.withResolvers<ReadonlySet<string>>();
  await using rig = await outboxRig({ system: { openForWriting: () => answer.promise } });
  await rig.admit("a.fits", "alpPA");
  rig.fake.after = (step) => {
    if (step !== "put") return;
    rig.fake.after = () => {};
    throw aFailure("interrupted");
  };
  rig.start();
  await rig.until(() => rig.state("a.fits") === "deferred", "the first attempt fails");
  await finishWrite(rig, "ALPHA");
  answer.resolve(NOBODY);
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
  assertEquals(rig.fake.texts(), { "a.fits": "ALPHA" });
  assertEquals(rig.events.filter(({ type }) => type === "deferred").length, 1);
});

Deno.test("lookForWriters() is over before anything is sent that is not hashed", async () => {
  const answer = Promise.withResolvers<ReadonlySet<string>>();
  let asked = 0;
  await using rig = await outboxRig({
    destination: { verify: "size" },
    system: { openForWriting: () => (asked++, answer.promise) },
  });
  await rig.admit("a.fits", "alpha");
  rig.start();
  await rig.soon(() => asked > 0, "the look has begun");
  await rig.soon(() => rig.fake.calls.survey > 0, "the target is looked at");
  assertEquals(stagedAttempts(rig.fake), []);
  answer.resolve(NOBODY);
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
});
