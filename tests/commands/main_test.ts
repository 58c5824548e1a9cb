/** The program itself, as it is called: output, exit codes, pipes. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import about from "../../deno.json" with { type: "json" };
import { tempFolder } from "../support/temp.ts";

const MAIN = fromFileUrl(new URL("../../main.ts", import.meta.url));

async function call(cwd: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--quiet", "-A", MAIN, ...args],
    cwd,
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("main says its version", async () => {
  assertEquals(await call(".", "--version"), { code: 0, stdout: `image-transfer ${about.version}\n`, stderr: "" });
});

Deno.test("main tells mistakes of the configuration on standard error, with exit code 2", async () => {
  await using dir = await tempFolder();
  await dir.write("config.yaml", "watch_path: /data\nremote_host: freya\nremote_base_path: /x\n\nfile_patern: ['*.fits']\n");
  const { code, stdout, stderr } = await call(dir.path, "config", "validate", "-c", "config.yaml");
  assertEquals([code, stdout], [2, ""]);
  assertMatch(stderr, /config\.yaml:5:1: unknown key "file_patern"; did you mean "file_patterns"\?\n$/);
});

Deno.test("main ends with 2 for a configuration that is missing and for words that it does not know", async () => {
  await using dir = await tempFolder();
  const missing = await call(dir.path, "-c", "gone.yaml");
  assertEquals([missing.code, missing.stdout], [2, ""]);
  assertStringIncludes(missing.stderr, 'Cannot read the configuration "gone.yaml" (named by -c): the file does not exist');
  assertEquals((await call(dir.path, "frobnicate")).code, 2);
});

Deno.test("main asks nothing where nobody sits: init writes examples", async () => {
  await using dir = await tempFolder();
  const { code } = await call(dir.path, "--create-config", "-c", "config.yaml");
  assertEquals(code, 0);
  assertStringIncludes(await dir.read("config.yaml"), "watch_path: ~/images\n");
});

Deno.test("main does not mind a reader that goes away", { ignore: Deno.build.os === "windows" }, async () => {
  const script = `"$1" run --no-check --quiet -A "$2" config schema | head -n 1; exit 0`;
  const { stdout, stderr } = await new Deno.Command("sh", { args: ["-c", script, "sh", Deno.execPath(), MAIN], stdin: "null" })
    .output();
  assertEquals([new TextDecoder().decode(stdout), new TextDecoder().decode(stderr)], ["{\n", ""]);
});
