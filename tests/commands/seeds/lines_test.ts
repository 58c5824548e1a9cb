/** No line and no configuration of the five documents is forgotten: what is in them is what the lists here name. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigError, parseSettings } from "../../../src/config/read/parse_settings.ts";
import { launchd } from "../../../src/services/launchd.ts";
import { systemd } from "../../../src/services/systemd.ts";
import { taskScheduler } from "../../../src/services/task_scheduler.ts";
import { aComputer } from "../../config/a_computer.ts";
import { blocks, commandLines, LINES, listed } from "./documents.ts";

Deno.test("every command line of the five documents is in one of the lists, and nothing else is", async () => {
  const lines = await commandLines();
  assertEquals(lines.length, 168);
  const theirs = new Set(lines.map(({ document, text }) => `${document} ${text}`));
  const ours = Object.values(LINES).flatMap(listed);
  assertEquals(new Set(ours).size, ours.length, "a line is in two lists");
  assertEquals(ours.filter((line) => !theirs.has(line)), [], "in no document");
  assertEquals([...theirs].filter((line) => !ours.includes(line)), [], "in no list");
});

Deno.test("every block of the five documents is a command, a configuration that runs, or another program's", async () => {
  const kinds = (await blocks()).map(({ document, language }) => `${document} ${language}`);
  const count = (kind: string) => kinds.filter((one) => one === kind).length;
  assertEquals(Object.fromEntries([...new Set(kinds)].map((kind) => [kind, count(kind)])), {
    "1 bash": 23,
    "1 powershell": 7,
    "1 yaml": 6,
    "2 bash": 10,
    "2 cmd": 1,
    "2 toml": 4,
    "3 bash": 13,
    "3 ini": 1,
    "3 batch": 1,
    "3 xml": 1,
    "4 bash": 8,
    "4 python": 5,
    "4 ini": 1,
    "5 cmd": 1,
  });
});

Deno.test("the names of services in the documents are those that install-service makes", () => {
  const account = { name: "observer", uid: 1000, home: "/home/observer" };
  const fileOf = (kind: typeof launchd, name: string, scope: "user" | "system") => {
    const where = kind.definition({ name: kind.nameOf(name)!, scope, account });
    return where.print === undefined ? where.file : where.print.args.join(" ");
  };
  const checks: [pattern: RegExp, check: (name: string) => string][] = [
    [/(?:systemctl \w+|journalctl -u) (\S+)/, (name) => {
      const usual = name === `${systemd.usualName}.service`;
      assertEquals(usual || ["sync-daemon", "ftpmonitor", "file-monitor"].includes(name), true, name);
      return fileOf(systemd, name, "system").split("/").at(-1)!.replace(/\.service$/, "");
    }],
    [/launchctl (?:un)?load ~\/(\S+)/, (path) => fileOf(launchd, path.split("/").at(-1)!, "user").replace("/home/observer/", "")],
    [/launchctl st\w+ (\S+)/, () => launchd.usualName],
    [/list \| grep imagetransfer()/, () => launchd.usualName],
    [/list \| grep (sync-daemon)/, (name) => launchd.nameOf(name)!],
    [/-TaskName (\S+)/, () => taskScheduler.usualName],
  ];
  for (const line of listed(LINES.service)) {
    const [pattern, check] = checks.find(([pattern]) => pattern.test(line)) ?? [];
    const name = pattern?.exec(line)?.[1] ?? "no check";
    assertStringIncludes(check!(name), name.replace(/\.service$/, ""), line);
  }
});

Deno.test("scripts/manage-daemon.ps1 takes the actions of the first document", async () => {
  const script = await Deno.readTextFile(new URL("../../../scripts/manage-daemon.ps1", import.meta.url));
  const actions = /ValidateSet\(([^)]*)\)\]\s*\[string\] \$Action/.exec(script)?.[1]?.match(/\w+/g) ?? [];
  for (const line of LINES.script[1]) assertEquals((actions as string[]).includes(line.split(" ").at(-1)!), true, line);
});

Deno.test("on Windows the log is where the first document reads it", () => {
  const windows = aComputer({ platform: "windows", home: "C:\\Users\\Observer" });
  const { log } = parseSettings("watch_path: C:/i\nremote_host: h\nremote_base_path: /b\n", "c.yaml", "yaml", windows);
  const path = `${log.directory}\\${log.file}`;
  assertEquals(path, "C:\\Users\\Observer\\logs\\image_transfer.log");
  for (const line of LINES.windowsLog[1]) assertStringIncludes(line, path.replace("C:\\Users\\Observer", "$env:USERPROFILE"));
});

Deno.test("docs/migrating.md names every line that has no meaning here", async () => {
  const table = await Deno.readTextFile(new URL("../../../docs/migrating.md", import.meta.url));
  // Words of a table that stand for the lines.
  const words = [
    "git clone",
    "cd ",
    "conda ",
    "venv",
    "pip install",
    "pytest",
    "black",
    "ruff",
    "python -m build",
    "tasklist",
    "log show",
    "cargo ",
    "/var/log/sync-daemon.out",
    "nano ",
    "monitor.py",
    "ftpmonitor_daemon.py",
    "daemon_script.py",
    "uvicorn",
  ];
  const missing = listed(LINES.noted).filter((line) => !words.some((word) => line.includes(word) && table.includes(word.trim())));
  assertEquals(missing, []);
});

Deno.test("start --pocketbase-url takes the place of pocketbase.url, and asks for the account where none is configured", () => {
  const around = aComputer({ env: { IMAGE_TRANSFER_POCKETBASE_URL: "https://other:8090" } });
  const base = "watch_path: /i\nremote_host: h\nremote_base_path: /b\n";
  const account = "pocketbase: { url: http://localhost:8090, admin_email: a@b.c, admin_password: secret123 }\n";
  assertEquals(parseSettings(base + account, "c.yaml", "yaml", around).pocketbase?.url, "https://other:8090");
  const error = assertThrows(() => parseSettings(base, "c.yaml", "yaml", around), ConfigError);
  assertStringIncludes(error.message, '"pocketbase.admin_email" is missing');
  const bad = aComputer({ env: { IMAGE_TRANSFER_POCKETBASE_URL: "localhost" } });
  assertThrows(() => parseSettings(base + account, "c.yaml", "yaml", bad), ConfigError, "must be a URL");
});
