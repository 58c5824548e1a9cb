import { assertEquals } from "@std/assert";
import { PUBLISH_PERL } from "../../../src/methods/shell/publish_perl.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { tempFolder } from "../../support/temp.ts";

Deno.test("PUBLISH_PERL keeps every file, although several programs give the same name at once", {
  ignore: Deno.build.os === "windows",
}, async () => {
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
    const command = { program: "perl", args: ["-e", PUBLISH_PERL, "", "24", ""], cwd: folder.path };
    assertEquals((await system.run(command, signal, fields)).code, 0);
  }));
  const found: string[] = [];
  for await (const { name, isFile } of Deno.readDir(folder.path)) {
    if (isFile) found.push(await Deno.readTextFile(folder.at(name)));
  }
  assertEquals(new Set(found).size, programs * rounds);
});

Deno.test("PUBLISH_PERL writes a file system out as a whole only where that is known to work", {
  ignore: Deno.build.os === "windows",
}, async () => {
  const [EXT, FUSE, CIFS, UNKNOWN] = ["ef53", "65735546", "ff534d42", ""];
  for (const [magic, whole] of [[EXT, true], [FUSE, false], [CIFS, false], [UNKNOWN, false]] as const) {
    await using folder = await tempFolder();
    const tools = { stat: `echo ${magic}`, sync: `echo "$@" >> ${folder.at("synced")}` };
    for (const [name, script] of Object.entries(tools)) {
      await Deno.chmod(await folder.write(`bin/${name}`, `#!/bin/sh\n${script}\n`), 0o755);
    }
    await folder.write("base/.staging/1", "1");
    const fields = [".staging/1", "m.fits", "version", "m", ".fits", "", ""].map((field) => `${field}\0`).join("");
    const { stdout } = await createSystem().run(
      {
        program: "perl",
        args: ["-e", PUBLISH_PERL, "sync -f", "1", ""],
        cwd: folder.at("base"),
        env: { PATH: `${folder.at("bin")}:${Deno.env.get("PATH")}` },
      },
      new AbortController().signal,
      fields,
    );
    assertEquals(stdout, "ok\n");
    const names = (await Array.fromAsync(Deno.readDir(folder.path))).map(({ name }) => name);
    assertEquals(names.includes("synced"), whole, magic);
  }
});
