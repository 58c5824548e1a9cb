import { assert, assertEquals } from "@std/assert";
import { dirname } from "@std/path";
import { diskIn } from "../../src/delivery/mount.ts";
import { outbox } from "../../src/delivery/outbox.ts";
import { Failure, type FailureCode } from "../../src/domain/failure.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { aFailure } from "../support/fake_method.ts";
import { outboxRig, stagedAttempts } from "./outbox_rig.ts";

const OUTAGES: readonly FailureCode[] = ["unreachable", "interrupted", "timeout"];
const HOLDS: readonly FailureCode[] = [
  "host_key_unknown",
  "host_key_changed",
  "login_refused",
  "disk_full",
  "read_only",
  "permission_denied",
  "device_missing",
  "tool_missing",
  "not_a_folder",
  "local_disk_full",
];

for (const code of [...OUTAGES, ...HOLDS]) {
  for (const step of ["connect", "put", "publish"] as const) {
    Deno.test(`outbox() stops at ${code} in ${step}, uses up no attempt, and goes on by itself`, async () => {
      await using rig = await outboxRig();
      let away = true;
      rig.fake.before = (at) => {
        if (away && at === step) throw aFailure(code);
      };
      await rig.admit("a.fits", "alpha");
      rig.start();
      const expected = HOLDS.includes(code) ? "on_hold" : "backing_off";
      await rig.soon(() => rig.outbox.state().state === expected, expected);
      const state = rig.outbox.state();
      assert(state.state === "on_hold" || state.state === "backing_off");
      assertEquals(state.failure.code, code);
      assertEquals(rig.delivery("a.fits").attempts, 0);
      assertEquals(rig.fake.texts(), {});
      away = false;
      // Refused logins are probed rarely: give it the half hour.
      for (let n = 0; n < 10 && rig.state("a.fits") !== "delivered"; n++) {
        await rig.clock.advance(5 * 60_000);
        await rig.soon(() => rig.fake.calls.connect > 1, "another try");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await rig.soon(() => rig.state("a.fits") === "delivered", "delivered");
      assertEquals(rig.outbox.state().state, "open");
    });
  }
}

Deno.test("outbox() asks a host that refuses logins rarely", async () => {
  await using rig = await outboxRig();
  rig.fake.before = (step) => {
    if (step === "connect") throw aFailure("login_refused");
  };
  rig.start();
  await rig.soon(() => rig.outbox.state().state === "on_hold", "on hold");
  for (let hour = 0; hour < 60; hour++) await rig.clock.advance(60_000);
  assert(rig.fake.calls.connect >= 2 && rig.fake.calls.connect <= 8, `${rig.fake.calls.connect} logins in an hour`);
});

Deno.test("outbox() tries an unreachable host ever more rarely", async () => {
  await using rig = await outboxRig();
  rig.fake.before = (step) => {
    if (step === "connect") throw aFailure("unreachable");
  };
  rig.start();
  await rig.soon(() => rig.outbox.state().state === "backing_off", "backing off");
  for (let minute = 0; minute < 60; minute++) await rig.clock.advance(60_000);
  assert(rig.fake.calls.connect >= 10 && rig.fake.calls.connect <= 30, `${rig.fake.calls.connect} tries in an hour`);
});

Deno.test("outbox() tells of every change of state, and of no change twice", async () => {
  await using rig = await outboxRig();
  let away = true;
  rig.fake.before = (step) => {
    if (away && step === "connect") throw aFailure("unreachable", "Cannot reach nas: no route to host");
  };
  rig.start();
  await rig.until(() => rig.fake.calls.connect >= 3, "three tries");
  away = false;
  await rig.until(() => rig.outbox.state().state === "open", "open");
  const changes = rig.events.flatMap((event) => event.type === "destination" ? [event.now.state] : []);
  assertEquals(changes, ["backing_off", "open"]);
});

Deno.test("outbox() finds a published file again when the answer was lost, and does not send it twice", async () => {
  await using rig = await outboxRig();
  let lost = true;
  rig.fake.after = (step) => {
    if (lost && step === "publish") {
      lost = false;
      throw aFailure("interrupted");
    }
  };
  await rig.becomes("a.fits", "alpha", "delivered");
  assertEquals([rig.fake.calls.put, rig.fake.texts()], [1, { "a.fits": "alpha" }]);
});

Deno.test("outbox() gives up a destination that has gone silent, and tries again", async () => {
  await using rig = await outboxRig({ destination: { timeoutMs: 30_000 } });
  let frozen = true;
  rig.fake.before = (step) => step === "put" && frozen ? new Promise(() => {}) : undefined;
  await rig.admit("a.fits", "alpha");
  rig.start();
  await rig.soon(() => rig.fake.calls.put === 1, "sending");
  await rig.clock.advance(30_500);
  await rig.soon(() => rig.state("a.fits") === "deferred", "deferred");
  const { state } = rig.delivery("a.fits");
  assertEquals(state.state === "deferred" && state.failure.code, "timeout");
  frozen = false;
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
});

Deno.test("outbox() parks what is in flight when it must stop, and sweeps its temporary files", async () => {
  await using rig = await outboxRig({ tools: { shutdownTimeoutMs: 5_000 } });
  rig.fake.after = (step) => {
    if (step === "put") rig.fake.before = (next) => next === "digest" ? new Promise(() => {}) : undefined;
  };
  await rig.admit("a.fits", "alpha");
  rig.start();
  await rig.soon(() => rig.fake.calls.digest === 1, "verifying");
  assertEquals(stagedAttempts(rig.fake).length, 1);
  await rig.stop();
  assertEquals([rig.state("a.fits"), rig.delivery("a.fits").attempts], ["queued", 0]);
  assertEquals([...rig.fake.files.keys()], []);
});

Deno.test("outbox() lets what is in flight end when it stops in time", async () => {
  await using rig = await outboxRig();
  let go = () => {};
  rig.fake.before = (step) => step === "publish" ? new Promise<void>((resolve) => go = resolve) : undefined;
  await rig.admit("a.fits", "alpha");
  rig.start();
  await rig.soon(() => rig.fake.calls.publish === 1, "publishing");
  const stopping = rig.stop();
  go();
  await stopping;
  assertEquals([rig.state("a.fits"), rig.fake.texts()], ["delivered", { "a.fits": "alpha" }]);
});

Deno.test("pause() holds new files back, survives a restart of the outbox, and resume() ends it", async () => {
  await using rig = await outboxRig();
  rig.outbox.pause("observer");
  await rig.admit("a.fits", "alpha");
  rig.start();
  await rig.clock.advance(60_000);
  assertEquals([rig.state("a.fits"), rig.fake.calls.connect], ["queued", 0]);
  assertEquals(rig.outbox.state(), { state: "paused", by: "observer" });
  assertEquals(rig.ledger.pausedBy("nas"), "observer");
  rig.outbox.resume();
  await rig.soon(() => rig.state("a.fits") === "delivered", "delivered");
});

for (const step of ["connect", "attach", "leftovers"] as const) {
  Deno.test(`pause() during ${step} holds files back all the same, and resume() ends it`, async () => {
    await using rig = await outboxRig();
    const { promise: gone, resolve: go } = Promise.withResolvers<void>();
    rig.fake.before = (at) => at === step ? gone : undefined;
    await rig.admit("a.fits", "alpha");
    rig.start();
    await rig.soon(() => rig.fake.calls[step] === 1, step);
    rig.outbox.pause("observer");
    go();
    await rig.soon(() => rig.fake.calls.connect === 1 && rig.fake.sessions === 0, "closed");
    await rig.clock.advance(60_000);
    assertEquals([rig.state("a.fits"), rig.fake.calls.connect], ["queued", 1]);
    rig.outbox.resume();
    await rig.soon(() => rig.state("a.fits") === "delivered", "delivered");
  });
}

for (const how of ["resume", "probe"] as const) {
  Deno.test(`${how}() probes at once where the destination holds`, async () => {
    await using rig = await outboxRig();
    let refused = true;
    rig.fake.before = (step) => {
      if (refused && step === "connect") throw aFailure("host_key_changed");
    };
    await rig.admit("a.fits", "alpha");
    rig.start();
    await rig.soon(() => rig.outbox.state().state === "on_hold", "on hold");
    refused = false;
    rig.outbox[how]();
    await rig.soon(() => rig.state("a.fits") === "delivered", "delivered");
  });
}

Deno.test("outbox() tells at its start that the destination is paused, and by whom", async () => {
  await using rig = await outboxRig();
  rig.outbox.pause("ann");
  const before = rig.events.length;
  rig.start();
  const told = rig.events.slice(before).find(({ type }) => type === "destination");
  const now = { state: "paused", by: "ann" } as const;
  assertEquals(told, { type: "destination", job: "spring", name: "nas", now, before: { state: "open" } });
});

Deno.test("probe() ends no pause", async () => {
  await using rig = await outboxRig();
  rig.outbox.pause("ann");
  rig.outbox.probe();
  assertEquals(rig.outbox.state(), { state: "paused", by: "ann" });
});

Deno.test("outbox() waits where less than minimum_free_space_gb is free, and goes on when there is room", async () => {
  await using rig = await outboxRig({ destination: { minimumFreeBytes: 1e9 } });
  rig.fake.freeBytes = 5e8;
  await rig.admit("a.fits", "alpha");
  rig.start();
  await rig.soon(() => rig.outbox.state().state === "on_hold", "on hold");
  assertEquals(rig.fake.calls.put, 0);
  rig.fake.freeBytes = 5e9;
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
});

Deno.test("about() tells the free space of the right disk, nothing while that is away, and how full a full one is", async () => {
  await using rig = await outboxRig({ destination: { minimumFreeBytes: 1e9 } });
  const free = () => rig.outbox.about().freeBytes;
  rig.fake.freeBytes = 7e9;
  await rig.soonBecomes("a.fits", "alpha", "delivered");
  assertEquals(free(), 7e9);
  const mounted = new Map(rig.fake.files);
  rig.fake.files.clear();
  [rig.fake.device, rig.fake.freeBytes] = ["root:0", 6e8];
  await rig.until(() => rig.outbox.state().state === "on_hold", "holds for the missing disk");
  assertEquals(free(), null);
  for (const [path, file] of mounted) rig.fake.files.set(path, file);
  [rig.fake.device, rig.fake.freeBytes] = ["fake:1", 5e8];
  await rig.until(() => free() !== null, "the disk is back, and full");
  assertEquals([free(), rig.outbox.state().state], [5e8, "on_hold"]);
  rig.fake.freeBytes = 8e9;
  await rig.until(() => rig.outbox.state().state === "open", "there is room");
  assertEquals(free(), 8e9);
  rig.fake.before = () => {
    throw aFailure("unreachable");
  };
  await rig.admit("b.fits", "beta");
  await rig.until(() => rig.outbox.state().state === "backing_off", "unreachable");
  assertEquals(free(), null);
});

Deno.test("outbox() sends what fits, and holds for a file that does not", async () => {
  await using rig = await outboxRig({ destination: { minimumFreeBytes: 1000 } });
  rig.fake.freeBytes = 2000;
  await rig.admit("big.fits", new Uint8Array(5000));
  await rig.becomes("small.fits", "alpha", "delivered");
  await rig.until(() => rig.outbox.state().state === "on_hold", "on hold");
  const tries = rig.fake.calls.connect;
  const told = rig.events.filter(({ type }) => type === "destination").length;
  await rig.until(() => rig.fake.calls.connect > tries + 1, "tried again");
  assertEquals(rig.events.filter(({ type }) => type === "destination").length, told, "no false all-clear");
  assertEquals(rig.delivery("big.fits").attempts, 0);
  rig.fake.freeBytes = 20_000;
  await rig.until(() => rig.state("big.fits") === "delivered", "big delivered");
});

Deno.test("outbox() never fills the mount point of a disk that is not mounted", async () => {
  await using rig = await outboxRig();
  await rig.soonBecomes("a.fits", "alpha", "delivered");
  const mounted = new Map(rig.fake.files);
  rig.fake.files.clear();
  rig.fake.device = "root:0";
  await rig.clock.advance(10_000);
  await rig.admit("b.fits", "beta");
  await rig.soon(() => rig.outbox.state().state === "on_hold", "on hold");
  assertEquals([rig.state("b.fits"), rig.fake.texts()], ["queued", {}]);
  for (const [path, file] of mounted) rig.fake.files.set(path, file);
  rig.fake.device = "fake:1";
  await rig.until(() => rig.state("b.fits") === "delivered", "delivered");
});

Deno.test("resume() takes another disk for the right one only where the destination was named, and holds for that", async () => {
  await using rig = await outboxRig();
  await rig.soonBecomes("a.fits", "alpha", "delivered");
  const looks = async (): Promise<void> => {
    const before = rig.fake.calls.attach;
    await rig.soon(() => rig.fake.calls.attach > before && rig.outbox.state().state === "on_hold", "looked at again");
  };
  rig.fake.files.clear();
  rig.fake.device = "root:0";
  let refused = true;
  rig.fake.before = (step) => {
    if (refused && step === "attach") throw aFailure("login_refused");
  };
  await rig.clock.advance(10_000);
  await rig.admit("b.fits", "beta");
  await rig.soon(() => rig.outbox.state().state === "on_hold", "on hold for the login");
  // Named, but for a login that was refused: nothing was said of a disk yet.
  refused = false;
  await rig.outbox.resume("keep");
  await looks();
  // All destinations at once: that is not said of this one.
  await rig.outbox.resume();
  await looks();
  assertEquals([rig.state("b.fits"), rig.fake.texts()], ["queued", {}]);
  await rig.outbox.resume("keep");
  await rig.soon(() => rig.state("b.fits") === "delivered", "delivered");
  assertEquals(diskIn(rig.ledger.deviceOf("spring", "nas")!), "root:0");
});

for (const isThere of [true, false]) {
  Deno.test(`outbox() that is told no disk ${isThere ? "trusts the place of" : "warns where it finds none of"} the delivered files`, async () => {
    await using rig = await outboxRig();
    rig.fake.device = null;
    await rig.soonBecomes("a.fits", "alpha", "delivered");
    await rig.stop();
    if (!isThere) rig.fake.files.clear();
    const later = outbox(rig.tools);
    await rig.admit("b.fits", "beta");
    const ending = new AbortController();
    const running = later.run(ending.signal);
    await rig.soon(() => rig.state("b.fits") === "delivered", "delivered");
    ending.abort();
    await running;
    const warnings = rig.events.filter((event) =>
      event.type === "notice" && event.message.startsWith("None of the files delivered last to nas are in")
    );
    assertEquals(warnings.length, isThere ? 0 : 1);
  });
}

Deno.test("outbox() knows the disk again by its files when only the device's name changed", async () => {
  await using rig = await outboxRig();
  await rig.soonBecomes("a.fits", "alpha", "delivered");
  rig.fake.device = "fake:2";
  await rig.clock.advance(10_000);
  await rig.admit("b.fits", "beta");
  await rig.until(() => rig.state("b.fits") === "delivered", "delivered");
  assertEquals(diskIn(rig.ledger.deviceOf("spring", "nas")!), "fake:2");
});

Deno.test("idle() resolves when nothing waits, and gives up after retry_attempts outages", async () => {
  await using rig = await outboxRig({ tools: { once: true } });
  await rig.admit("a.fits", "alpha");
  rig.start();
  const signal = new AbortController().signal;
  let idle = await rig.outbox.idle(signal);
  assertEquals(idle, { drained: true, failure: null });
  rig.fake.before = () => {
    throw aFailure("unreachable");
  };
  await rig.admit("b.fits", "beta");
  let over = false;
  void rig.outbox.idle(signal).then((result) => {
    idle = result;
    over = true;
  });
  await rig.until(() => over, "gives up");
  assertEquals([idle.drained, idle.failure?.code], [false, "unreachable"]);
});

Deno.test("outbox() goes on when the clock was set back by a day", async () => {
  await using rig = await outboxRig();
  let garbled = true;
  rig.fake.garble = (_parcel, bytes) => garbled ? new Uint8Array(bytes.length) : bytes;
  await rig.soonBecomes("a.fits", "alpha", "deferred");
  garbled = false;
  rig.clock.jump(-86_400_000);
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
});

Deno.test("outbox() goes on with what it has claimed when the ledger cannot be read for a moment", async () => {
  await using rig = await outboxRig();
  await rig.admit("a.fits", "alpha");
  const books = rig.ledger as { hashesOf: typeof rig.ledger.hashesOf };
  const real = books.hashesOf;
  let broken = true;
  books.hashesOf = (deliveries) => {
    if (!broken) return real(deliveries);
    broken = false;
    throw new Failure("local_disk_full", "Cannot read the ledger: its disk is full or does not work");
  };
  rig.start();
  await rig.until(() => !broken, "read");
  rig.outbox.probe();
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered after all");
  assertEquals(rig.fake.texts(), { "a.fits": "alpha" });
});

Deno.test("outbox() sends once the source's disk is mounted although it began before that", async () => {
  const real = createSystem();
  let root = "";
  let mounted = false;
  let started = false;
  await using rig = await outboxRig({
    system: {
      async followedFacts(path) {
        const facts = await real.followedFacts(path);
        return facts && path === root && mounted ? { ...facts, device: "disk" } : facts;
      },
      async facts(path) {
        // The empty folder below the mount point shows through.
        return !mounted && dirname(path) === root && started ? null : await real.facts(path);
      },
    },
  });
  root = rig.folder.at("data");
  await rig.admit("a.fits", "alpha");
  started = true;
  rig.start();
  await rig.until(() => rig.state("a.fits") === "failed", "not there: the disk is not mounted");
  mounted = true;
  // What the intake does when it finds the file (REVIVE).
  rig.ledger.requeue([rig.delivery("a.fits").id], rig.clock.now());
  rig.outbox.wake();
  await rig.until(() => rig.state("a.fits") === "delivered", "the disk is mounted now");
  assertEquals(rig.fake.texts(), { "a.fits": "alpha" });
});
