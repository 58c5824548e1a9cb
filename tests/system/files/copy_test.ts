import { bucket, pace } from "../../../src/async/pace.ts";
import { createHash } from "node:crypto";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { writeAll } from "../../../src/system/files/hash.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { needs } from "../../support/needs.ts";
import { mountSmallDisk } from "../../support/small_disk.ts";
import { tempFolder } from "../../support/temp.ts";

const system = createSystem();
const never = new AbortController().signal;
const MIB = 1024 * 1024;

function content(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 17 + (at >> 10)) & 0xff);
}
function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

Deno.test("copy() writes the same bytes and gives their digest", async () => {
  await using dir = await tempFolder();
  const bytes = content(3 * MIB + 5);
  const source = await dir.write("source", bytes);
  const digest = await system.copy(source, dir.at("copy"), {}, never);
  assertEquals(digest, { bytes: bytes.length, sha256: sha256(bytes) });
  assertEquals(await Deno.readFile(dir.at("copy")), bytes);
});

Deno.test("copy() of an empty file makes an empty file", async () => {
  await using dir = await tempFolder();
  const source = await dir.write("source", "");
  assertEquals((await system.copy(source, dir.at("copy"), {}, never)).bytes, 0);
  assertEquals((await system.facts(dir.at("copy")))?.size, 0);
});

Deno.test("copy() does not write into a file that is there, nor through a symlink", async () => {
  await using dir = await tempFolder();
  const source = await dir.write("source", "new");
  await dir.write("victim", "old");
  await system.symlink("victim", dir.at("link"));
  for (const target of ["victim", "link"]) {
    await assertRejects(() => system.copy(source, dir.at(target), {}, never), Deno.errors.AlreadyExists);
  }
  await assertRejects(() => system.copy(source, dir.at("link"), { from: 1 }, never), Deno.errors.InvalidData);
  assertEquals(await dir.read("victim"), "old");
});

Deno.test("copy() continues behind what stands there, cuts off what is too much, and hashes all of the source", async () => {
  await using dir = await tempFolder();
  const bytes = content(2 * MIB + 100);
  const source = await dir.write("source", bytes);
  const from = MIB + 50;
  await dir.write("copy", new Uint8Array([...bytes.subarray(0, from), ...new Uint8Array(3 * MIB)]));
  let told = 0;
  const digest = await system.copy(source, dir.at("copy"), { from, onBytes: (count) => told += count }, never);
  assertEquals(digest, { bytes: bytes.length, sha256: sha256(bytes) });
  assertEquals(await Deno.readFile(dir.at("copy")), bytes);
  assertEquals(told, bytes.length - from);
});

Deno.test("copy() copies no more than it should of a file that grows", async () => {
  await using dir = await tempFolder();
  const bytes = content(3 * MIB);
  const source = await dir.write("source", bytes);
  const most = MIB + 1;
  const expected = { bytes: most, sha256: sha256(bytes.subarray(0, most)) };
  assertEquals(await system.copy(source, dir.at("copy"), { most }, never), expected);
  assertEquals(await Deno.readFile(dir.at("copy")), bytes.subarray(0, most));
  assertEquals(await system.copy(source, dir.at("copy"), { from: 1000, most }, never), expected);
  assertEquals(await Deno.readFile(dir.at("copy")), bytes.subarray(0, most));
});

Deno.test("copy() refuses to continue behind bytes that are not there", async () => {
  await using dir = await tempFolder();
  const source = await dir.write("source", content(100));
  await dir.write("short", content(10));
  await dir.write("long", content(500));
  await assertRejects(() => system.copy(source, dir.at("short"), { from: 50 }, never), Deno.errors.InvalidData);
  await assertRejects(() => system.copy(source, dir.at("long"), { from: 200 }, never), Deno.errors.InvalidData);
});

Deno.test("copy() that is aborted leaves its partial, and continuing makes it whole", async () => {
  await using dir = await tempFolder();
  const bytes = content(6 * MIB);
  const source = await dir.write("source", bytes);
  const stop = new AbortController();
  await assertRejects(
    () => system.copy(source, dir.at("copy"), { onBytes: () => stop.abort(new Error("cut")) }, stop.signal),
    Error,
    "cut",
  );
  const from = (await system.facts(dir.at("copy")))?.size ?? 0;
  assert(from > 0 && from < bytes.length, `partial of ${from} bytes`);
  await system.copy(source, dir.at("copy"), { from }, never);
  assertEquals(await Deno.readFile(dir.at("copy")), bytes);
});

Deno.test("copy() keeps to a bandwidth limit", async () => {
  await using dir = await tempFolder();
  const source = await dir.write("source", content(200_000));
  const began = system.monotonic();
  await system.copy(source, dir.at("copy"), { pace: pace(bucket(() => 400_000, system)) }, never);
  const took = system.monotonic() - began;
  assert(took >= 450, `half a second's worth took ${took} ms`);
});

Deno.test("copy() onto a full disk throws and leaves what fitted", needs("root"), async () => {
  await using dir = await tempFolder();
  const source = await dir.write("source", content(3 * MIB));
  await using disk = await mountSmallDisk(dir.at("disk"), 2);
  await assertRejects(() => system.copy(source, `${disk.path}/copy`, {}, never), Error, "No space left");
  assertEquals((await system.facts(`${disk.path}/copy`))?.size, 2 * MIB);
});

Deno.test("writeAll() writes on when a write takes only a part", async () => {
  const taken: number[] = [];
  const stingy = {
    write(data: Uint8Array): Promise<number> {
      taken.push(...data.subarray(0, 3));
      return Promise.resolve(Math.min(3, data.length));
    },
  };
  await writeAll(stingy, new Uint8Array([1, 2, 3, 4, 5, 6, 7]));
  assertEquals(taken, [1, 2, 3, 4, 5, 6, 7]);
});
