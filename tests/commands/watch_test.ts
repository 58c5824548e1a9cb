/** `watch` and `copy`, with real folders. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { called, testTools } from "../support/tools.ts";

/** Calls the program in `dir`, which is also the home folder. */
async function call(dir: TempFolder, words: readonly string[], signal?: AbortSignal) {
  const system = { ...createSystem(), home: dir.path, env: () => undefined };
  const made = testTools(dir.path, { system });
  const tools = signal === undefined ? made : { ...made, signal };
  return await called([...words], tools);
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name);
}

const QUICK = ["--set", "min_file_age_seconds=0.1", "--set", "minimum_free_space_gb=0", "--set", "copy_safety_margin_gb=0"];

Deno.test("copy delivers what is there and ends; the second time nothing is sent", async () => {
  await using dir = await tempFolder();
  await dir.write("images/20260115/a.fits", "alpha");
  await dir.write("images/notes.txt", "no image");
  const first = await call(dir, ["copy", "images", "out", ...QUICK]);
  assertEquals([first.code, await dir.read("out/20260115/a.fits")], [0, "alpha"]);
  assertStringIncludes(first.stderr, "Successfully transferred");
  await Deno.remove(dir.at("out/20260115/a.fits"));
  const second = await call(dir, ["copy", "images", "out", ...QUICK]);
  assertEquals([second.code, second.stderr.includes("Successfully transferred")], [0, false]);
  assertEquals(names(dir.at("out")), ["20260115"]);
});

Deno.test("copy says that no file matches, and takes neither a login nor a path of Windows for a folder of this computer", async () => {
  await using dir = await tempFolder();
  await dir.write("images/a.fit", "alpha");
  const { code, stderr } = await call(dir, ["copy", "images", "out", "--pattern", "*.fits", "--pattern", "*.fz", ...QUICK]);
  assertEquals([code, stderr.includes("verything is delivered")], [0, false]);
  assertStringIncludes(stderr, "does not match file_patterns (*.fits *.fz)");
  for (const to of ["observer@freya", ...(Deno.build.os === "windows" ? [] : ["\\\\nas\\images", "D:\\images"])]) {
    await assertRejects(() => call(dir, ["copy", "images", to, ...QUICK]), Failure, `Cannot send to "${to}": it `);
  }
  assertEquals(names(dir.path).filter((name) => /freya|nas|D:/.test(name)), []);
});

Deno.test("copy of one file sends this file only, whatever its name", async () => {
  await using dir = await tempFolder();
  await dir.write("in/a[1]*.dat", "alpha");
  await dir.write("in/a1x.dat", "beta");
  const { code } = await call(dir, ["copy", "in/a[1]*.dat", "out", ...QUICK]);
  assertEquals([code, names(dir.at("out"))], [0, ["a[1]*.dat"]]);
});

Deno.test("watch delivers what comes until it is stopped, with the patterns it is told", async () => {
  await using dir = await tempFolder();
  await Deno.mkdir(dir.at("images"));
  const stop = new AbortController();
  const running = call(dir, ["watch", "images", "out", "--pattern", "*.txt", "--exclude", "tmp*", ...QUICK], stop.signal);
  await dir.write("images/a.txt", "alpha");
  await dir.write("images/tmp.txt", "no");
  for (let turn = 0; turn < 1000 && await dir.read("out/a.txt").catch(() => null) === null; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await dir.write("images/b.fits", "no");
  stop.abort();
  assertEquals([(await running).code, await dir.read("out/a.txt")], [0, "alpha"]);
  assertEquals(names(dir.at("out")), ["a.txt"]);
});

Deno.test("--save writes a configuration that run continues with", async () => {
  await using dir = await tempFolder();
  await dir.write("images/a.fits", "alpha");
  const saved = await call(dir, ["copy", "images", "out", "--save", ...QUICK]);
  assertEquals(saved.code, 0);
  const path = dir.at(".config/image-transfer/config.yaml");
  if (Deno.build.os !== "windows") assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  // A service has its page where README says, at the same address after each start.
  assert(!(await Deno.readTextFile(path)).includes("web:"));
  const again = await call(dir, ["run", "--once", "-c", path]);
  assertEquals([again.code, again.stderr.includes("Successfully transferred")], [0, false]);
  const error = await assertRejects(() => call(dir, ["copy", "images", "out", "--save", ...QUICK]), Failure);
  assertStringIncludes(error.message, "the file already exists");
});

const FAULTS: [words: string[], message: string][] = [
  [["nowhere", "out"], "it does not exist"],
  [["images", "out", "--set", "zebra=3"], 'unknown key "zebra"'],
  [["images", "out", "--set", "zebra"], "it is not KEY=VALUE"],
  [["images", "out", "--method", "carrier-pigeon"], '"transfer_method" must be'],
  [["images", "images"], "overlap"],
];

for (const [words, message] of FAULTS) {
  Deno.test(`copy ${words.join(" ")}: ${message}`, async () => {
    await using dir = await tempFolder();
    await Deno.mkdir(dir.at("images"));
    const error = await assertRejects(() => call(dir, ["copy", ...words]), Failure);
    assert(error.code === "configuration" && error.message.includes(message), error.message);
  });
}

Deno.test("copy sends nothing where SOURCE or DEST is empty, as an unset variable leaves it", async () => {
  await using dir = await tempFolder();
  await dir.write("images/a.fits", "alpha");
  for (const [words, about] of [[["images", ""], 'send to ""'], [["", "out"], 'deliver from ""']] as const) {
    await assertRejects(() => call(dir, ["copy", ...words, ...QUICK]), Failure, about);
  }
  assertEquals(names(dir.path), ["images"]);
});

Deno.test("copy with a host in DEST never sends to this computer", async () => {
  await using dir = await tempFolder();
  await dir.write("images/a.fits", "alpha");
  for (const host of ["freya:", "observer@freya:", "sftp://freya"]) {
    const words = ["copy", "images", `${host}${dir.at("out")}`, "--method", "local", ...QUICK];
    await assertRejects(() => call(dir, words), Failure, "Cannot send to freya with the method local");
  }
  assertEquals(names(dir.path), ["images"]);
});

Deno.test("copy --save writes no configuration with --dry-run, which changes nothing", async () => {
  await using dir = await tempFolder();
  await dir.write("images/a.fits", "alpha");
  const { code, stderr } = await call(dir, ["copy", "images", "out", "--save", "--dry-run", ...QUICK]);
  assertEquals([code, names(dir.path)], [0, ["images"]], stderr);
  assertStringIncludes(stderr, "Not saved: --dry-run changes nothing.");
});
