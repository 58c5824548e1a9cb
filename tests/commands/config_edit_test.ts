/** `config edit` with a real editor (`sed -i`, which needs nobody to type), and in a real terminal. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import { theProgram } from "../support/daemon_process.ts";
import { has } from "../support/needs.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { called, springConfig, testTools } from "../support/tools.ts";
import { fakeDaemon } from "../web/fake_daemon.ts";

/** Edits `c.yaml` with an editor and a person who answers. */
async function edit(dir: TempFolder, editor: string, answers: readonly string[] = []) {
  const env = (name: string) => name === "EDITOR" ? editor : undefined;
  const tools = testTools(dir.path, { system: { env }, answers });
  return await called(["config", "edit", "-c", "c.yaml"], tools);
}

async function observatory(): Promise<TempFolder> {
  const dir = await tempFolder();
  await dir.write("c.yaml", springConfig(dir));
  await Deno.chmod(dir.at("c.yaml"), 0o640);
  await Deno.mkdir(dir.at("state"));
  return dir;
}

async function names(dir: TempFolder): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(dir.path))).map(({ name }) => name).sort();
}

const isWindows = Deno.build.os === "windows";

Deno.test(
  "config edit takes over a valid draft, with the mode of the file, and has the daemon reload",
  { ignore: isWindows },
  async () => {
    await using dir = await observatory();
    let reloads = 0;
    await using _daemon = await fakeDaemon(dir.at("state"), {
      reload: () => Promise.resolve({ ok: ++reloads > 0, message: "Configuration reloaded" }),
    });
    const { code, stderr } = await edit(dir, "sed -i s/spring/autumn/");
    assertEquals([code, stderr, reloads], [0, `Changed ${dir.at("c.yaml")}\nConfiguration reloaded\n`, 1]);
    assertStringIncludes(await dir.read("c.yaml"), "autumn");
    assertEquals([(await Deno.stat(dir.at("c.yaml"))).mode! & 0o777, await names(dir)], [0o640, ["c.yaml", "state"]]);
  },
);

Deno.test("config edit keeps a draft with an error, changes nothing, and continues with it", { ignore: isWindows }, async () => {
  await using dir = await observatory();
  const before = await dir.read("c.yaml");
  const first = await edit(dir, "sed -i s/watch_path/watch_pth/", ["no"]);
  assertEquals([first.code, await dir.read("c.yaml")], [2, before]);
  assertStringIncludes(first.stderr, `${dir.at("c.draft.yaml")}:4:5: unknown key "watch_pth"; did you mean "watch_path"?`);
  assertStringIncludes(first.stderr, "The configuration is unchanged. Your draft is kept in");
  const again = await edit(dir, "sed -i -e s/watch_pth/watch_path/ -e s/freya,/odin,/");
  assertStringIncludes(again.stderr, "Continuing with the draft that was kept");
  assertEquals([again.code, (await dir.read("c.yaml")).includes("odin"), await names(dir)], [0, true, ["c.yaml", "state"]]);
});

Deno.test(
  "config edit: nothing changed, changed by somebody else, a failing or a missing editor",
  { ignore: isWindows },
  async () => {
    await using dir = await observatory();
    assertEquals((await edit(dir, "true")).stderr, "Nothing was changed.\n");
    assertEquals(await names(dir), ["c.yaml", "state"]);
    const fault = async (editor: string) => (await assertRejects(() => edit(dir, editor), Failure)).message;
    assertStringIncludes(await fault("false"), 'The editor "false" failed with exit code 1');
    assertStringIncludes(await fault("no-such-editor"), 'Cannot start "no-such-editor"');
    // What nobody changed is not offered again, when the configuration may be another one.
    assertEquals(await names(dir), ["c.yaml", "state"]);
    const both = `sed -i s/spring/autumn/ ${dir.at("c.yaml")}`;
    assertStringIncludes(await fault(both), "was changed by someone else in the meantime");
    const alone = testTools(dir.path);
    await assertRejects(() => called(["config", "edit", "-c", "c.yaml"], alone), Failure, "needs a terminal");
  },
);

Deno.test("config edit in a real terminal: the editor has it, and what it wrote is the configuration", {
  ignore: isWindows || !has("terminal"),
}, async () => {
  await using dir = await observatory();
  const own = theProgram();
  const line = [own.program, ...own.before, "config", "edit", "-c", dir.at("c.yaml")].map((word) => `'${word}'`).join(" ");
  const editor = await dir.write("editor.sh", '#!/bin/sh\n[ -t 0 ] && [ -t 1 ] && sed -i s/nas,/tape,/ "$1"\n');
  await Deno.chmod(editor, 0o755);
  const { code, stdout } = await new Deno.Command("script", {
    args: ["-qec", line, "/dev/null"],
    env: { EDITOR: editor, HOME: dir.path, DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno` },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stdout));
  assertStringIncludes(await dir.read("c.yaml"), "name: tape,");
});
