import { assertEquals } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import { isBuilt } from "../../../src/web/server/page_files.ts";
import { tempFolder } from "../../support/temp.ts";

Deno.test("isBuilt() sees a newer source in the page's folder and among the rules it shares with the daemon", async () => {
  await using folder = await tempFolder();
  const system = createSystem();
  const built = () => isBuilt(folder.path, folder.at("build"), system);
  const write = async (path: string, minute: number) => {
    await folder.write(path, "");
    await Deno.utime(folder.at(path), minute * 60, minute * 60);
  };
  await write("src/web/page/now/now_view.tsx", 1);
  await write("src/domain/printable.ts", 1);
  assertEquals(await built(), false);
  await write("build/page.js", 2);
  assertEquals(await built(), true);
  for (const path of ["src/web/page/now/now_view.tsx", "src/domain/printable.ts"]) {
    await write(path, 3);
    assertEquals([path, await built()], [path, false]);
    await write(path, 1);
  }
});
