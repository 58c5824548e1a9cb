import { assertEquals, assertStringIncludes } from "@std/assert";
import { createSystem } from "../../src/system/create_system.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { called, testTools } from "../support/tools.ts";

async function observatory(): Promise<TempFolder> {
  const dir = await tempFolder();
  await dir.write(
    "c.yaml",
    `watch_path: ${dir.at("in")}\ntransfer_method: local\nremote_base_path: ${dir.at("out")}\nlog_directory: ${dir.at("logs")}\n`,
  );
  return dir;
}

async function call(dir: TempFolder, words: readonly string[], until?: (stdout: string) => boolean | Promise<boolean>) {
  const stop = new AbortController();
  const made = testTools(dir.path, { system: createSystem() });
  const stdout = (text: string) => {
    made.stdout(text);
    void (async () => await until?.(made.printed.stdout) && stop.abort())();
    return true;
  };
  const tools = { ...made, stdout, signal: stop.signal };
  return await called([...words, "-c", "c.yaml"], tools);
}

Deno.test("logs prints the end of the log file, and follows it with -f", async () => {
  await using dir = await observatory();
  assertEquals((await call(dir, ["logs"])).stderr, `Nothing is logged in ${dir.at("logs/image_transfer.log")} yet.\n`);
  await dir.write("logs/image_transfer.log", "one\ntwo\nthree\n");
  assertEquals((await call(dir, ["logs", "-n", "2"])).stdout, "two\nthree\n");
  let added = false;
  const { code, stdout } = await call(dir, ["logs", "-f", "-n", "1"], async (text) => {
    if (!added) {
      added = true;
      await Deno.writeTextFile(dir.at("logs/image_transfer.log"), "four\n", { append: true });
    }
    return text.includes("four");
  });
  assertEquals([code, stdout], [0, "three\nfour\n"]);
});

Deno.test("status --watch shows it again and again, as one JSON object a line with --json", async () => {
  await using dir = await observatory();
  const times = (text: string) => text.split("NOT RUNNING").length - 1;
  const { stdout } = await call(dir, ["status", "--watch"], (text) => times(text) === 2);
  assertEquals(times(stdout), 2);
  const json = await call(dir, ["status", "--watch", "--json"], (text) => text.trim().split("\n").length === 2);
  assertEquals(json.stdout.trim().split("\n").map((line) => JSON.parse(line).running), [false, false]);
});

Deno.test("what prints without end ends when its reader is gone", async () => {
  for (const [words, writes] of [[["status", "--watch"], 1], [["logs", "-f"], 1], [["logs", "-f", "-n", "0"], 2]] as const) {
    await using dir = await observatory();
    const log = await dir.write("logs/image_transfer.log", "one\n");
    const stop = new AbortController();
    let written = 0;
    const stdout = (text: string) => {
      Deno.writeTextFileSync(log, "more\n", { append: true });
      if (++written > 2) stop.abort();
      return text === "";
    };
    const tools = { ...testTools(dir.path, { system: createSystem() }), stdout, signal: stop.signal };
    const { code } = await called([...words, "-c", "c.yaml"], tools);
    assertEquals([code, written], [0, writes], words.join(" "));
  }
});

Deno.test("config path and config validate --json are for scripts", async () => {
  await using dir = await observatory();
  assertEquals((await call(dir, ["config", "path"])).stdout, `${dir.at("c.yaml")}\n`);
  const good = await call(dir, ["config", "validate", "--json"]);
  assertEquals([good.code, JSON.parse(good.stdout)], [0, { valid: true, file: dir.at("c.yaml"), problems: [] }]);
  await dir.write("c.yaml", "watch_path: /data\nfile_patern: x\n");
  const bad = await call(dir, ["config", "validate", "--json"]);
  assertEquals([bad.code, JSON.parse(bad.stdout).valid], [2, false]);
  await Deno.remove(dir.at("c.yaml"));
  const missing = await call(dir, ["config", "validate", "--json"]);
  const { valid, file, problems } = JSON.parse(missing.stdout);
  assertEquals([missing.code, valid, file, problems.length], [2, false, null, 1]);
  assertStringIncludes(problems[0].message, "the file does not exist");
  const checked = await call(dir, ["doctor", "--json"]);
  assertEquals([checked.code, JSON.parse(checked.stdout)[0].code], [2, "configuration"]);
  assertStringIncludes(bad.stdout, 'unknown key \\"file_patern\\"; did you mean \\"file_patterns\\"?');
});

Deno.test("config validate says where a job only watches", async () => {
  await using dir = await observatory();
  await dir.write("c.yaml", `watch_path: ${dir.at("in")}\nhooks: [{ on: [ready], command: [echo, "{path}"] }]\n`);
  assertStringIncludes((await call(dir, ["config", "validate"])).stdout, "is only watched, for its hooks");
});
