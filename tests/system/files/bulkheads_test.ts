import { assertEquals } from "@std/assert";
import { createBulkheads } from "../../../src/system/files/bulkheads.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { tempFolder } from "../../support/temp.ts";

/** Work that ends when it is told to. */
function hanging() {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  return {
    begun,
    work: (name: string) => () => {
      begun.push(name);
      return new Promise<string>((resolve) => ends.push(() => resolve(name)));
    },
    async endOne() {
      ends.shift()?.();
      await new Promise((resolve) => setTimeout(resolve));
    },
  };
}

Deno.test("createApart() gives a folder its share, and the others theirs", async () => {
  const { setBulkheads, run } = createBulkheads(8);
  setBulkheads(["/nas", "/images"]);
  const { begun, work, endOne } = hanging();
  const dead = ["a", "b", "c", "d", "e"].map((name) => run(`/nas/${name}`, work(name)));
  assertEquals(begun, ["a", "b", "c"]);
  assertEquals(await run("/images/x", () => Promise.resolve("x")), "x");
  assertEquals(await run("/nas2/y", () => Promise.resolve("y")), "y");
  assertEquals(await run("/elsewhere", () => Promise.resolve("z")), "z");
  await endOne();
  assertEquals(await dead[0], "a");
  assertEquals(begun, ["a", "b", "c", "d"]);
  for (let left = 4; left > 0; left--) await endOne();
  assertEquals(await Promise.all(dead), ["a", "b", "c", "d", "e"]);
});

Deno.test("createApart() gives the place back when the work fails", async () => {
  const { setBulkheads, run } = createBulkheads(4);
  setBulkheads(["/nas"]);
  for (let n = 0; n < 10; n++) await run("/nas", () => Promise.reject(new Error("broken"))).catch(() => undefined);
  assertEquals(await run("/nas", () => Promise.resolve("done")), "done");
});

Deno.test("createApart() knows a folder in another, and takes what is named anew", async () => {
  const { setBulkheads, run } = createBulkheads(4);
  setBulkheads(["/data", "/data/nas"]);
  const { begun, work, endOne } = hanging();
  const dead = ["a", "b", "c"].map((name) => run("/data/nas/x", work(name)));
  assertEquals(begun, ["a", "b"]);
  assertEquals(await run("/data/y", () => Promise.resolve("y")), "y");
  setBulkheads(["/data/nas"]);
  for (let left = 3; left > 0; left--) await endOne();
  assertEquals(await Promise.all(dead), ["a", "b", "c"]);
  assertEquals(begun, ["a", "b", "c"]);
});

Deno.test({
  name: "a disk that does not answer leaves the others alone: more calls hang than the runtime has threads",
  // Before 2.9, Deno waits in its own thread for somebody to open the other end.
  ignore: Deno.build.os === "windows" || /^2\.[0-8]\./.test(Deno.version.deno),
  async fn() {
    await using dir = await tempFolder();
    const system = createSystem();
    const never = new AbortController().signal;
    await system.makeFolder(dir.at("dead"));
    await dir.write("alive/file", "content");
    system.setBulkheads([dir.at("dead"), dir.at("alive")]);
    // Nobody writes into these: whoever opens one waits.
    const names = Array.from({ length: 60 }, (_, index) => dir.at("dead", `${index}`));
    await system.run({ program: "mkfifo", args: names }, never);
    const hung = names.map((name) => system.hash(name, never));
    assertEquals(new TextDecoder().decode(await system.read(dir.at("alive/file"), 0, 100)), "content");
    assertEquals((await system.list(dir.at("alive"))).entries.length, 1);
    // A writer that comes and goes lets them end.
    await system.run({ program: "sh", args: ["-c", 'for f; do : > "$f"; done', "sh", ...names] }, never);
    assertEquals((await Promise.all(hung)).every(({ bytes }) => bytes === 0), true);
    system.setBulkheads([]);
  },
});

Deno.test("readSource() keeps no place of its disk while its bytes wait for a line: others can read on", async () => {
  await using dir = await tempFolder();
  const system = createSystem();
  const never = new AbortController().signal;
  const paths = await Promise.all(Array.from({ length: 40 }, (_, index) => dir.write(`disk/${index}`, "content")));
  system.setBulkheads([dir.at("disk")]);
  const line = Promise.withResolvers<void>();
  const begun = paths.map((path) => {
    const reading = Promise.withResolvers<void>();
    const sent = system.readSource(path, async (source) => {
      for await (const _piece of source.read(Infinity)) reading.resolve();
      await line.promise;
      return source.sha256();
    }, never);
    return { reading: reading.promise, sent };
  });
  try {
    await Promise.all(begun.map(({ reading }) => reading));
    assertEquals((await system.readSmall(paths[0]!, null, never))?.content.length, "content".length);
  } finally {
    line.resolve();
    system.setBulkheads([]);
  }
  assertEquals(new Set(await Promise.all(begun.map(({ sent }) => sent))).size, 1);
});
