import { assertEquals } from "@std/assert";
import { local } from "../../../src/methods/local/local.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import type { System } from "../../../src/system/system.ts";
import { tempFolder } from "../../support/temp.ts";
import { type OutboxRig, outboxRig, type RigOptions } from "../outbox_rig.ts";
import { pathToRead } from "../../../src/domain/source_file.ts";

/** A system that notes how each file below the watched folder is read from its beginning. */
function counting(): { reads: string[]; system: Partial<System> } {
  const real = createSystem();
  const reads: string[] = [];
  const note = (how: string, path: string) => void (/[/\\]data[/\\]/.test(path) && reads.push(how));
  const system: Partial<System> = {
    hash(path, signal) {
      note("hash", pathToRead(path));
      return real.hash(path, signal);
    },
    copy(from, to, options, signal) {
      note("copy", pathToRead(from));
      return real.copy(from, to, options, signal);
    },
    read(path, from, length) {
      note("read", pathToRead(path));
      return real.read(path, from, length);
    },
  };
  return { reads, system };
}

const ALPHA = "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8";

/** How the source was read until it was delivered, and the hash of the receipt. */
async function readsOf(options: RigOptions, prepare: (rig: OutboxRig) => void = () => {}) {
  const { reads, system } = counting();
  await using rig = await outboxRig({ ...options, system });
  prepare(rig);
  await rig.becomes("a.fits", "alpha", "delivered");
  const { state } = rig.delivery("a.fits");
  return { reads: reads.toSorted(), sha256: state.state === "delivered" ? state.receipt.sha256 : undefined };
}

Deno.test("put() does not read a source again that the method hashes while it sends", async () => {
  const once = await readsOf({}, ({ fake }) => void (fake.hashesSource = true));
  assertEquals(once, { reads: ["read"], sha256: ALPHA });
});

Deno.test("put() reads a source exactly once for its hash where the method gives none", async () => {
  assertEquals(await readsOf({}), { reads: ["hash", "read"], sha256: ALPHA });
});

Deno.test("put() has a local copy read its source once in all", async () => {
  await using there = await tempFolder();
  const once = await readsOf({ destination: { basePath: there.at("images") }, tools: { method: local } });
  assertEquals(once, { reads: ["copy"], sha256: ALPHA });
});

Deno.test("put() has no source hashed where only sizes are compared", async () => {
  for (const hashesSource of [false, true]) {
    const once = await readsOf({ destination: { verify: "size" } }, ({ fake }) => void (fake.hashesSource = hashesSource));
    assertEquals(once, { reads: ["read"], sha256: null });
  }
});

Deno.test("put() believes the method's hash of the source no more than its own: what arrived garbled is never published", async () => {
  await using rig = await outboxRig();
  rig.fake.hashesSource = true;
  rig.fake.garble = (_upload, bytes) => rig.fake.calls.put === 1 ? new TextEncoder().encode("alphX") : bytes;
  await rig.soonBecomes("a.fits", "alpha", "deferred");
  assertEquals([rig.fake.texts(), rig.delivery("a.fits").attempts], [{}, 1]);
  await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
  assertEquals(rig.fake.texts(), { "a.fits": "alpha" });
});

Deno.test("put() reads no source within the tick of its last change: a write while it is read would not show in its times", async () => {
  for (const hashesSource of [false, true]) {
    const { reads, system } = counting();
    await using rig = await outboxRig({ system, fresh: true });
    rig.fake.hashesSource = hashesSource;
    await rig.admit("a.fits", "alpha");
    const { mtimeMs } = rig.delivery("a.fits").source;
    rig.clock.jump(mtimeMs - rig.clock.now());
    rig.start();
    let firstReadAt = Infinity;
    await rig.until(
      () => {
        if (reads.length > 0) firstReadAt = Math.min(firstReadAt, rig.clock.now());
        return rig.state("a.fits") === "delivered";
      },
      "delivered",
      1,
    );
    assertEquals(firstReadAt >= mtimeMs + 12, true, `read after ${firstReadAt - mtimeMs} ms`);
  }
});
