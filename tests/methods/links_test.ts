import { assertEquals } from "@std/assert";
import { linkUploads } from "../../src/methods/links.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { needs } from "../support/needs.ts";
import { sourceAt } from "../support/source_at.ts";
import { tempFolder } from "../support/temp.ts";

const never = new AbortController().signal;
const system = createSystem();

for (const size of [1_000, 65 * 1024 * 1024]) {
  Deno.test(
    `linkUploads() gives programs a copy of ${size} bytes where another account may exchange the folder, which goes with the links`,
    needs("root"),
    async () => {
      await using folder = await tempFolder();
      const path = await folder.write("data/night/a.fits", "");
      await Deno.truncate(path, size);
      await Deno.chmod(path, 0o640);
      await Deno.chown(folder.at("data"), 54_321, 54_321);
      const source = await sourceAt(path, "night/a.fits");
      const context = { system, stagingRoot: ".x", workFolder: folder.at("work"), diskFolder: folder.at("disk"), log: () => {} };
      {
        await using links = await linkUploads([{ source, staged: ".x/a1/1", mode: 0o640 }], context, never);
        const copied = (await system.followedFacts(`${links.folder}/1`))!;
        assertEquals([copied.size, copied.mtimeMs, copied.mode, copied.identity !== source.identity], [
          size,
          source.mtimeMs,
          0o640,
          true,
        ]);
        // The large one is not in memory.
        assertEquals(
          (await system.realPath(`${links.folder}/1`))!.startsWith(folder.at(size > 1_000_000 ? "disk" : "work")),
          true,
        );
      }
      assertEquals([...await system.names(folder.at("work")), ...await system.names(folder.at("disk")).catch(() => [])], []);
    },
  );
}

Deno.test(
  "linkUploads() gives programs links where nobody else may exchange folders",
  { ignore: Deno.build.os === "windows" },
  async () => {
    await using folder = await tempFolder();
    const source = await sourceAt(await folder.write("data/a.fits", "text"), "a.fits");
    const context = { system, stagingRoot: ".x", workFolder: folder.at("work"), log: () => {} };
    await using links = await linkUploads([{ source, staged: ".x/a1/1" }], context, never);
    assertEquals((await system.facts(`${links.folder}/1`))?.kind, "symlink");
  },
);
