import { CHUNK_BYTES } from "../../../src/system/files/hash.ts";
import { createHash } from "node:crypto";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";

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

// The Workers end some seconds after the last call: they do not belong to one test.
const keeps = { sanitizeOps: false, sanitizeResources: false };

async function largeFile(folder: TempFolder, name: string, bytes: number): Promise<string> {
  const path = folder.at(name);
  using file = await Deno.open(path, { write: true, create: true });
  await file.write(new TextEncoder().encode(name));
  await file.truncate(bytes);
  return path;
}

Deno.test("hash() of large files is what the bytes say, also of more of them than there are Workers", keeps, async () => {
  await using folder = await tempFolder();
  const bytes = 70 * 1024 * 1024 + 5;
  const paths = await Promise.all(Array.from({ length: 6 }, (_, index) => largeFile(folder, `large ${index}`, bytes)));
  const told = paths.map(() => 0);
  const digests = await Promise.all(paths.map((path, index) => system.hash(path, never, (more) => told[index]! += more)));
  const expected = await Promise.all(paths.map(wholeHash));
  assertEquals(digests, expected.map((sha256) => ({ bytes, sha256 })));
  assertEquals(told, paths.map(() => bytes));
});

Deno.test("hash() of a large file stops when it is aborted, and the next one is not mixed up with it", keeps, async () => {
  await using folder = await tempFolder();
  const bytes = 300 * 1024 * 1024;
  const path = await largeFile(folder, "large", bytes);
  const stopping = new AbortController();
  let told = 0;
  await assertRejects(
    () =>
      system.hash(path, stopping.signal, (more) => {
        told += more;
        stopping.abort(new Error("enough"));
      }),
    Error,
    "enough",
  );
  assert(told > 0 && told < bytes, `${told}`);
  assertEquals((await system.hash(path, never)).sha256, await wholeHash(path));
});

async function wholeHash(path: string): Promise<string> {
  return createHash("sha256").update(await Deno.readFile(path)).digest("hex");
}

const CHUNK = 64 * 1024;
const shaOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const chunksIn = (bytes: Uint8Array) =>
  Array.from({ length: Math.ceil(bytes.length / CHUNK) }, (_, chunk) => bytes.subarray(chunk * CHUNK, (chunk + 1) * CHUNK));

for (const length of [0, 1, CHUNK / 8, CHUNK, 2 * CHUNK + CHUNK / 8, 3 * CHUNK - 1, 40 * CHUNK + 7]) {
  Deno.test(`hashWithChunks() of ${length} bytes tells the hash of all and of each chunk`, keeps, async () => {
    await using folder = await tempFolder();
    const bytes = content(length);
    const path = await folder.write("file", bytes);
    assertEquals(await system.hashWithChunks(path, CHUNK, never), {
      bytes: length,
      sha256: shaOf(bytes),
      chunks: chunksIn(bytes).map(shaOf),
    });
  });
}

Deno.test("hashWithChunks() of several files at once, in fewer Workers, does not mix them up", keeps, async () => {
  await using folder = await tempFolder();
  const files = Array.from({ length: 6 }, (_, number) => content(20 * CHUNK + number * 1000).fill(number, 10 * CHUNK));
  const paths = await Promise.all(files.map((bytes, number) => folder.write(`f${number}`, bytes)));
  const digests = await Promise.all(paths.map((path) => system.hashWithChunks(path, CHUNK, never)));
  assertEquals(
    digests.map(({ sha256, chunks }) => ({ sha256, chunks })),
    files.map((bytes) => ({ sha256: shaOf(bytes), chunks: chunksIn(bytes).map(shaOf) })),
  );
});

Deno.test("hashWithChunks() stops when it is aborted, and throws what keeps the file from being read", keeps, async () => {
  await using folder = await tempFolder();
  await assertRejects(() => system.hashWithChunks(folder.at("nothing"), CHUNK, never), Deno.errors.NotFound);
  const stopping = new AbortController();
  const hashing = system.hashWithChunks(await largeFile(folder, "large", 100 * MIB), CHUNK, stopping.signal);
  stopping.abort(new Error("enough"));
  await assertRejects(() => hashing, Error, "enough");
});
