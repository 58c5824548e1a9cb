import { assertEquals, assertRejects } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import type { WalkBatch, WalkOptions } from "../../../src/system/system.ts";
import {} from "../../../src/system/files/files.ts";
import {} from "../../../src/system/files/walk_tree.ts";
import { walkDigest } from "../../../src/system/files/walk_tree.ts";
import type { FileFacts } from "../../../src/domain/source_file.ts";
import { needs } from "../../support/needs.ts";
import { tempFolder } from "../../support/temp.ts";

const system = createSystem();
const never = new AbortController().signal;
const ALL: WalkOptions = { recursive: true, skipHidden: false };

async function walked(root: string, options: WalkOptions = ALL) {
  const batches: WalkBatch[] = [];
  for await (const batch of system.walk(root, options, never)) batches.push(batch);
  const files = batches.flatMap((batch) => batch.files);
  return {
    batches,
    files,
    paths: files.map(({ path }) => path).sort(),
    unreadable: batches.flatMap((batch) => batch.unreadable),
  };
}

Deno.test("walk() finds every regular file below, with the facts that facts() tells", async () => {
  await using dir = await tempFolder();
  await dir.write("a.fits", "1");
  await dir.write("20260115/raw/b.fits", "22");
  await dir.write("20260115/raw/-rf $(x) 'ü\n.fits", "333");
  const { files, paths, unreadable } = await walked(dir.path);
  assertEquals(paths, ["20260115/raw/-rf $(x) 'ü\n.fits", "20260115/raw/b.fits", "a.fits"]);
  assertEquals(unreadable, []);
  for (const { path, size, mtimeMs, ctimeMs, identity } of files) {
    const facts = await system.facts(dir.at(path));
    assertEquals([size, mtimeMs, ctimeMs, identity], [facts?.size, facts?.mtimeMs, facts?.ctimeMs, facts?.identity]);
  }
});

Deno.test("walk() and facts() give 0 for a time that no Date can hold", needs("memory"), async () => {
  // A tmpfs: most other file systems cut such times.
  await using dir = await tempFolder("/dev/shm");
  const path = await dir.write("a.fits", "");
  await system.run({ program: "touch", args: ["-d", "@9000000000000", path] }, never);
  const [found] = (await walked(dir.path)).files;
  assertEquals([found?.path, found?.mtimeMs, (await system.facts(path))?.mtimeMs], ["a.fits", 0, 0]);
});

Deno.test("walk() of an empty folder, and with a slash behind the root", async () => {
  await using dir = await tempFolder();
  assertEquals((await walked(dir.path)).files, []);
  await dir.write("a", "");
  assertEquals((await walked(`${dir.path}/`)).paths, ["a"]);
});

Deno.test("walk() follows no symlink but the root itself, and takes no pipe", async () => {
  await using dir = await tempFolder();
  await dir.write("outside/secret.fits", "");
  await dir.write("root/own.fits", "");
  await system.symlink("../outside", dir.at("root", "folder"));
  await system.symlink("../outside/secret.fits", dir.at("root", "file.fits"));
  await system.symlink("..", dir.at("root", "loop"));
  await system.symlink("root", dir.at("watched"));
  await system.run({ program: "mkfifo", args: [dir.at("root", "pipe.fits")] }, never);
  assertEquals((await walked(dir.at("root"))).paths, ["own.fits"]);
  assertEquals((await walked(dir.at("watched"))).paths, ["own.fits"]);
});

Deno.test("walk() skips hidden names, and folders, when asked to", async () => {
  await using dir = await tempFolder();
  for (const path of ["a", ".b", ".c/d", "e/f", "e/.g"]) await dir.write(path, "");
  assertEquals((await walked(dir.path)).paths, [".b", ".c/d", "a", "e/.g", "e/f"]);
  assertEquals((await walked(dir.path, { recursive: true, skipHidden: true })).paths, ["a", "e/f"]);
  assertEquals((await walked(dir.path, { recursive: false, skipHidden: true })).paths, ["a"]);
});

Deno.test("walk() finds the same in a small tree as in a large one", async () => {
  await using dir = await tempFolder();
  await makeMany(dir.path, 150);
  await dir.write("below/a.fits", "1");
  const small = await walked(dir.path);
  await Promise.all(Array.from({ length: 100 }, (_, index) => dir.write(`more/${index}`, "")));
  for (let walk = 0; walk < 2; walk++) {
    const large = await walked(dir.path);
    assertEquals(large.files.length, 251);
    assertEquals(large.files.filter(({ path }) => !path.startsWith("more/")), small.files);
  }
});

Deno.test("walk() throws when the root is missing or no folder: that is not an empty one", async () => {
  await using dir = await tempFolder();
  const file = await dir.write("file", "");
  await assertRejects(() => walked(dir.at("nothing")), Deno.errors.NotFound);
  await assertRejects(() => walked(file), Deno.errors.NotADirectory);
});

Deno.test(
  "walk() reports files and folders whose names are not UTF-8, and only those",
  { ignore: system.platform !== "linux" },
  async () => {
    await using dir = await tempFolder();
    for (const path of ["ü.fits", "new\nline.fits", "\uFFFD.fits", "ok/a.fits"]) await dir.write(path, "");
    await makeBadNames(dir.path, "b'bad\\xff.fits', b'ok/\\xe9t\\xe9.fits'", "b'folder\\xfe'");
    const { paths, unreadable } = await walked(dir.path);
    assertEquals(paths, ["new\nline.fits", "ok/a.fits", "ü.fits", "\uFFFD.fits"]);
    assertEquals(unreadable.map(({ path }) => path).sort(), ["bad\uFFFD.fits", "folder\uFFFD", "ok/\uFFFDt\uFFFD.fits"]);
    assertEquals([...new Set(unreadable.map(({ reason }) => reason))], ["its name is not valid UTF-8"]);
  },
);

/** Names that Deno cannot write: Python can. */
async function makeBadNames(root: string, files: string, folders: string): Promise<void> {
  const script = `import os,sys
os.chdir(sys.argv[1])
for name in [${files}]: open(name, 'w').close()
for name in [${folders}]: os.mkdir(name)`;
  const { code, stderr } = await system.run({ program: "python3", args: ["-c", script, root] }, never);
  assertEquals([code, stderr], [0, ""]);
}

Deno.test({
  name: "walk() reports a folder that cannot be read and goes on",
  ignore: system.platform === "windows",
  async fn() {
    await using dir = await tempFolder();
    await dir.write("open/b.fits", "");
    // Root may read everything, but nobody a path of more than 4096 bytes.
    const script = `import os,sys
os.chdir(sys.argv[1])
for level in range(17):
  os.mkdir('d' * 250); os.chdir('d' * 250)`;
    await system.run({ program: "python3", args: ["-c", script, dir.path] }, never);
    const { paths, unreadable } = await walked(dir.path);
    assertEquals(paths, ["open/b.fits"]);
    assertEquals(unreadable.map(({ reason }) => reason), ["File name too long"]);
    assertEquals(unreadable[0]?.path.startsWith(`${"d".repeat(250)}/`), true);
  },
});

Deno.test("walk() comes in batches, and a consumer that stops early ends it", async () => {
  await using dir = await tempFolder();
  await makeMany(dir.path, 4_500);
  const { batches, files } = await walked(dir.path);
  assertEquals(files.length, 4_500);
  assertEquals(batches.map((batch) => batch.files.length), [2_000, 2_000, 500]);
  // The test's own check of resources fails if the Worker lived on.
  for await (const batch of system.walk(dir.path, ALL, never)) {
    assertEquals(batch.files.length, 2_000);
    break;
  }
});

const knowing = (digests: Iterable<string>, folders: Iterable<string> | null = null): WalkOptions => ({
  ...ALL,
  known: { digests: new Set(digests), folders: folders && new Set(folders), seed: 7 },
});
const stretchesOf = ({ batches }: { batches: readonly WalkBatch[] }) => batches.flatMap(({ stretches = [] }) => stretches);

Deno.test("walk() leaves out the files of a stretch whose digest is known, and of no other when one file is added", async () => {
  await using dir = await tempFolder();
  await makeMany(dir.path, 6_000);
  const first = await walked(dir.path, knowing([]));
  assertEquals(first.files.length, 6_000);
  assertEquals(stretchesOf(first).reduce((sum, { files }) => sum + files, 0), 6_000);
  const digests = stretchesOf(first).map(({ digest }) => digest);
  assertEquals((await walked(dir.path, knowing(digests))).files, []);
  await dir.write("one more.fits", "1");
  const again = await walked(dir.path, knowing(digests));
  assertEquals(again.files.some(({ path }) => path === "one more.fits"), true);
  assertEquals(stretchesOf(again).filter(({ files }) => files > 0).length, 1);
});

/** Nothing happened in this folder for two days. */
async function rest(folder: string): Promise<void> {
  const long = Date.now() / 1000 - 2 * 86_400;
  await Deno.utime(folder, long, long);
}

Deno.test("walk() does not read a folder that is as it was, until a name in it comes or goes", async () => {
  await using dir = await tempFolder();
  for (const path of ["a/1.fits", "a/2.fits", "b/3.fits", "b/below/4.fits", "c/5.fits"]) await dir.write(path, "1");
  for (const folder of ["a", "b", "b/below"]) await rest(dir.at(folder));
  // ctimes are told in whole seconds.
  await new Promise((resolve) => setTimeout(resolve, 4_100));
  const first = await walked(dir.path, knowing([], []));
  const folders = stretchesOf(first).flatMap(({ folder }) => folder ?? []);
  // Not one that changed today, nor one with a folder in it.
  assertEquals(folders.length, 2);
  const read = async () => (await walked(dir.path, knowing([], folders))).paths;
  assertEquals(await read(), ["b/3.fits", "c/5.fits"]);
  assertEquals((await walked(dir.path, knowing(folders))).paths.length, 5, "where folders do not tell");
  // A rewrite shows in the file alone.
  await dir.write("a/1.fits", "22");
  assertEquals(await read(), ["b/3.fits", "c/5.fits"]);
  await dir.write("a/6.fits", "1");
  assertEquals(await read(), ["a/1.fits", "a/2.fits", "a/6.fits", "b/3.fits", "c/5.fits"]);
  await Deno.remove(dir.at("a/6.fits"));
  // Who sets the times back does not set that of the change back.
  await rest(dir.at("a"));
  await Deno.rename(dir.at("b/below/4.fits"), dir.at("b/below/7.fits"));
  await rest(dir.at("b/below"));
  assertEquals(await read(), ["a/1.fits", "a/2.fits", "b/3.fits", "b/below/7.fits", "c/5.fits"]);
});

Deno.test("walk() reads a folder with a name that cannot be read each time", async () => {
  await using dir = await tempFolder();
  await dir.write("a/1.fits", "1");
  const bad = new Uint8Array([...new TextEncoder().encode(dir.at("a/")), 0xff]);
  const python = "import sys; open(sys.stdin.buffer.read(), 'w').close()";
  const child = new Deno.Command("python3", { args: ["-c", python], stdin: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(bad);
  await writer.close();
  await child.status;
  await rest(dir.at("a"));
  await new Promise((resolve) => setTimeout(resolve, 4_100));
  const first = await walked(dir.path, knowing([], []));
  const folders = stretchesOf(first).flatMap(({ folder }) => folder ?? []);
  const { unreadable } = await walked(dir.path, knowing([], folders));
  assertEquals([first.unreadable.length, unreadable.length], [1, 1]);
});

Deno.test("walkDigest() differs with every fact, and with the seed", () => {
  const digestOf = (facts: Partial<FileFacts>, seed = 1) => {
    const digest = walkDigest(seed);
    digest.add({ path: "a.fits", size: 10, mtimeMs: 1_000, ctimeMs: 2_000, identity: "1:2", ...facts });
    return digest.take();
  };
  const others = [{ size: 11 }, { size: 10 + 2 ** 33 }, { mtimeMs: 1 }, { ctimeMs: 1_000 }, { identity: "1:9" }, {
    path: "a.fit",
  }];
  assertEquals(new Set([digestOf({}), digestOf({}, 2), ...others.map((facts) => digestOf(facts))]).size, 8);
  assertEquals(digestOf({}), digestOf({ mtimeMs: 1_000.4 }));
});

Deno.test("walk() throws the signal's reason once aborted", async () => {
  await using dir = await tempFolder();
  await makeMany(dir.path, 2_500);
  const stop = new AbortController();
  let seen = 0;
  await assertRejects(
    async () => {
      for await (const batch of system.walk(dir.path, ALL, stop.signal)) {
        seen += batch.files.length;
        stop.abort(new Error("stop"));
      }
    },
    Error,
    "stop",
  );
  assertEquals(seen, 2_000);
  await assertRejects(() => system.walk(dir.path, ALL, stop.signal)[Symbol.asyncIterator]().next(), Error, "stop");
});

async function makeMany(folder: string, count: number): Promise<void> {
  const script = "import sys\nfor n in range(int(sys.argv[2])): open(f'{sys.argv[1]}/f{n}.fits', 'w').close()";
  await system.run({ program: "python3", args: ["-c", script, folder, String(count)] }, never);
}
