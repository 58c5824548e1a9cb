import { assertEquals } from "@std/assert";
import { build } from "../build/build.ts";
import { tempFolder } from "../support/temp.ts";

Deno.test("build() keeps what `using` promises", async () => {
  await using folder = await tempFolder();
  const program = await build({ main: "tests/binary/using_program.ts", output: folder.at("program"), check: false });
  const { stdout } = await new Deno.Command(program).output();
  assertEquals(new TextDecoder().decode(stdout), "used once closed\nawaited closed\nnever used closed\n");
});
