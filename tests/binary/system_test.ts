/** The parts of System that a permission list or an embedded file system could break, in a binary made by the build recipe. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { createSystem } from "../../src/system/create_system.ts";
import { build, parseArguments } from "../build/build.ts";
import { startProgram } from "../system/start_program.ts";
import { tempFolder } from "../support/temp.ts";

const system = createSystem();
const never = new AbortController().signal;

Deno.test("binary: what the system needs works within the permission lists", async (test) => {
  await using dir = await tempFolder();
  const output = dir.at(system.platform === "windows" ? "program.exe" : "program");
  const program = await build({ main: "tests/system/system_program.ts", output, check: false });
  // The loader's variable makes Deno refuse every child, unless it is dropped.
  const env = { LD_LIBRARY_PATH: "/nowhere" };
  const act = async (...args: string[]) => {
    const { stdout, stderr, code } = await system.run({ program, args, env }, never);
    assertEquals([code, stderr], [0, ""]);
    return stdout.trim();
  };

  await test.step("the walk's Worker is embedded, and find tells of names that are not UTF-8", async () => {
    await dir.write("tree/a.fits", "");
    await dir.write("tree/b/c.fits", "");
    await system.run(
      { program: "python3", args: ["-c", "import os,sys\nopen(os.fsencode(sys.argv[1]) + b'/\\xff.fits', 'w')", dir.at("tree")] },
      never,
    );
    assertEquals(JSON.parse(await act("walk", dir.at("tree"))), ["a.fits", "b/c.fits", "unreadable \uFFFD.fits"]);
    // So many that the Worker is needed.
    await Promise.all(Array.from({ length: 300 }, (_, index) => dir.write(`large/${index}`, "")));
    assertEquals(JSON.parse(await act("walk", dir.at("large"))).length, 300);
  });

  await test.step("open writers are found", async () => {
    const path = await dir.write("open.fits", "");
    // Of the same last name: only its number tells that it is another file.
    const other = await dir.write("tree/open.fits", "");
    using _held = await Deno.open(path, { write: true });
    assertEquals(JSON.parse(await act("writers", path, other)), [path]);
  });

  await test.step("a program that was given up cannot be started, by name or path; others can", async () => {
    const [one, two, byName, byPath, other, gaveUp] = JSON.parse(await act("giveUp", "stat", "find"));
    assertEquals([one, two, other, gaveUp], ["0", "0", "0", true]);
    for (const refused of [byName, byPath]) {
      assertStringIncludes(refused, "nothing needed it when image-transfer started");
      assertStringIncludes(refused, "Restart image-transfer");
    }
  });

  await test.step("free space, usage, host name, home and the service templates", async () => {
    assertEquals(JSON.parse(await act("surroundings", dir.path)), [true, true, true, true, true, true, true]);
  });

  await test.step("the runtime folder", async () => {
    assertStringIncludes(await act("runtime"), "/");
  });

  await test.step("HTTP", async () => {
    assertEquals(await act("serve"), "hello");
  });

  await test.step("a lock that ends with the process", async () => {
    await using holder = await startProgram(["lock", dir.at("lock")], {}, program);
    assertEquals(await holder.line(), "mine");
    await using second = await startProgram(["lock", dir.at("lock")], {}, program);
    assertEquals(await second.line(), "not mine");
  });

  await test.step("signals", async () => {
    await using running = await startProgram(["signals"], {}, program);
    assertEquals(await running.line(), "ready");
    running.kill("SIGTERM");
    assertEquals(await running.line(), "SIGTERM");
    assertEquals((await running.finished).code, 0);
  });
});

Deno.test("build: two builds of one source are the same, byte by byte", async () => {
  await using dir = await tempFolder();
  const sums = [];
  for (const name of ["one", "two"]) {
    const output = dir.at(name, "program");
    await system.makeFolder(dir.at(name));
    sums.push(await system.hash(await build({ main: "tests/system/system_program.ts", output, check: false }), never));
  }
  assertEquals(sums[0], sums[1]);
});

Deno.test("build: parseArguments() takes its three options and refuses the rest", () => {
  assertEquals(parseArguments(["--target", "aarch64-apple-darwin", "--output", "x"]), {
    target: "aarch64-apple-darwin",
    output: "x",
  });
  assertThrows(() => parseArguments(["--target", "vax"]), Error, 'unknown target "vax"');
  assertThrows(() => parseArguments(["--fast", "yes"]), Error, 'unknown option "--fast"');
  assertThrows(() => parseArguments(["--output"]), Error, "needs a value");
});
