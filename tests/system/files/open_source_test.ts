import type { ToRead } from "../../../src/domain/source_file.ts";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import { faultOf } from "../../../src/system/fault.ts";
import type { Files } from "../../../src/system/system.ts";
import { exchanging } from "../../support/exchanger.ts";
import { tempFolder } from "../../support/temp.ts";

const system: Files = createSystem();
const never = new AbortController().signal;
const OWN = "own ".repeat(20_000);
const SECRET = "root".repeat(20_000);
const CHUNK_BYTES = 8 * 1024;

/** Every call that reads a source; each gives what shows which file was read. */
const READS: Readonly<Record<string, (from: ToRead, copy: string) => Promise<unknown>>> = {
  "read() of a little": async (from) => new TextDecoder().decode(await system.read(from, 40, 4)),
  "read() of more": async (from) => new TextDecoder().decode((await system.read(from, 0, 60_000)).subarray(59_996)),
  hash: async (from) => (await system.hash(from, never)).sha256,
  "hash with progress": async (from) => (await system.hash(from, never, () => {})).sha256,
  readSmall: async (from) => (await system.readSmall(from, null, never))?.sha256,
  readSource: (from) =>
    system.readSource(from, async (reader) => {
      for await (const _piece of reader.read(Infinity)) continue;
      return reader.sha256();
    }, never),
  copy: async (from, copy) => {
    await system.remove(copy);
    return (await system.copy(from, copy, { flush: false }, never)).sha256;
  },
  hashWithChunks: async (from) => (await system.hashWithChunks(from, CHUNK_BYTES, never)).sha256,
};

/** A source in a folder beside a link that leads to another file of that name. */
async function makeSource() {
  const dir = await tempFolder();
  const path = await dir.write("watched/night/a.fits", OWN);
  await dir.write("secret/a.fits", SECRET);
  await Deno.symlink(dir.at("secret"), dir.at("watched/link"));
  const { size, mtimeMs, identity } = (await system.facts(path))!;
  await Deno.utime(dir.at("secret/a.fits"), new Date(), new Date(mtimeMs));
  const source = { absolutePath: path, size, mtimeMs, identity };
  return { source, dir, copy: dir.at("copy"), [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

for (const [name, reads] of Object.entries(READS)) {
  Deno.test(`${name}: reads the file that was found, never one that takes its place by an exchanged folder`, {
    ignore: Deno.build.os !== "linux",
  }, async () => {
    await using made = await makeSource();
    const { source, dir, copy } = made;
    const own = await reads(source, copy);
    await using _exchanging = await exchanging(dir.at("watched"), [["night", "link"]]);
    let refused = 0;
    for (let tries = 0; tries < 100 || (refused === 0 && tries < 10_000); tries++) {
      try {
        assertEquals(await reads(source, copy), own);
      } catch (error) {
        if (faultOf(error) !== "changed") throw error;
        refused += 1;
      }
    }
    assert(refused > 0);
  });

  Deno.test(
    `${name}: a FIFO in place of a file is refused, and nobody waits for it`,
    { ignore: Deno.build.os === "windows" },
    async () => {
      await using made = await makeSource();
      const { source, copy } = made;
      await Deno.remove(source.absolutePath);
      assert((await new Deno.Command("mkfifo", { args: [source.absolutePath] }).output()).success);
      assertEquals(faultOf(await assertRejects(() => reads(source, copy))), "changed");
    },
  );
}

Deno.test("hash() of many files at once and bulkFiles() read the files that were found", async () => {
  await using made = await makeSource();
  const { source, dir } = made;
  const wrong = { ...source, mtimeMs: source.mtimeMs + 1 };
  const hashed = await Promise.allSettled(
    Array.from({ length: 200 }, (_, index) => system.hash(index % 2 ? source : wrong, never)),
  );
  assertEquals(hashed.filter(({ status }) => status === "fulfilled").length, 100);
  for (const one of hashed) if (one.status === "rejected") assertEquals(faultOf(one.reason), "changed");
  using bulk = system.bulkFiles();
  const copies = Array.from({ length: 64 }, (_, index) => ({
    ...{ from: index % 2 ? source : wrong, to: dir.at(`copy-${index}`), mtimeMs: null, withMode: false, most: Infinity },
  }));
  const copied = await bulk.copy(copies, () => {}, never);
  assertEquals(copied.map((one) => one !== null), copies.map((_, index) => index % 2 === 1));
});
