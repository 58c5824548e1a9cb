import { assertEquals } from "@std/assert";
import { sweepState } from "../../src/daemon/state_directory.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { tempFolder } from "../support/temp.ts";

Deno.test({
  name: "sweepState() keeps other accounts out of the files that hold secrets, also where they could read them before",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await tempFolder();
    const ours = ["lock", "web.json", "control.json", "pocketbase-jobs.json", "ledger-damaged-2026.sqlite"];
    for (const name of [...ours, "notes.txt", "elsewhere"]) {
      await folder.write(name, "x");
      await Deno.chmod(folder.at(name), 0o644);
    }
    await Deno.remove(folder.at("control.json"));
    await Deno.symlink(folder.at("elsewhere"), folder.at("control.json"));
    await sweepState(folder.path, createSystem(), () => {});
    const modeOf = (name: string) => Deno.statSync(folder.at(name)).mode! & 0o777;
    assertEquals(ours.map(modeOf), [0o600, 0o600, 0o644, 0o600, 0o600]);
    assertEquals([modeOf("notes.txt"), modeOf("elsewhere")], [0o644, 0o644]);
  },
});
