/** Files that are sent while they grow, to a destination in memory that fails in every way. */
import { assert, assertEquals } from "@std/assert";
import type { GrowingFile } from "../../../src/domain/source_file.ts";
import { CHUNK_BYTES } from "../../../src/methods/method.ts";
import { noise } from "../../conformance/rig.ts";
import { aFailure } from "../../support/fake_method.ts";
import { type OutboxRig, outboxRig, type RigOptions } from "../outbox_rig.ts";

const CONTENT = noise(3 * CHUNK_BYTES + 1000, 3);

/** An outbox with a file that grows, of which three chunks may be sent. */
async function growingRig(options: RigOptions = {}) {
  const growing: GrowingFile[] = [];
  const rig = await outboxRig({
    ...options,
    job: { growingFiles: { minBytes: 1, marginBytes: 0, timeoutMs: 30_000 }, ...options.job },
    tools: { growing: () => growing },
  });
  const show = async (changes: Partial<GrowingFile> = {}) => {
    const absolutePath = await rig.folder.write("data/cube.ser", CONTENT);
    const facts = (await rig.tools.system.facts(absolutePath))!;
    growing.splice(0, 1, {
      path: "cube.ser",
      absolutePath,
      identity: facts.identity,
      size: facts.size,
      stalled: false,
      ...changes,
    });
  };
  /** It has grown by three chunks, which are sent. */
  const sendAhead = async () => {
    await show();
    rig.start();
    await rig.until(() => chunksThere(rig) === 3, "three chunks are there");
  };
  const finish = async () => {
    growing.splice(0);
    await rig.admit("cube.ser", CONTENT);
    rig.outbox.wake();
  };
  return { rig, show, sendAhead, finish };
}

const chunksThere = ({ outbox }: OutboxRig) => (outbox.ahead()[0]?.bytes ?? 0) / CHUNK_BYTES;

async function arrives({ fake, state, until }: OutboxRig): Promise<void> {
  await until(() => state("cube.ser") === "delivered", "it is delivered");
  const there = fake.files.get("cube.ser")?.bytes;
  assert(there?.length === CONTENT.length && there.every((byte, index) => byte === CONTENT[index]));
}

Deno.test("an outbox sends whole chunks of a growing file, and completes them when it is finished", async () => {
  const { rig, sendAhead, finish } = await growingRig();
  await using _rig = rig;
  await sendAhead();
  assertEquals(rig.fake.texts(), {});
  await finish();
  await arrives(rig);
  assertEquals(rig.fake.calls.put, 0);
  assertEquals(rig.outbox.ahead(), []);
});

Deno.test("a chunk that arrived garbled while the file grew is sent again", async () => {
  const { rig, sendAhead, finish } = await growingRig();
  await using _rig = rig;
  let garbled = false;
  rig.fake.garbleChunk = (chunk, bytes) => {
    if (garbled || chunk !== 0) return bytes;
    garbled = true;
    return bytes.map((byte, index) => index === CHUNK_BYTES + 9 ? byte ^ 1 : byte);
  };
  await sendAhead();
  await finish();
  await arrives(rig);
  assertEquals([garbled, rig.fake.calls.put], [true, 0]);
});

Deno.test("a part whose flush failed is not published: the system tells of it once, and the whole file is sent", async () => {
  const { rig, sendAhead, finish } = await growingRig();
  await using _rig = rig;
  await sendAhead();
  rig.fake.failFlushes = 1;
  await finish();
  await rig.until(() => rig.fake.failFlushes <= 0, "the flush has failed");
  await arrives(rig);
  assertEquals(rig.fake.calls.put, 1);
});

Deno.test("what arrives garbled when the file is finished is never published; then the whole file is sent, and no attempt is lost", async () => {
  const { rig, sendAhead, finish } = await growingRig();
  await using _rig = rig;
  rig.fake.garbleChunk = (chunk, bytes) => chunk === 3 ? bytes.map((byte) => byte ^ 1) : bytes;
  await sendAhead();
  await finish();
  await rig.until(() => rig.state("cube.ser") === "deferred", "it is put off");
  assertEquals(rig.fake.texts(), {});
  await arrives(rig);
  assertEquals([rig.fake.calls.put, rig.delivery("cube.ser").attempts], [1, 0]);
});

Deno.test("bytes that the source has changed since they were sent are never delivered as they were", async () => {
  const { rig, sendAhead, finish } = await growingRig();
  await using _rig = rig;
  await sendAhead();
  for (const at of [0, CHUNK_BYTES + 7, 2 * CHUNK_BYTES]) CONTENT[at]! ^= 0xff;
  await finish();
  await arrives(rig);
});

Deno.test("a file that has stopped growing is told once, and nothing more of it is sent until it grows again", async () => {
  const { rig, show, sendAhead } = await growingRig();
  await using _rig = rig;
  await sendAhead();
  await show({ stalled: true });
  await rig.until(() => rig.outbox.ahead()[0]?.stalled === true, "it is shown");
  const told = rig.events.flatMap((event) =>
    event.type === "notice" && event.message.includes("stopped growing") ? [event.message] : []
  );
  assertEquals(told, ['"cube.ser" has stopped growing: 25.2 MB of 25.2 MB were sent to nas']);
});

for (
  const [why, options] of Object.entries<RigOptions & { freeBytes?: number }>({
    "growing_files is off": { job: { growingFiles: null } },
    "only sizes are compared": { destination: { verify: "size" } },
    "it is smaller than min_size_mb": { job: { growingFiles: { minBytes: 1e9, marginBytes: 0, timeoutMs: 1 } } },
    "all of it lies within the margin": { job: { growingFiles: { minBytes: 1, marginBytes: 1e9, timeoutMs: 1 } } },
    "the free space there must stay free": { destination: { minimumFreeBytes: 1e9 }, freeBytes: 1e9 + 1e6 },
  })
) {
  Deno.test(`nothing of a growing file is sent where ${why}`, async () => {
    const { rig, show } = await growingRig(options);
    await using _rig = rig;
    rig.fake.freeBytes = options.freeBytes ?? null;
    await show();
    rig.start();
    await rig.until(() => rig.fake.calls.attach > 0, "it is connected");
    for (let turn = 0; turn < 20; turn++) await rig.clock.advance(500);
    assertEquals(chunksThere(rig), 0);
  });
}

Deno.test("after an outage the next session goes on with the whole chunks that are there", async () => {
  const { rig, sendAhead, finish } = await growingRig();
  await using _rig = rig;
  await sendAhead();
  let isAway = true;
  rig.fake.before = () => {
    if (isAway) throw aFailure("interrupted");
  };
  rig.outbox.attachAgain();
  await rig.until(() => rig.outbox.state().state === "backing_off", "the outage is noticed");
  isAway = false;
  await finish();
  await arrives(rig);
  assertEquals(rig.fake.calls.put, 0);
});
