import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import type { PathFacts } from "../../../src/system/system.ts";
import { createBatching, SHORT_BYTES } from "../../../src/system/files/batching.ts";
import { files } from "../../../src/system/files/files.ts";
import { hash } from "../../../src/system/files/hash.ts";
import { tempFolder } from "../../support/temp.ts";

// The Worker ends some seconds after the last look: it does not belong to one test.
const keeps = { sanitizeOps: false, sanitizeResources: false };
const MANY = 400;
const never = (): never => {
  throw new Error("the call was made directly");
};

async function filesOf(folder: { at(name: string): string }, count: number): Promise<string[]> {
  const paths = Array.from({ length: count }, (_, index) => folder.at(`file ${index}`));
  for (const [index, path] of paths.entries()) await Deno.writeTextFile(path, `content ${index}`);
  return paths;
}

Deno.test("batching: many looks at once find what each alone would find", keeps, async () => {
  await using folder = await tempFolder();
  const paths = await filesOf(folder, MANY);
  const batching = createBatching();
  const found = await Promise.all(paths.map((path) => batching.facts(path, never)));
  for (const [index, facts] of found.entries()) {
    const info = await Deno.lstat(paths[index]!);
    assertEquals(facts?.size, info.size);
    assertEquals(facts?.mtimeMs, info.mtime?.getTime());
    assertEquals(facts?.identity, `${info.dev}:${info.ino}`);
  }
  const digests = await Promise.all(paths.map((path) => batching.hash(path, never)));
  digests.forEach((digest, index) => assertEquals(digest.sha256, createHash("sha256").update(`content ${index}`).digest("hex")));
  const pieces = await Promise.all(paths.map((path) => batching.read(path, 8, SHORT_BYTES, never)));
  pieces.forEach((piece, index) => assertEquals(new TextDecoder().decode(piece), String(index)));
});

Deno.test("batching: what is missing is null, what cannot be read fails alone, with the class of its error", keeps, async () => {
  await using folder = await tempFolder();
  const paths = await filesOf(folder, MANY);
  await Deno.symlink("nowhere", folder.at("link"));
  const batching = createBatching();
  const all = [...paths, folder.at("missing"), folder.at("file 1/below"), folder.at("link")];
  const facts = await Promise.all(all.map((path) => batching.facts(path, never)));
  assertEquals(facts.slice(MANY).map((found) => found?.kind ?? null), [null, null, "symlink"]);
  const followed = await Promise.all(all.map((path) => batching.followedFacts(path, never)));
  assertEquals(followed.slice(MANY), [null, null, null]);
  const reads = await Promise.allSettled(all.map((path) => batching.read(path, 0, 1, never)));
  assertEquals(reads.filter(({ status }) => status === "rejected").length, 3);
  await Promise.all([
    ...paths.map((path) => batching.hash(path, never)),
    assertRejects(() => batching.hash(folder.at("missing"), never), Deno.errors.NotFound),
  ]);
});

Deno.test("batching: a large file is hashed directly", keeps, async () => {
  await using folder = await tempFolder();
  const paths = await filesOf(folder, MANY);
  const large = folder.at("large");
  await Deno.writeFile(large, new Uint8Array(1024 * 1024));
  const batching = createBatching();
  const signal = new AbortController().signal;
  const [digest] = await Promise.all([
    batching.hash(large, () => hash(large, signal)),
    ...paths.map((path) => batching.hash(path, never)),
  ]);
  assertEquals(digest, await hash(large, signal));
});

Deno.test("batching: a few are made directly and start no Worker", async () => {
  const batching = createBatching();
  const plain: PathFacts = {
    kind: "file",
    size: 7,
    mtimeMs: 0,
    ctimeMs: 0,
    mode: 0,
    bornMs: 0,
    links: 1,
    identity: "",
    device: "",
  };
  const found = await Promise.all(Array.from({ length: 20 }, () => batching.facts("/", () => Promise.resolve(plain))));
  assert(found.every((facts) => facts === plain));
});

Deno.test("batching: files.hash() tells an aborted caller so, many or few", keeps, async () => {
  await using folder = await tempFolder();
  const paths = await filesOf(folder, MANY);
  const reason = new Error("no longer wanted");
  const signal = AbortSignal.abort(reason);
  const ends = await Promise.allSettled(paths.map((path) => files.hash(path, signal)));
  assert(ends.every((end) => end.status === "rejected" && end.reason === reason));
});

Deno.test({
  name: "batching: what was asked together with a dead disk is found all the same",
  ignore: Deno.build.os === "windows",
  ...keeps,
  async fn() {
    await using folder = await tempFolder();
    const paths = await filesOf(folder, MANY);
    // To open a pipe that nobody writes to lasts as long as a call to a dead network drive: for ever.
    const pipe = folder.at("pipe");
    assert((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
    const batching = createBatching({ longSilenceMs: 50 });
    let answered = false;
    const dead = batching.read(pipe, 0, 1, () => new Promise(() => {})).finally(() => answered = true);
    const found = await Promise.all(paths.map((path) => batching.facts(path, () => files.facts(path))));
    assertEquals([found.every((facts) => facts?.kind === "file"), answered], [true, false]);
    await Deno.writeTextFile(pipe, "x");
    assertEquals(await dead, new TextEncoder().encode("x"));
  },
});
