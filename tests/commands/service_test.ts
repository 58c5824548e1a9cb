import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { object } from "@optique/core/constructs";
import { option } from "@optique/core/primitives";
import { commandLine, writePlanned } from "../../src/commands/service/installed_service.ts";
import { accountFor, seenFrom } from "../../src/services/service_account.ts";
import { lastLines } from "../../src/commands/logs.ts";
import { placeOfProgram, placeProgram, removeProgram } from "../../src/services/service_program.ts";
import { COMMANDS } from "../../src/commands/commands.ts";
import { defineCommand } from "../../src/commands/command.ts";
import { parse } from "../../src/commands/parse.ts";
import { Failure } from "../../src/domain/failure.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";
import { tempFolder } from "../support/temp.ts";
import { testTools } from "../support/tools.ts";

const real = createSystem();
const { signal } = new AbortController();
const observer = { name: "observer", uid: 1000, home: "/home/observer" };

function aSystem(changes: Partial<System>, env: Readonly<Record<string, string>> = {}): System {
  const passwd = "root:x:0:0:root:/root:/bin/bash\nobserver:x:1000:1000:,,,:/home/observer:/bin/bash\n".split("\n");
  return {
    ...real,
    platform: "linux",
    compiled: true,
    env: (name) => env[name],
    run: ({ args }) => {
      const line = passwd.find((line) => [line.split(":")[0], line.split(":")[2]].includes(args[1]!));
      return Promise.resolve({ code: line ? 0 : 2, signal: null, stdout: line ?? "", stderr: "" });
    },
    ...changes,
  };
}

Deno.test("accountFor() is the user behind sudo, the caller, or --run-as", async () => {
  const sudo = aSystem({ uid: 0 }, { SUDO_USER: "observer" });
  assertEquals(await accountFor("system", undefined, sudo, signal), observer);
  assertEquals(await accountFor("user", undefined, aSystem({ uid: 1000 }), signal), observer);
  assertEquals((await accountFor("system", "root", sudo, signal)).uid, 0);
});

Deno.test("accountFor() never takes root silently, nor a user service with sudo", async () => {
  const refused = async (scope: "system" | "user", env: Readonly<Record<string, string>>, runAs?: string) =>
    (await assertRejects(() => accountFor(scope, runAs, aSystem({ uid: 0 }, env), signal), Failure)).hint;
  assertStringIncludes(await refused("system", {}), "--run-as USER");
  assertStringIncludes(await refused("system", { SUDO_USER: "root" }), "--run-as USER");
  assertStringIncludes(await refused("user", { SUDO_USER: "observer" }), "Omit sudo");
  assertStringIncludes(await refused("system", {}, "nobody-like-that"), "--run-as USER");
  assertStringIncludes(await refused("system", {}, "-rf"), "--run-as USER");
});

Deno.test("accountFor() is whoever installs on Windows", async () => {
  const windows = aSystem({ platform: "windows", uid: null, home: "C:\\Users\\O" }, { USERNAME: "O", USERDOMAIN: "DOME" });
  assertEquals(await accountFor("system", undefined, windows, signal), { name: "DOME\\O", uid: null, home: "C:\\Users\\O" });
});

Deno.test("seenFrom() hides the caller's environment, which a service does not have", () => {
  const seen = seenFrom(observer, "/var/lib/image-transfer", aSystem({}, { DATA: "/data", HOME: "/home/somebody" }));
  assertEquals([seen.home, seen.env("HOME"), seen.env("DATA"), seen.env("STATE_DIRECTORY")], [
    "/home/observer",
    "/home/observer",
    undefined,
    "/var/lib/image-transfer",
  ]);
});

Deno.test("placeOfProgram() leaves programs where they stay, and takes others out of download folders", () => {
  const place = (scope: "system" | "user", executable: string) => placeOfProgram(scope, observer, aSystem({ executable }));
  assertEquals(place("system", "/usr/bin/image-transfer"), "/usr/bin/image-transfer");
  assertEquals(place("system", "/home/observer/.local/bin/image-transfer"), "/usr/local/bin/image-transfer");
  assertEquals(place("user", "/home/observer/.local/bin/image-transfer"), "/home/observer/.local/bin/image-transfer");
  assertEquals(place("user", "/home/observer/Downloads/image-transfer"), "/home/observer/.local/bin/image-transfer");
  assertEquals(place("system", "/usrlocal/image-transfer"), "/usr/local/bin/image-transfer");
});

Deno.test("placeOfProgram() knows Windows' folders, whatever their case", () => {
  const env = { LOCALAPPDATA: "C:\\Users\\O\\AppData\\Local", ProgramFiles: "C:\\Program Files" };
  const account = { name: "O", uid: null, home: "C:\\Users\\O" };
  const place = (executable: string) => placeOfProgram("user", account, aSystem({ platform: "windows", executable }, env));
  assertEquals(place("c:\\program files\\it\\it.exe"), "c:\\program files\\it\\it.exe");
  assertEquals(
    place("C:\\Users\\O\\Downloads\\image-transfer.exe"),
    "C:\\Users\\O\\AppData\\Local\\Programs\\image-transfer\\image-transfer.exe",
  );
});

Deno.test("placeProgram() copies once, replaces an older one, and takes away only what it brought", async () => {
  await using folder = await tempFolder();
  const system = aSystem({ executable: await folder.write("download", "new") });
  const place = folder.at("bin", "image-transfer");
  assertEquals(await placeProgram(place, false, system, signal), { copied: true, changed: true });
  assertEquals(await placeProgram(place, true, system, signal), { copied: true, changed: false });
  assertEquals(await folder.read("bin/image-transfer-service"), "new");
  await folder.write("bin/image-transfer", "old");
  assertEquals(await placeProgram(place, false, system, signal), { copied: false, changed: true });
  assertEquals([await folder.read("bin/image-transfer"), (await Deno.stat(place)).mode! & 0o777], ["new", 0o755]);
  await removeProgram(place, system);
  assertEquals(await Array.fromAsync(Deno.readDir(folder.at("bin"))), []);
});

Deno.test("writePlanned() writes what is new, and says whether it was", async () => {
  await using folder = await tempFolder();
  const file = { path: folder.at("a", "unit"), text: "1", mode: 0o644 };
  assertEquals(await writePlanned(file, { system: real }), true);
  assertEquals(await writePlanned(file, { system: real }), false);
  assertEquals(await writePlanned({ ...file, text: "2" }, { system: real }), true);
});

Deno.test("writePlanned() writes UTF-16 with its mark", async () => {
  await using folder = await tempFolder();
  const path = folder.at("task.xml");
  await writePlanned({ path, text: "ü星😀", mode: 0o600, encoding: "utf-16le" }, { system: real });
  const bytes = await Deno.readFile(path);
  assertEquals([...bytes.subarray(0, 4)], [0xff, 0xfe, 0xfc, 0x00]);
  assertEquals(new TextDecoder("utf-16le").decode(bytes), "ü星😀");
});

Deno.test("commandLine() can be pasted into a shell", () => {
  const args = ["-c", "/my images/it's", "$HOME"];
  assertEquals(commandLine({ program: "/bin/it", args }), "/bin/it -c '/my images/it'\\''s' '$HOME'");
});

Deno.test("lastLines() gives whole lines from the end", async () => {
  await using folder = await tempFolder();
  const path = await folder.write("log", Array.from({ length: 1000 }, (_, n) => `line ${n} ${"x".repeat(300)}\n`).join(""));
  const lines = (await lastLines(path, 3, real)).text.split("\n");
  assertEquals(lines.map((line) => line.slice(0, 8)), ["line 997", "line 998", "line 999", ""]);
  assertEquals((await lastLines(folder.at("none"), 3, real)).text, "");
});

for (
  const [calledAs, argv, command] of [
    ["/usr/local/bin/image-transfer-service", ["--install", "--dry-run"], "install-service"],
    ["image-transfer-service.exe", ["--uninstall"], "uninstall-service"],
    ["image-transfer", ["--install"], "install-service"],
    ["image-transfer-service", ["--dry-run"], "service"],
  ] as const
) {
  Deno.test(`parse() takes ${calledAs} ${argv.join(" ")} for ${command}`, async () => {
    const ran: string[] = [];
    const commands = Object.fromEntries(["install-service", "uninstall-service", "service"].map((name) => {
      const command = defineCommand({
        name,
        help: name,
        parser: object({ dryRun: option("--dry-run") }),
        run: () => Promise.resolve(ran.push(name)),
      });
      return [name, () => Promise.resolve(command)];
    }));
    const tools = testTools("/");
    const parsed = await parse(argv, commands, { version: "1", calledAs, stdout: tools.stdout, stderr: tools.stderr });
    if (parsed.kind === "run") await parsed.run(tools);
    assertEquals(ran, [command]);
  });
}

for (
  const words of ["install --service-name my-sync --description Images --dry-run", "uninstall --service-name my-sync --dry-run"]
) {
  Deno.test(`parse() takes ${words}, as seed 2 writes it`, async () => {
    const tools = testTools("/");
    const parsed = await parse(words.split(" "), COMMANDS, { version: "1", stdout: tools.stdout, stderr: tools.stderr });
    assertEquals([parsed.kind, tools.printed.stderr], ["run", ""]);
  });
}
