import { assert, assertEquals, assertRejects } from "@std/assert";
import { bulkFiles } from "../../../src/system/files/bulk.ts";
import { hash } from "../../../src/system/files/hash.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";

const signal = new AbortController().signal;
const MANY = 200;
const MTIME = 1_700_000_000_000;
const GB = 1e9;

async function filesOf(folder: TempFolder, count: number): Promise<string[]> {
  const paths = Array.from({ length: count }, (_, index) => folder.at(`file ${index}`));
  for (const [index, path] of paths.entries()) await Deno.writeTextFile(path, "x".repeat(index));
  return paths;
}

const copyOf = (from: string) => ({ from, to: `${from}.copy`, mtimeMs: MTIME, withMode: true, most: MANY });

Deno.test("bulkFiles() copies, hashes and names many files", async () => {
  await using folder = await tempFolder();
  using bulk = bulkFiles();
  const paths = await filesOf(folder, MANY);
  await Deno.chmod(paths[7]!, 0o640);
  const told = new Map<number, number>();
  const copied = await bulk.copy(paths.map(copyOf), (index, bytes) => told.set(index, bytes), signal);
  const expected = await Promise.all(paths.map((path) => hash(path, signal)));
  assertEquals(copied, expected);
  assertEquals([...told], expected.map(({ bytes }, index) => [index, bytes]));
  assertEquals(await bulk.hash(paths.map((path) => copyOf(path).to), signal), expected);
  const { mode, mtime } = await Deno.stat(copyOf(paths[7]!).to);
  assertEquals([mode! & 0o777, mtime?.getTime()], [0o640, MTIME]);
  const names = paths.map((path) => ({ file: copyOf(path).to, name: `${path}.named`, mode: 0o600 }));
  assertEquals(await bulk.name(names, signal), paths.map(() => true));
  for (const { file, name } of names) {
    await assertRejects(() => Deno.lstat(file), Deno.errors.NotFound);
    assertEquals((await Deno.stat(name)).mode! & 0o777, 0o600);
  }
});

Deno.test("bulkFiles() leaves what is at fault as it was, and does the rest", async () => {
  await using folder = await tempFolder();
  using bulk = bulkFiles();
  const paths = await filesOf(folder, MANY);
  const [gone, taken, kept] = [paths[3]!, paths[5]!, paths[9]!];
  await Deno.remove(gone);
  await Deno.writeTextFile(`${taken}.copy`, "another");
  const folderThere = { from: folder.path, to: folder.at("of a folder"), mtimeMs: null, withMode: false, most: 1 };
  const copied = await bulk.copy([...paths.map(copyOf), folderThere], () => {}, signal);
  assertEquals(copied.flatMap((digest, index) => digest === null ? [index] : []), [3, 5, MANY]);
  assertEquals(await Deno.readTextFile(`${taken}.copy`), "another");
  await assertRejects(() => Deno.lstat(folder.at("of a folder")), Deno.errors.NotFound);
  await Deno.writeTextFile(`${kept}.named`, "another");
  const named = await bulk.name(paths.map((path) => ({ file: `${path}.copy`, name: `${path}.named`, mode: null })), signal);
  assertEquals(named.flatMap((is, index) => is ? [] : [index]), [3, 9]);
  assertEquals(await Deno.readTextFile(`${kept}.named`), "another");
  assertEquals(await Deno.readTextFile(`${kept}.copy`), "x".repeat(9));
});

Deno.test("bulkFiles() copies no more than it should of a file that grew", async () => {
  await using folder = await tempFolder();
  using bulk = bulkFiles();
  const paths = await filesOf(folder, MANY);
  await Deno.truncate(paths[3]!, 10 * GB);
  const copied = await bulk.copy(paths.map(copyOf), () => {}, signal);
  assertEquals(copied.map((digest) => digest?.bytes), paths.map((_, index) => index === 3 ? MANY : index));
  assertEquals((await Deno.stat(copyOf(paths[3]!).to)).size, MANY);
});

Deno.test("bulkFiles() ends the copy under way once the signal is aborted, and removes what it has copied", async () => {
  await using folder = await tempFolder();
  using bulk = bulkFiles();
  const paths = await filesOf(folder, MANY);
  await Deno.truncate(paths[0]!, GB);
  const stopping = new AbortController();
  const { to } = copyOf(paths[0]!);
  const copying = bulk.copy(paths.map((path) => ({ ...copyOf(path), most: Infinity })), () => {}, stopping.signal);
  const rejected = assertRejects(() => copying, Error, "enough");
  while ((await Deno.stat(to).catch(() => null) ?? { size: 0 }).size === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  stopping.abort(new Error("enough"));
  await rejected;
  await assertRejects(() => Deno.lstat(to), Deno.errors.NotFound);
});

Deno.test("bulkFiles() removes what it cannot flush, and gives it no name", { ignore: Deno.build.os === "windows" }, async () => {
  await using folder = await tempFolder();
  using bulk = bulkFiles();
  const paths = await filesOf(folder, MANY);
  const faulty = paths[4]!;
  await Deno.remove(faulty);
  // A flush of this device fails, as that of a disk with an error does.
  await Deno.symlink("/dev/null", faulty);
  const named = await bulk.name(paths.map((path) => ({ file: path, name: `${path}.named`, mode: null })), signal);
  assertEquals(named.flatMap((is, index) => is ? [] : [index]), [4]);
  for (const path of [faulty, `${faulty}.named`]) await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
});

Deno.test("bulkFiles() gives no name any more once the signal is aborted", async () => {
  await using folder = await tempFolder();
  using bulk = bulkFiles();
  const paths = await filesOf(folder, 4 * MANY);
  const stopping = new AbortController();
  const naming = bulk.name(paths.map((path) => ({ file: path, name: `${path}.named`, mode: null })), stopping.signal);
  const rejected = assertRejects(() => naming, Error, "enough");
  const names = async () =>
    (await Array.fromAsync(Deno.readDir(folder.path))).filter(({ name }) => name.endsWith(".named")).length;
  while (await names() === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  stopping.abort(new Error("enough"));
  const atOnce = await names();
  await rejected;
  const later = await names();
  // One name may be given between the abort and the look, and one before the Worker sees it.
  assert(later - atOnce <= 2, `${later - atOnce} names were given after the abort`);
  assert(later < paths.length, "the abort came too late to show anything");
});

Deno.test("bulkFiles() does nothing with a few files", async () => {
  await using folder = await tempFolder();
  using bulk = bulkFiles();
  const paths = await filesOf(folder, 5);
  assertEquals(await bulk.hash(paths, signal), paths.map(() => null));
});

Deno.test("bulkFiles() does nothing any more once it is disposed of in the middle of a call", async () => {
  await using folder = await tempFolder();
  const bulk = bulkFiles();
  const paths = await filesOf(folder, MANY);
  const hashing = bulk.hash(paths, signal);
  bulk[Symbol.dispose]();
  assertEquals((await hashing).slice(0, 64), paths.slice(0, 64).map(() => null));
  bulk[Symbol.dispose]();
});
