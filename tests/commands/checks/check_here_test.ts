/** What doctor finds on this computer. */
import { assertEquals } from "@std/assert";
import { checkDescriptors, checkHere } from "../../../src/commands/checks/check_here.ts";
import { loadSettings } from "../../../src/config/read/load.ts";
import { Failure } from "../../../src/domain/failure.ts";
import type { System } from "../../../src/system/system.ts";
import { tempFolder } from "../../support/temp.ts";
import { testTools } from "../../support/tools.ts";

/** What is said of the system's watches where these programs answer so; null stands for one that may not be started. */
async function watches(programs: Readonly<Record<string, { code: number; stdout: string } | null>>): Promise<string[]> {
  await using dir = await tempFolder();
  await dir.write("c.yaml", `watch_path: ${dir.at("images")}\ntransfer_method: local\nremote_base_path: ${dir.at("nas")}\n`);
  const asked: string[] = [];
  const system: Partial<System> = {
    platform: "linux",
    which: (name) => Promise.resolve(name in programs ? name : null),
    run: ({ program, args }) => {
      asked.push([program, ...args].join(" "));
      const answer = programs[program];
      if (!answer) return Promise.reject(new Failure("tool_missing", `this build may not start ${program}`));
      return Promise.resolve({ ...answer, signal: null, stderr: "" });
    },
  };
  const tools = testTools(dir.path, { system });
  const findings = await checkHere(await loadSettings("c.yaml", dir.path, tools.system), tools);
  return [...asked, ...findings.filter(({ what }) => /can watch/.test(what)).map(({ level, what }) => `${level}: ${what}`)];
}

Deno.test("checkHere() asks sysctl how many folders the system watches, wherever it is", async () => {
  assertEquals(await watches({ sysctl: { code: 0, stdout: "524288\n" } }), [
    "sysctl -n fs.inotify.max_user_watches",
    "ok: The system can watch up to 524288 folders",
  ]);
  assertEquals(await watches({ sysctl: null, "/usr/sbin/sysctl": { code: 0, stdout: "100" } }), [
    "sysctl -n fs.inotify.max_user_watches",
    "/usr/sbin/sysctl -n fs.inotify.max_user_watches",
    "warning: The system can watch only 100 folders at once",
  ]);
});

Deno.test("checkHere() says nothing of the system's watches where nobody knows", async () => {
  assertEquals(await watches({}), []);
  assertEquals((await watches({ "/sbin/sysctl": { code: 255, stdout: "" } })).length, 1);
  assertEquals((await watches({ "/sbin/sysctl": { code: 0, stdout: "many" } })).length, 1);
});

Deno.test("checkDescriptors() warns where this account can open too few files", async () => {
  const told = async (limit: string) => {
    const run = () =>
      Promise.resolve({ code: 0, signal: null, stderr: "", stdout: `Max open files            ${limit}   4096   files\n` });
    const system = { platform: "linux" as const, which: () => Promise.resolve("grep"), run };
    return (await checkDescriptors(system as never, new AbortController().signal)).map(({ what }) => what);
  };
  assertEquals(await told("512"), ["This account can open only 512 files at once"]);
  assertEquals([...await told("1024"), ...await told("unlimited")], []);
});
