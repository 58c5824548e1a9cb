/** What install-service finds before it installs anything. */
import { assertEquals } from "@std/assert";
import { checkDestinations, checkNeeds } from "../../../src/commands/install_service.ts";
import type { Remark } from "../../../src/commands/checks/finding.ts";
import { loadSettings } from "../../../src/config/read/load.ts";
import type { System } from "../../../src/system/system.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";
import { testTools } from "../../support/tools.ts";

const observer = { name: "observer", uid: 1000, home: "/home/observer" };

/** A configuration with a local destination, and root, who asks as the account `observer`; `refuses` what it may not do. */
async function service(dir: TempFolder, refuses: (words: string) => boolean, keys: Readonly<Record<string, unknown>> = {}) {
  await Deno.mkdir(dir.at("images"), { recursive: true });
  const config = {
    watch_path: dir.at("images"),
    transfer_method: "local",
    remote_base_path: dir.at("nas"),
    state_directory: dir.at("state"),
    log_directory: dir.at("logs"),
    ...keys,
  };
  await dir.write("c.yaml", JSON.stringify(config));
  const asked: string[] = [];
  const system: Partial<System> = {
    platform: "linux",
    uid: 0,
    which: () => Promise.resolve(null),
    run({ program, args }) {
      const words = args.slice(args.findIndex((word) => word.startsWith("PATH=")) + 1).join(" ");
      asked.push(`${program} ${args[1]}: ${words}`);
      return Promise.resolve({ code: refuses(words) ? 1 : 0, signal: null, stdout: "", stderr: "" });
    },
  };
  const tools = testTools(dir.path, { system });
  const settings = await loadSettings("c.yaml", dir.path, tools.system);
  return { asked, checks: { ...tools, settings, account: observer } };
}

const told = (findings: readonly Remark[], dir: TempFolder) =>
  findings.filter(({ level }) => level !== "ok").map(({ level, what }) => `${level}: ${what.replaceAll(dir.path, "")}`);

Deno.test("checkNeeds() asks as the account, makes its folders, and leaves out the folder that the service manager makes", async () => {
  await using dir = await tempFolder();
  await Deno.mkdir(dir.at("logs"));
  const { asked, checks } = await service(dir, () => false);
  assertEquals(told(await checkNeeds(checks, dir.at("state")), dir), []);
  assertEquals(asked.map((line) => line.replaceAll(dir.path, "")), [
    "runuser observer: mkdir -p -- /logs",
    "runuser observer: test -w /logs",
    "runuser observer: test -r /images",
    "runuser observer: mkdir -p -- /nas",
    "runuser observer: test -w /nas",
    "runuser observer: test -r /c.yaml",
  ]);
});

Deno.test("checkNeeds() calls an error what the account cannot read or write, and a destination that is not mounted a warning", async () => {
  await using dir = await tempFolder();
  const refuses = (words: string) => !words.endsWith("logs") && !words.endsWith("c.yaml");
  const { checks } = await service(dir, refuses, { delete_source: true });
  await Deno.mkdir(dir.at("logs"));
  assertEquals(told(await checkNeeds(checks, null), dir), [
    'fault: Cannot write to the state directory "/state": Permission denied',
    'fault: observer cannot read "/images"',
    'fault: Cannot remove files in "/images": Permission denied',
    'warning: "/nas" does not exist, and observer cannot create it: Permission denied',
  ]);
});

Deno.test("checkNeeds() names programs that are not installed and a folder of keys that is missing", async () => {
  await using dir = await tempFolder();
  await Deno.mkdir(dir.at("logs"));
  const remote = { transfer_method: "rsync", remote_host: "freya", remote_base_path: "/data" };
  const { checks } = await service(dir, () => false, remote);
  assertEquals(told(await checkNeeds(checks, dir.at("state")), dir), [
    'warning: "/home/observer/.ssh" does not exist',
    "fault: rsync is not installed",
    "fault: ssh is not installed",
  ]);
});

Deno.test("checkDestinations() warns of what doctor finds as the account", async () => {
  await using dir = await tempFolder();
  const { checks } = await service(dir, () => false);
  const finding = { about: "destination nas of job default", what: "cannot log in", hint: "", code: "login_refused" };
  const stdout = JSON.stringify([{ ...finding, level: "fault" }, { ...finding, level: "ok", what: "connected" }]);
  const run = () => Promise.resolve({ code: 1, signal: null, stdout, stderr: "" });
  const found = await checkDestinations({ ...checks, system: { ...checks.system, run } }, "/bin/it");
  assertEquals(told(found, dir), ["warning: cannot log in"]);
});
