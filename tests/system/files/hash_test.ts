import { CHUNK_BYTES } from "../../../src/system/files/hash.ts";
import { createHash } from "node:crypto";
import { assertEquals, assertRejects } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import { tempFolder } from "../../support/temp.ts";

const system = createSystem();
const never = new AbortController().signal;
const MIB = 1024 * 1024;

/** Bytes that differ from buffer to buffer. */
function content(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 12)) & 0xff);
}

for (const length of [0, 1, 2880, MIB - 1, MIB, MIB + 1, 3 * MIB + 7]) {
  Deno.test(`hash() of ${length} bytes is what the bytes say`, async () => {
    await using dir = await tempFolder();
    const bytes = content(length);
    const path = await dir.write("file", bytes);
    let told = 0;
    const digest = await system.hash(path, never, (count) => told += count);
    assertEquals(digest, { bytes: length, sha256: createHash("sha256").update(bytes).digest("hex") });
    assertEquals(told, length);
  });
}

Deno.test("hash() of many files at once does not mix up its buffers", async () => {
  await using dir = await tempFolder();
  const files = await Promise.all(Array.from({ length: 12 }, async (_, number) => {
    const bytes = content(2 * MIB + number * 1000).fill(number, MIB);
    return { path: await dir.write(`f${number}`, bytes), sha256: createHash("sha256").update(bytes).digest("hex") };
  }));
  const digests = await Promise.all(files.map(({ path }) => system.hash(path, never)));
  assertEquals(digests.map(({ sha256 }) => sha256), files.map(({ sha256 }) => sha256));
});

Deno.test("hash() stops between pieces when it is aborted", async () => {
  await using dir = await tempFolder();
  const path = await dir.write("file", content(8 * MIB));
  const stop = new AbortController();
  let told = 0;
  await assertRejects(
    () =>
      system.hash(path, stop.signal, (count) => {
        told += count;
        stop.abort(new Error("enough"));
      }),
    Error,
    "enough",
  );
  assertEquals(told, CHUNK_BYTES);
});

Deno.test("hash() throws NotFound as it is", async () => {
  await using dir = await tempFolder();
  await assertRejects(() => system.hash(dir.at("nothing"), never), Deno.errors.NotFound);
});
