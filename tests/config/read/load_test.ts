/** Where the configuration is looked for, on real folders. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ConfigError } from "../../../src/config/read/parse_settings.ts";
import { loadSettings } from "../../../src/config/read/load.ts";
import { absolutePath, findConfigFile, rememberState, usualConfigFiles } from "../../../src/config/read/find_config.ts";
import { writeMark } from "../../../src/config/read/service_mark.ts";
import { Failure } from "../../../src/domain/failure.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { tempFolder } from "../../support/temp.ts";
import { aComputer } from "../a_computer.ts";
import { pathToRead } from "../../../src/domain/source_file.ts";

const VALID = "watch_path: /data\nremote_host: freya\nremote_base_path: /images\n";
const USUAL = ".config/image-transfer/config.yaml";

function computer(home: string, env: Record<string, string> = {}) {
  return { ...createSystem(), ...aComputer({ home, env }) };
}

Deno.test("loadSettings() reads the user's configuration when none is named", async () => {
  await using dir = await tempFolder();
  const file = await dir.write(USUAL, VALID);
  assertEquals((await loadSettings(undefined, "/", computer(dir.path))).file, file);
});

Deno.test("loadSettings() reads TOML beside where YAML would be", async () => {
  await using dir = await tempFolder();
  const file = await dir.write(
    ".config/image-transfer/config.toml",
    'watch_path = "/data"\nremote_host = "x"\nremote_base_path = "y"\n',
  );
  assertEquals((await loadSettings(undefined, "/", computer(dir.path))).file, file);
});

Deno.test("findConfigFile() prefers -c, then the variable, then the user's file", async () => {
  await using dir = await tempFolder();
  const [usual, named, other] = [
    await dir.write(USUAL, VALID),
    await dir.write("named.yaml", VALID),
    await dir.write("other.yaml", VALID),
  ];
  const with_ = computer(dir.path, { IMAGE_TRANSFER_CONFIG: other });
  assertEquals(await findConfigFile("named.yaml", dir.path, with_), named);
  assertEquals(await findConfigFile("./named.yaml", dir.path, with_), named);
  assertEquals(await findConfigFile("~/named.yaml", "/", with_), named);
  assertEquals(await findConfigFile(undefined, "/", with_), other);
  assertEquals(await findConfigFile(undefined, "/", computer(dir.path)), usual);
});

Deno.test("usualConfigFiles() names the places of each system, YAML first", () => {
  assertEquals(usualConfigFiles(aComputer()), [
    "/home/observer/.config/image-transfer/config.yaml",
    "/home/observer/.config/image-transfer/config.toml",
    "/etc/image-transfer/config.yaml",
    "/etc/image-transfer/config.toml",
  ]);
  assertEquals(
    usualConfigFiles(aComputer({ platform: "windows", home: "C:\\Users\\me" }))[0],
    "C:\\Users\\me\\.config\\image-transfer\\config.yaml",
  );
});

for (
  const [what, env, named] of [["-c", {}, "gone.yaml"], [
    "IMAGE_TRANSFER_CONFIG",
    { IMAGE_TRANSFER_CONFIG: "gone.yaml" },
    undefined,
  ]] as const
) {
  Deno.test(`findConfigFile() never takes another file for a missing one named by ${what}`, async () => {
    await using dir = await tempFolder();
    await dir.write(USUAL, VALID);
    const failure = await assertRejects(() => findConfigFile(named, dir.path, computer(dir.path, { ...env })), Failure);
    assertEquals(failure.message, `Cannot read the configuration "gone.yaml" (named by ${what}): the file does not exist`);
    assertEquals(failure.code, "configuration");
  });
}

Deno.test("findConfigFile() refuses a folder", async () => {
  await using dir = await tempFolder();
  const failure = await assertRejects(() => findConfigFile(dir.path, "/", computer(dir.path)), Failure);
  assertStringIncludes(failure.message, "it is a folder");
  assertEquals(failure.hint, "Specify a file in it.");
});

Deno.test("findConfigFile() says where it looked when there is none", async () => {
  await using dir = await tempFolder();
  const there = await createSystem().followedFacts("/etc/image-transfer/config.yaml");
  if (there !== null) return; // This machine has one for all users.
  const failure = await assertRejects(() => findConfigFile(undefined, "/", computer(dir.path)), Failure);
  assertStringIncludes(failure.message, `${dir.path}/${USUAL}`);
  assertStringIncludes(failure.hint, "image-transfer init");
});

Deno.test("loadSettings() names the file and the line of a mistake", async () => {
  await using dir = await tempFolder();
  const file = await dir.write("config.yaml", `${VALID}file_patern: x\n`);
  const error = await assertRejects(() => loadSettings(file, "/", computer(dir.path)), ConfigError);
  assertEquals(error.message, `${file}:4:1: unknown key "file_patern"; did you mean "file_patterns"?`);
});

Deno.test("absolutePath() begins relative names at the working folder", () => {
  assertEquals(absolutePath("../a.yaml", "/home/me/x/", aComputer()), "/home/me/a.yaml");
  assertEquals(absolutePath("a$b.yaml", "/home/me", aComputer()), "/home/me/a$b.yaml");
});

/** What is said of a configuration of these bytes, without its path; the settings' first watched folder where all is well. */
async function loaded(bytes: Uint8Array): Promise<string> {
  await using dir = await tempFolder();
  await Deno.writeFile(dir.at("c.yaml"), bytes);
  try {
    return (await loadSettings("c.yaml", dir.path, computer(dir.path))).jobs[0]!.watchPath;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.replace(dir.at("c.yaml"), "c.yaml");
  }
}

const UMLAUTS = VALID.replace("/data", "/Größe");

function utf16(text: string, littleEndian = true): Uint8Array {
  const view = new DataView(new ArrayBuffer(text.length * 2));
  for (let index = 0; index < text.length; index++) view.setUint16(index * 2, text.charCodeAt(index), littleEndian);
  return new Uint8Array(view.buffer);
}

Deno.test("loadSettings() reads UTF-8 and UTF-16 with a byte order mark, as Windows PowerShell writes it", async () => {
  assertEquals(await loaded(new TextEncoder().encode(UMLAUTS)), "/Größe");
  assertEquals(await loaded(new TextEncoder().encode(`\uFEFF${UMLAUTS}`)), "/Größe");
  assertEquals(await loaded(utf16(`\uFEFF${UMLAUTS.replaceAll("\n", "\r\n")}`)), "/Größe");
  assertEquals(await loaded(utf16(`\uFEFF${UMLAUTS}`, false)), "/Größe");
});

Deno.test("loadSettings() refuses a Latin-1 file with the line, rather than make a folder of another name", async () => {
  const latin1 = Uint8Array.from(`# Groesse\n${UMLAUTS}`, (character) => character.charCodeAt(0));
  const refusal = "c.yaml:2:16: invalid UTF-8; the file may have been saved as Latin-1 or Windows-1252: save it as UTF-8";
  assertEquals(await loaded(latin1), refusal);
  assertEquals(await loaded(latin1.subarray(0, latin1.indexOf(0xdf) + 1)), refusal, "in the last line, which does not end");
});

Deno.test("loadSettings() tells of UTF-16 that it cannot know for sure or that is cut", async () => {
  const without = "c.yaml:1:1: the file contains zero bytes, as in UTF-16 without a byte order mark; save it as UTF-8";
  assertEquals(await loaded(utf16(VALID)), without);
  const cut = "c.yaml:1:1: the file is damaged: it begins as UTF-16 but is not valid UTF-16";
  assertEquals(await loaded(utf16(`\uFEFF${VALID}`).subarray(0, 41)), cut);
});

Deno.test("loadSettings() means the state of the service with this file, or that it left behind, not that of another", async () => {
  await using dir = await tempFolder();
  const [a, b] = [await dir.write("a.yaml", VALID), await dir.write("b.yaml", VALID)];
  const real = computer(dir.path);
  // What is below /var/lib and /etc/systemd on this computer.
  const there = (path: string) => /^\/(var\/lib|etc\/systemd)/.test(path) ? dir.at(path.slice(1)) : path;
  const services: Partial<typeof real> = {
    list: (path) => real.list(there(path)),
    read: (path, offset, length) => real.read(there(pathToRead(path)), offset, length),
    followedFacts: (path) => real.followedFacts(there(path)),
  };
  const system = { ...real, ...services };
  const states = async (around = system) => [
    (await loadSettings(a, "/", around)).stateDirectory,
    (await loadSettings(b, "/", around)).stateDirectory,
  ];
  const usual = dir.at(".local/state/image-transfer");
  assertEquals(await states(), [usual, usual], "no service");
  await dir.write("var/lib/image-transfer/lock", "");
  assertEquals(await states(), ["/var/lib/image-transfer", "/var/lib/image-transfer"], "one with the usual name");
  await dir.write(".local/state/image-transfer/lock", "");
  for (const [name, config, state] of [["camera-a", a, usual], ["image-transfer", b, "/var/lib/image-transfer"]] as const) {
    const mark = { program: "/p", copied: false, config, account: "observer", home: dir.path, state, log: "/l" };
    await dir.write(`etc/systemd/system/${name}.service`, `# ${writeMark(mark)}\n[Unit]\n`);
  }
  assertEquals(await states(), [usual, "/var/lib/image-transfer"], "one of its own, which continues with an earlier ledger");
  await Deno.remove(dir.at("etc"), { recursive: true });
  await dir.write("var/lib/camera-a/lock", "");
  await rememberState({ file: a, stateDirectory: "/var/lib/camera-a" }, dir.at("var/lib/camera-a"), real);
  await Deno.chmod(dir.at("var/lib/camera-a"), 0o700);
  assertEquals(await states(), ["/var/lib/camera-a", "/var/lib/image-transfer"], "one that was removed");
  await Deno.chmod(dir.at("var/lib/camera-a"), 0o755);
  assertEquals(await states(), ["/var/lib/image-transfer", "/var/lib/image-transfer"], "a folder that everyone may look into");
  await Deno.chmod(dir.at("var/lib/camera-a"), 0o700);
  const another = { ...system, uid: 4321 };
  assertEquals(await states(another), ["/var/lib/image-transfer", "/var/lib/image-transfer"], "a folder of another account");
});
