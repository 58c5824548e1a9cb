import { assertEquals } from "@std/assert";
import { deviceFunction, PUBLISH_SH } from "../../../src/methods/shell/shell_names.ts";
import { flushScript } from "../../../src/methods/shell/shell_flush.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { tempFolder } from "../../support/temp.ts";

const signal = new AbortController().signal;
const ignore = Deno.build.os === "windows";
const STAT = ["stat", "-L", "-c", "%f %s %n"];

Deno.test("PUBLISH_SH moves no newer version away for an attempt that was given up while it compared", { ignore }, async () => {
  await using folder = await tempFolder();
  for (const [path, text] of [["x.fits", "v0"], [".s/a1/1", "v1"], [".s/a2/2", "v2"]] as const) await folder.write(path, text);
  // No hard links, as on exFAT; and while the contents are compared, the attempt is swept and the next one publishes.
  const late = `${deviceFunction(STAT)}
ln() { return 1; }
cmp() { rm -rf .s/a1; mv x.fits x.v1.fits; mv .s/a2/2 x.fits; return 1; }
${PUBLISH_SH}
p ./.s/a1/1 ./x.fits version ./x .fits '' '' .
`;
  const { stdout } = await createSystem().run({ program: "sh", args: ["-c", late], cwd: folder.path }, signal);
  assertEquals(stdout, "fail staged file: No such file or directory\n");
  assertEquals(await folder.read("x.fits"), "v2");
  assertEquals(await folder.read("x.v1.fits"), "v0");
});

Deno.test(
  "flushScript() writes a file system out as a whole only where that is known to work, and flushes each file in any case",
  { ignore },
  async () => {
    await using folder = await tempFolder();
    await folder.write("a", "");
    await folder.write("b", "");
    const flushed = async (magic: string) => {
      const script = `stat() { echo ${magic}; }\nsync() { echo "$*" >> said; }\n${flushScript("sync -f", ["./a", "./b"])}`;
      await folder.write("said", "");
      await createSystem().run({ program: "sh", args: ["-c", script], cwd: folder.path }, signal);
      return await folder.read("said");
    };
    const [EXT, FUSE, CIFS, UNKNOWN] = ["ef53", "65735546", "ff534d42", ""];
    assertEquals(await flushed(EXT), "-f .\n./a ./b\n");
    for (const magic of [FUSE, CIFS, UNKNOWN]) assertEquals(await flushed(magic), "./a ./b\n", magic);
  },
);
