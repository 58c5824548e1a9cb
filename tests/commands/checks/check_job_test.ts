import { assertEquals } from "@std/assert";
import { checkJob } from "../../../src/commands/checks/check_job.ts";
import { parseSettings } from "../../../src/config/read/parse_settings.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { tempFolder } from "../../support/temp.ts";

Deno.test("checkJob() says where programs that write images are not visible, unless a marker or quiet time is waited for", async () => {
  await using folder = await tempFolder();
  const said = async (sees: boolean, completeness: string) => {
    const system = { ...createSystem(), seesEveryWriter: () => Promise.resolve(sees) };
    const config = { watch_path: folder.path, transfer_method: "local", remote_base_path: `${folder.path}-far`, completeness };
    const { jobs } = parseSettings(JSON.stringify(config), folder.at("config.yaml"), "yaml", system);
    const found = await checkJob(jobs[0]!, system, new AbortController().signal);
    return found.some(({ level, what }) => level === "ok" && /are not visible/.test(what));
  };
  assertEquals(await said(false, "auto"), true);
  assertEquals(await said(true, "auto"), false);
  assertEquals(await said(false, "quiet"), false);
});
