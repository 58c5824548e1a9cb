import { assertEquals } from "@std/assert";
import { PUBLISH_PERL } from "../../src/methods/publish_perl.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { tempFolder } from "../support/temp.ts";

Deno.test({
  name: "PUBLISH_PERL keeps every file, although several programs give the same name at once",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using folder = await tempFolder();
    const system = createSystem();
    const signal = new AbortController().signal;
    const programs = 6;
    const rounds = 30;
    const staged = (program: number, round: number) => `.staging/${program}-${round}`;
    for (let program = 0; program < programs; program++) {
      for (let round = 0; round < rounds; round++) await folder.write(staged(program, round), `${program}-${round}`);
    }
    await Promise.all(Array.from({ length: programs }, async (_, program) => {
      const items = Array.from({ length: rounds }, (_, round) => [
        ...[staged(program, round), "m.fits", "version", "m", ".fits", "", ""],
      ]);
      const fields = items.flat().map((field) => `${field}\0`).join("");
      const command = { program: "perl", args: ["-e", PUBLISH_PERL, "", "24"], cwd: folder.path };
      assertEquals((await system.run(command, signal, fields)).code, 0);
    }));
    const found: string[] = [];
    for await (const { name, isFile } of Deno.readDir(folder.path)) {
      if (isFile) found.push(await Deno.readTextFile(folder.at(name)));
    }
    assertEquals(new Set(found).size, programs * rounds);
  },
});
