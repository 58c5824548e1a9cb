import { assert, assertEquals, assertGreaterOrEqual, assertRejects } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import { needs } from "../../support/needs.ts";
import { mountSmallDisk } from "../../support/small_disk.ts";
import { tempFolder } from "../../support/temp.ts";

const system = createSystem();
const POSIX = system.platform !== "windows";

Deno.test("facts() tells kind, size, time in milliseconds, mode and identity", async () => {
  await using dir = await tempFolder();
  const path = await dir.write("a.fits", "12345");
  await system.setTimes(path, 1_700_000_000_123);
  await system.setMode(path, 0o640);
  const facts = await system.facts(path);
  assertEquals([facts?.kind, facts?.size, facts?.mtimeMs, facts?.mode], ["file", 5, 1_700_000_000_123, POSIX ? 0o640 : 0]);
  const { dev, ino } = await Deno.stat(path);
  assertEquals([facts?.identity, facts?.device], [`${dev}:${ino}`, `${dev}`]);
});

Deno.test("facts() does not follow a symlink, followedFacts() does", async () => {
  await using dir = await tempFolder();
  await dir.write("a.fits", "12345");
  await system.symlink("a.fits", dir.at("link"));
  assertEquals((await system.facts(dir.at("link")))?.kind, "symlink");
  assertEquals((await system.followedFacts(dir.at("link")))?.size, 5);
});

Deno.test("facts() is null where there is nothing, also below a file or at the end of a dead symlink", async () => {
  await using dir = await tempFolder();
  await dir.write("file", "");
  await system.symlink("nowhere", dir.at("dead"));
  assertEquals(await system.facts(dir.at("nothing")), null);
  assertEquals(await system.facts(dir.at("file", "below")), null);
  assertEquals(await system.followedFacts(dir.at("dead")), null);
});

Deno.test("a file that replaces another has another identity", async () => {
  await using dir = await tempFolder();
  const path = await dir.write("a", "1");
  const before = await system.facts(path);
  await dir.write("b", "1");
  await system.rename(dir.at("b"), path);
  assert((await system.facts(path))?.identity !== before?.identity);
});

Deno.test("list() gives all entries of a folder with their facts", async () => {
  await using dir = await tempFolder();
  for (let number = 0; number < 600; number++) await dir.write(`f${number}.fits`, "x".repeat(number % 7));
  await dir.write("folder/inside", "");
  await system.symlink("folder", dir.at("link"));
  const { entries, unreadable } = await system.list(dir.path);
  assertEquals([entries.length, unreadable], [602, []]);
  const kinds = new Map(entries.map(({ name, facts }) => [name, facts.kind]));
  assertEquals([kinds.get("f599.fits"), kinds.get("folder"), kinds.get("link")], ["file", "folder", "symlink"]);
  assertEquals(entries.find(({ name }) => name === "f6.fits")?.facts.size, 6);
});

Deno.test({
  name: "list() goes on after an entry that cannot be looked at",
  ignore: system.platform !== "linux",
  async fn() {
    await using dir = await tempFolder();
    // Nobody may look at a path of more than 4095 bytes.
    const script = `import os,sys
os.chdir(sys.argv[1])
for level in range(16):
  os.mkdir('d' * 250); os.chdir('d' * 250)
for name in ['a', 'b' * 100]: open(name, 'w').close()`;
    await system.run({ program: "python3", args: ["-c", script, dir.path] }, new AbortController().signal);
    const { entries, unreadable } = await system.list(dir.at(...Array(16).fill("d".repeat(250))));
    assertEquals(entries.map(({ name }) => name), ["a"]);
    assertEquals(unreadable, [{ name: "b".repeat(100), reason: "File name too long" }]);
  },
});

Deno.test("read() gives a part of a file, and less at its end", async () => {
  await using dir = await tempFolder();
  const path = await dir.write("a", "0123456789");
  const text = async (offset: number, length: number) => new TextDecoder().decode(await system.read(path, offset, length));
  assertEquals(await text(0, 3), "012");
  assertEquals(await text(7, 100), "789");
  assertEquals(await text(50, 4), "");
});

Deno.test("remove() and removeTree() are content when nothing is there", async () => {
  await using dir = await tempFolder();
  await dir.write("tree/a/b", "");
  await system.remove(dir.at("nothing"));
  await system.removeTree(dir.at("tree"));
  await system.removeTree(dir.at("tree"));
  assertEquals(await system.facts(dir.at("tree")), null);
});

Deno.test("remove() takes a symlink, not what it leads to", async () => {
  await using dir = await tempFolder();
  await dir.write("target/file", "kept");
  await system.symlink("target", dir.at("link"));
  await system.removeTree(dir.at("link"));
  assertEquals(await dir.read("target/file"), "kept");
});

Deno.test("link() throws rather than replace", async () => {
  await using dir = await tempFolder();
  const [one, other] = [await dir.write("one", "1"), await dir.write("other", "2")];
  await assertRejects(() => system.link(one, other), Deno.errors.AlreadyExists);
  assertEquals(await dir.read("other"), "2");
});

Deno.test("makeFolder() makes parents and is content with a folder that is there", async () => {
  await using dir = await tempFolder();
  await system.makeFolder(dir.at("a", "b", "c"), 0o750);
  await system.makeFolder(dir.at("a", "b", "c"));
  const facts = await system.facts(dir.at("a", "b", "c"));
  assertEquals([facts?.kind, facts?.mode], ["folder", POSIX ? 0o750 : 0]);
});

Deno.test("makeInside() makes one folder, tells whether it was it, and never makes its parent", async () => {
  await using dir = await tempFolder();
  assertEquals(await system.makeInside(dir.at("a"), 0o750), true);
  assertEquals(await system.makeInside(dir.at("a"), 0o700), false);
  const facts = await system.facts(dir.at("a"));
  assertEquals([facts?.kind, facts?.mode], ["folder", POSIX ? 0o750 : 0]);
  await assertRejects(() => system.makeInside(dir.at("b", "c")), Deno.errors.NotFound);
  assertEquals(await system.facts(dir.at("b")), null);
});

Deno.test("writeText() replaces the whole text, keeps to the mode and leaves nothing beside it", async () => {
  await using dir = await tempFolder();
  const path = await dir.write("control.json", "a much longer former text");
  await system.writeText(path, "new ü", 0o600);
  assertEquals(await system.readText(path), "new ü");
  assertEquals((await system.facts(path))?.mode, POSIX ? 0o600 : 0);
  assertEquals((await system.list(dir.path)).entries.map(({ name }) => name), ["control.json"]);
});

Deno.test("writeText() on a full disk keeps the former text and leaves nothing beside it", needs("root"), async () => {
  await using dir = await tempFolder();
  await using disk = await mountSmallDisk(dir.at("disk"), 1);
  const path = `${disk.path}/settings`;
  await system.writeText(path, "former");
  await assertRejects(() => system.writeText(path, "x".repeat(2 * 1024 * 1024)));
  assertEquals(await system.readText(path), "former");
  assertEquals((await system.list(disk.path)).entries.length, 1);
});

Deno.test("sync() takes files and folders, and throws where nothing is", async () => {
  await using dir = await tempFolder();
  await system.sync(await dir.write("a", "1"));
  await system.sync(dir.path);
  await assertRejects(() => system.sync(dir.at("nothing")), Deno.errors.NotFound);
});

Deno.test("space() tells the free bytes and the device of a small disk", needs("root"), async () => {
  await using dir = await tempFolder();
  await using disk = await mountSmallDisk(dir.at("disk"), 8);
  const empty = await system.space(disk.path);
  await Deno.writeFile(`${disk.path}/file`, new Uint8Array(4 * 1024 * 1024));
  const half = await system.space(disk.path);
  assertGreaterOrEqual(8 * 1024 * 1024, empty.freeBytes);
  assertEquals(empty.freeBytes - half.freeBytes, 4 * 1024 * 1024);
  assert(empty.device !== (await system.space(dir.path)).device);
});
