/** Where the state of a configuration is, when the file cannot be used any more. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { partialSettings, withoutFile } from "../../../src/config/read/load.ts";
import { rememberState, surroundingsOf } from "../../../src/config/read/find_config.ts";
import { Failure } from "../../../src/domain/failure.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";

function computer(dir: TempFolder, env: Record<string, string> = {}) {
  return { ...createSystem(), home: dir.path, env: (name: string) => env[name] };
}

async function usual(dir: TempFolder): Promise<string> {
  return withoutFile(await surroundingsOf(computer(dir))).stateDirectory;
}

const GOOD = "watch_path: /data\ntransfer_method: local\nremote_base_path: /nas\n";

for (
  const [what, name, text] of [
    ["an unknown key", "c.yaml", `${GOOD}state_directory: /kept/state\ncolour: red\n`],
    ["a wrong value", "c.yaml", `${GOOD}state_directory: /kept/state\nrecursive: perhaps\n`],
    ["a missing key", "c.yaml", "state_directory: /kept/state\n"],
    ["YAML that cannot be parsed", "c.yaml", `${GOOD}state_directory: "/kept/state"  # here\n  colour: [red\n`],
    [
      "JSON with a line behind it",
      "c.yaml",
      '{\n  "watch_path": "/data",\n  "state_directory": "/kept/state",\n  "web": false\n}\ncolour: red\n',
    ],
    ["a tab", "c.yaml", `${GOOD}state_directory: /kept/state\nweb:\n\tlisten: 1\n`],
    ["TOML that cannot be parsed", "c.toml", 'state_directory = "/kept/state"\nwatch_path = /data\n'],
    ["a key of TOML that stands there twice", "c.toml", "state_directory = '/kept/state'\nrecursive = true\nrecursive = true\n"],
    [
      "bytes that are no UTF-8",
      "c.yaml",
      new Uint8Array([...new TextEncoder().encode("state_directory: /kept/state\n# gr"), 0xfc, 10]),
    ],
  ] as const
) {
  Deno.test(`partialSettings() reads the state directory out of a file with ${what}, and tells the fault`, async () => {
    await using dir = await tempFolder();
    const file = await dir.write(name, text);
    const { settings, fault, guessed } = await partialSettings(file, "/", computer(dir));
    assertEquals([settings.stateDirectory, settings.file, guessed], ["/kept/state", file, false]);
    assertStringIncludes(fault?.message ?? "", `${file}:`);
  });
}

for (
  const [what, text] of [
    ["that is empty", ""],
    ["of noise", new Uint8Array(300).map((_, index) => index * 7)],
    ["whose state_directory is wrong", `${GOOD}state_directory: [1, 2]\n`],
    ["whose state_directory is misspelled", `${GOOD}state_directry: /elsewhere\n`],
    ["whose state_directory is no text", new Uint8Array([...new TextEncoder().encode("state_directory: /gr"), 0xfc, 10])],
    ["that is gone", null],
  ] as const
) {
  Deno.test(`partialSettings() remembers where the state of a file ${what} was, and else takes the usual place`, async () => {
    await using dir = await tempFolder();
    const system = computer(dir);
    const file = text === null ? dir.at("c.yaml") : await dir.write("c.yaml", text);
    if (text !== null) {
      const unknown = await partialSettings(file, "/", system);
      assertEquals([unknown.settings.stateDirectory, unknown.guessed], [await usual(dir), true]);
    }
    await rememberState({ file, stateDirectory: "/kept/state" }, await usual(dir), system);
    await rememberState({ file: dir.at("other.yaml"), stateDirectory: "/other" }, await usual(dir), system);
    const { settings, fault, guessed } = await partialSettings("c.yaml", dir.path, system);
    assertEquals([settings.stateDirectory, settings.file, guessed], ["/kept/state", file, false]);
    assertEquals(fault?.code, "configuration");
    const byVariable = await partialSettings(undefined, "/", computer(dir, { IMAGE_TRANSFER_CONFIG: file }));
    assertEquals(byVariable.settings.stateDirectory, "/kept/state");
  });
}

Deno.test("partialSettings() never takes another place for a named file that is not there and never was", async () => {
  await using dir = await tempFolder();
  await assertRejects(() => partialSettings("mistyped.yaml", dir.path, computer(dir)), Failure, "the file does not exist");
});

Deno.test("partialSettings() without any file takes the usual place, or where the user's own was", async () => {
  await using dir = await tempFolder();
  const nothing = await partialSettings(undefined, "/", computer(dir));
  assertEquals([nothing.settings.stateDirectory, nothing.settings.file, nothing.guessed], [await usual(dir), null, true]);
  const own = dir.at(".config", "image-transfer", "config.yaml");
  await rememberState({ file: own, stateDirectory: "/kept" }, await usual(dir), computer(dir));
  const { settings, guessed } = await partialSettings(undefined, "/", computer(dir));
  assertEquals([settings.stateDirectory, settings.file, guessed], ["/kept", own, false]);
});

Deno.test("partialSettings() of a file without fault is all of it, and knows where its state was before", async () => {
  await using dir = await tempFolder();
  const file = await dir.write("c.yaml", `${GOOD}state_directory: /new\n`);
  const fresh = await partialSettings(file, "/", computer(dir));
  assertEquals([fresh.fault, fresh.former, fresh.settings.jobs.length], [null, null, 1]);
  await rememberState({ file, stateDirectory: "/new" }, await usual(dir), computer(dir));
  assertEquals((await partialSettings(file, "/", computer(dir))).former, null);
  await rememberState({ file, stateDirectory: "/old" }, await usual(dir), computer(dir));
  assertEquals((await partialSettings(file, "/", computer(dir))).former, "/old");
});
