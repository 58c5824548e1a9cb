import { assert, assertEquals, assertMatch } from "@std/assert";
import { failureRecord } from "../../src/domain/failure.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { aFailure } from "../support/fake_method.ts";
import { outboxRig } from "./outbox_rig.ts";

Deno.test("outbox() delivers what is queued, proven, and leaves nothing staged", async () => {
  await using rig = await outboxRig();
  await rig.admit("20260115/a.fits", "alpha");
  await rig.soonBecomes("20260115/b.fits", "beta", "delivered");
  assertEquals(rig.fake.texts(), { "20260115/a.fits": "alpha", "20260115/b.fits": "beta" });
  const { state } = rig.delivery("20260115/a.fits");
  assert(state.state === "delivered");
  assertEquals([state.receipt.level, state.receipt.bytes], ["checksum", 5]);
  assertMatch(state.receipt.sha256 ?? "", /^[0-9a-f]{64}$/);
  await rig.stop();
  assertEquals([...rig.fake.files.keys()].filter((path) => path.startsWith(".")), []);
  assertEquals(rig.fake.sessions, 0);
});

Deno.test("outbox() carries a batch in a number of round trips that does not grow with its files", async () => {
  await using rig = await outboxRig();
  for (let n = 0; n < 300; n++) await rig.admit(`f${n}.fits`, `content ${n}`);
  rig.start();
  await rig.until(() => rig.ledger.counts().delivered === 300, "all delivered");
  assertEquals([rig.fake.calls.put, rig.fake.calls.publish, rig.fake.calls.digest], [1, 1, 1]);
});

Deno.test("outbox() sends a single fresh file without any time passing", async () => {
  await using rig = await outboxRig();
  rig.start();
  await rig.soon(() => rig.outbox.state().state === "open" && rig.fake.calls.leftovers === 1, "open");
  const before = rig.clock.monotonic();
  await rig.admit("a.fits", "alpha");
  await rig.soon(() => rig.state("a.fits") === "delivered", "delivered");
  assertEquals(rig.clock.monotonic(), before);
});

Deno.test("outbox() looks at the place once before a file is sent, however many workers it wakes", async () => {
  await using rig = await outboxRig({ destination: { parallelTransfers: 4 } });
  rig.start();
  await rig.soon(() => rig.outbox.state().state === "open" && rig.fake.calls.leftovers === 1, "open");
  await rig.clock.advance(6_000);
  const before = rig.fake.calls.attach ?? 0;
  await rig.admit("a.fits", "alpha");
  await rig.soon(() => rig.state("a.fits") === "delivered", "delivered");
  assertEquals((rig.fake.calls.attach ?? 0) - before, 1);
});

Deno.test("outbox() takes what is there already and proven equal for delivered, without sending it", async () => {
  await using rig = await outboxRig();
  rig.fake.files.set("a.fits", { bytes: new TextEncoder().encode("alpha"), mtimeMs: 0, mode: null });
  await rig.soonBecomes("a.fits", "alpha", "delivered");
  assertEquals(rig.fake.calls.put, 0);
});

Deno.test("outbox() never takes a file of the same size for the same file, even with verify: size", async () => {
  await using rig = await outboxRig({ destination: { verify: "size" } });
  rig.fake.files.set("a.fits", { bytes: new TextEncoder().encode("other"), mtimeMs: 0, mode: null });
  await rig.becomes("a.fits", "alpha", "delivered");
  assertEquals(rig.fake.texts(), { "a.fits": "alpha", "a.v1.fits": "other" });
});

Deno.test("outbox() claims no more than was compared: verify size and none", async () => {
  for (const verify of ["size", "none"] as const) {
    await using rig = await outboxRig({ destination: { verify } });
    await rig.becomes("a.fits", "alpha", "delivered");
    const { state } = rig.delivery("a.fits");
    assertEquals(state.state === "delivered" && [state.receipt.level, state.receipt.sha256], [verify, null]);
  }
});

Deno.test("outbox() claims read_back where the bytes were fetched back, also for what was there already", async () => {
  await using rig = await outboxRig();
  rig.fake.proof = "read_back";
  rig.fake.files.set("there.fits", { bytes: new TextEncoder().encode("before"), mtimeMs: 0, mode: null });
  await rig.admit("there.fits", "before");
  // Its answer is lost, and then its source is removed.
  rig.fake.after = (step) => {
    if (step === "publish" && rig.fake.calls.publish === 1) throw aFailure("interrupted");
  };
  await rig.soonBecomes("gone.fits", "beta", "deferred");
  await Deno.remove(rig.folder.at("data", "gone.fits"));
  await rig.until(() => rig.ledger.counts().delivered === 2, "found there");
  await rig.admit("sent.fits", "alpha");
  await rig.until(() => rig.state("sent.fits") === "delivered", "delivered");
  assertEquals(rig.fake.calls.put, 2);
  for (const name of ["there.fits", "gone.fits", "sent.fits"]) {
    const { state } = rig.delivery(name);
    assertEquals(state.state === "delivered" && state.receipt.level, "read_back", name);
  }
});

Deno.test("outbox() never publishes what arrived garbled; it sends it again", async () => {
  await using rig = await outboxRig();
  let garbled = 0;
  rig.fake.garble = (_parcel, bytes) => garbled++ === 0 ? new TextEncoder().encode("alphX") : bytes;
  await rig.soonBecomes("a.fits", "alpha", "deferred");
  assertEquals(rig.fake.texts(), {});
  assertEquals(rig.delivery("a.fits").attempts, 1);
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
  assertEquals(rig.fake.texts(), { "a.fits": "alpha" });
});

Deno.test("outbox() reads a source again that did not match: what was remembered may be misread", async () => {
  const real = createSystem();
  let reads = 0;
  await using rig = await outboxRig({
    system: {
      async hash(path, signal) {
        const digest = await real.hash(path, signal);
        return reads++ === 0 ? { ...digest, sha256: "0".repeat(64) } : digest;
      },
    },
  });
  await rig.becomes("a.fits", "alpha", "delivered");
  assertEquals([rig.fake.texts(), reads, rig.fake.calls.put], [{ "a.fits": "alpha" }, 2, 2]);
});

Deno.test("outbox() that stops leaves nothing of a search for loops that was still going on", async () => {
  let left: (path: string) => void = () => {};
  await using rig = await outboxRig({
    tools: {
      loops: {
        doubts: () => false,
        check(_destination, { stagingRoot, name }, signal) {
          left(`${stagingRoot}/${name}/probe`);
          return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
        },
      },
    },
  });
  left = (path) => rig.fake.files.set(path, { bytes: new Uint8Array(), mtimeMs: 0, mode: 0o700 });
  await rig.soonBecomes("a.fits", "alpha", "delivered");
  await rig.stop();
  assertEquals([...rig.fake.files.keys()], ["a.fits"]);
});

Deno.test("outbox() sends together no more than fits into the free space there", async () => {
  await using rig = await outboxRig();
  rig.fake.freeBytes = 10;
  for (const name of ["a.fits", "b.fits"]) await rig.admit(name, "six by");
  rig.start();
  await rig.soon(() => rig.state("b.fits") === "deferred", "no room");
  assertEquals([rig.state("a.fits"), rig.fake.texts()], ["delivered", { "a.fits": "six by" }]);
  const { state } = rig.delivery("b.fits");
  assertEquals(state.state === "deferred" && state.failure.code, "disk_full");
});

Deno.test("outbox() gives a file up after retry_attempts failures of its own", async () => {
  await using rig = await outboxRig({ destination: { retryAttempts: 3 } });
  rig.fake.garble = () => new Uint8Array(5);
  await rig.becomes("a.fits", "alpha", "failed");
  assertEquals(rig.fake.calls.put, 3);
  assertEquals(rig.delivery("a.fits").attempts, 3);
});

Deno.test("outbox() lets one poisoned file fail alone", async () => {
  await using rig = await outboxRig({ destination: { retryAttempts: 1 } });
  rig.fake.refuse = (upload) => upload.source.path === "bad.fits" ? failureRecord(aFailure("name_refused")) : null;
  for (const name of ["a.fits", "bad.fits", "c.fits"]) await rig.admit(name, name);
  rig.start();
  await rig.soon(() => rig.state("c.fits") === "delivered", "c delivered");
  assertEquals([rig.state("a.fits"), rig.state("bad.fits")], ["delivered", "failed"]);
  assertEquals(rig.outbox.state().state, "open");
});

Deno.test("outbox() finds the one file that spoils a whole batch by halving it", async () => {
  await using rig = await outboxRig({ destination: { retryAttempts: 1 } });
  const put = rig.fake.method;
  let poison = false;
  rig.fake.garble = (upload, bytes) => {
    if (upload.source.path === "f5.fits") {
      poison = true;
      throw aFailure("internal", "the tool crashed");
    }
    return bytes;
  };
  for (let n = 0; n < 8; n++) await rig.admit(`f${n}.fits`, `${n}`);
  rig.start();
  await rig.soon(() => rig.ledger.counts().delivered === 7, "seven delivered");
  assertEquals([rig.state("f5.fits"), poison, put.name], ["failed", true, "local"]);
});

Deno.test("outbox() fails a file whose source is gone, and defers one that changed until the intake knows it", async () => {
  await using rig = await outboxRig();
  await rig.admit("gone.fits", "alpha");
  await rig.admit("changed.fits", "beta");
  await Deno.remove(rig.folder.at("data", "gone.fits"));
  await rig.folder.write("data/changed.fits", "another content");
  rig.start();
  await rig.soon(() => rig.state("gone.fits") === "failed" && rig.state("changed.fits") === "deferred", "settled");
  assertEquals(code(rig, "gone.fits"), "source_gone");
  assertEquals(code(rig, "changed.fits"), "source_changed");
  assertEquals(rig.fake.texts(), {});
});

Deno.test("outbox() takes no file for gone that is there, whatever the method says", async () => {
  await using rig = await outboxRig();
  rig.fake.refuse = () => rig.fake.calls.put === 1 ? failureRecord(aFailure("source_gone")) : null;
  await rig.soonBecomes("a.fits", "alpha", "deferred");
  assertEquals(rig.delivery("a.fits").attempts, 0);
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
});

Deno.test("outbox() begins nothing while the watched folder is away, and takes no file for gone", async () => {
  await using rig = await outboxRig();
  await rig.admit("a.fits", "alpha");
  await Deno.rename(rig.folder.at("data"), rig.folder.at("away"));
  rig.start();
  await rig.soon(() => rig.fake.calls.leftovers === 1, "connected");
  await rig.clock.advance(60_000);
  assertEquals([rig.state("a.fits"), rig.fake.calls.put], ["queued", 0]);
  await Deno.rename(rig.folder.at("away"), rig.folder.at("data"));
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
});

Deno.test("outbox() uses up no attempt when the watched folder goes away while it sends", async () => {
  await using rig = await outboxRig();
  await rig.admit("a.fits", "alpha");
  rig.fake.after = (step) => {
    if (step === "put") Deno.renameSync(rig.folder.at("data"), rig.folder.at("away"));
  };
  rig.start();
  await rig.soon(() => rig.state("a.fits") === "deferred", "deferred");
  assertEquals([code(rig, "a.fits"), rig.delivery("a.fits").attempts, rig.fake.texts()], ["source_unreadable", 0, {}]);
});

Deno.test("outbox() goes on with new files while another worker still sends after a failure", async () => {
  await using rig = await outboxRig({ destination: { parallelTransfers: 2 } });
  let finish = () => {};
  rig.fake.garble = (_parcel, bytes) => bytes;
  let puts = 0;
  rig.fake.before = (step) => {
    if (step !== "put") return;
    puts += 1;
    if (puts === 1) return new Promise<void>((resolve) => finish = resolve);
    if (puts === 2) throw aFailure("interrupted");
  };
  await rig.admit("slow.fits", "slow");
  rig.start();
  await rig.soon(() => puts === 1, "the first worker sends");
  await rig.admit("cut.fits", "cut");
  await rig.until(() => rig.state("cut.fits") === "delivered", "the second file, with a new session");
  assertEquals(rig.state("slow.fits"), "sending");
  finish();
  await rig.until(() => rig.state("slow.fits") === "delivered", "the first file, with the old session");
});

Deno.test("outbox() does not publish a source that changed while it was sent", async () => {
  await using rig = await outboxRig();
  await rig.admit("a.fits", "alpha");
  rig.fake.after = (step) => {
    if (step === "put") Deno.writeTextFileSync(rig.folder.at("data", "a.fits"), "omega and more");
  };
  rig.start();
  await rig.soon(() => rig.state("a.fits") === "deferred", "deferred");
  assertEquals([code(rig, "a.fits"), rig.fake.texts()], ["source_changed", {}]);
});

Deno.test("outbox() leaves a different file alone with skip and fail, and never sends for it", async () => {
  for (const [policy, expected] of [["skip", "skipped"], ["fail", "exists"]] as const) {
    await using rig = await outboxRig({ destination: { onConflict: policy } });
    rig.fake.files.set("a.fits", { bytes: new TextEncoder().encode("older"), mtimeMs: 0, mode: null });
    await rig.soonBecomes("a.fits", "alpha", "failed");
    assertEquals([code(rig, "a.fits"), rig.fake.texts(), rig.fake.calls.put], [expected, { "a.fits": "older" }, 0]);
  }
});

Deno.test("outbox() resumes from the part that an interrupted attempt left", async () => {
  await using rig = await outboxRig();
  const big = new Uint8Array(5 * 1024 * 1024).fill(7);
  const offered: (string | undefined)[] = [];
  let broken = true;
  rig.fake.refuse = (upload) => {
    offered.push(upload.leftover);
    if (broken) throw aFailure("interrupted");
    return null;
  };
  await rig.admit("big.fits", big);
  rig.start();
  await rig.soon(() => rig.state("big.fits") === "deferred", "deferred");
  broken = false;
  await rig.until(() => rig.state("big.fits") === "delivered", "delivered");
  assertEquals(offered.length, 2);
  assertMatch(offered[1] ?? "", /^\.image-transfer-[^/]+\/[0-9a-z-]+\/\d+$/);
});

function code(rig: { delivery(path: string): { state: { state: string } } }, path: string): string {
  const { state } = rig.delivery(path) as { state: { state: string; failure?: { code: string } } };
  return state.failure?.code ?? state.state;
}
