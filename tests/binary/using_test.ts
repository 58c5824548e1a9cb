import { assertEquals, assertMatch } from "@std/assert";
import { build, buildFailure } from "../build/build.ts";
import { tempFolder } from "../support/temp.ts";

Deno.test("build() that cannot have the base runtime says how to name one, and how to do without", () => {
  assertMatch(buildFailure("compile", undefined), /downloads Deno's base runtime.* set DENORT_BIN to the file.*deno task start/);
  assertMatch(buildFailure("compile", "/lib/denort"), /\/lib\/denort, which DENORT_BIN names: that must be denort of Deno \d/);
  assertEquals(buildFailure("bundle", undefined), 'Cannot build: "deno bundle" failed, see above');
});

Deno.test("build() keeps what `using` promises", async () => {
  await using folder = await tempFolder();
  const program = await build({ main: "tests/binary/using_program.ts", output: folder.at("program"), check: false });
  const { stdout } = await new Deno.Command(program).output();
  assertEquals(new TextDecoder().decode(stdout), "used once closed\nawaited closed\nnever used closed\n");
});

Deno.test("build() makes a program that leaves nothing in the folder for temporary files, where others could put something", async () => {
  await using folder = await tempFolder();
  const program = await build({ main: "tests/binary/using_program.ts", output: folder.at("program"), check: false });
  await Deno.mkdir(folder.at("temporary"));
  const env = { TMPDIR: folder.at("temporary"), TEMP: folder.at("temporary"), TMP: folder.at("temporary") };
  for (let runs = 0; runs < 2; runs++) await new Deno.Command(program, { env }).output();
  assertEquals(await Array.fromAsync(Deno.readDir(folder.at("temporary"))), []);
});
