import { assertEquals } from "@std/assert";
import { allPrograms, neededPrograms } from "../../src/commands/programs.ts";
import { settingsOfKeys } from "../../src/commands/text/word_keys.ts";

const around = { env: () => undefined, home: "/home/me", separator: "/", platform: "linux" } as const;
const settings = (keys: Readonly<Record<string, unknown>>) => settingsOfKeys({ watch_path: "/data", ...keys }, around);
const LOCAL = { transfer_method: "local", remote_base_path: "/nas" };
const LOOKS = ["find", "stat", "readlink", "grep", "sysctl", "/usr/sbin/sysctl", "/sbin/sysctl"];

Deno.test("neededPrograms() keeps what looks at files, and the programs of the methods that are configured", () => {
  const needed = (keys: Readonly<Record<string, unknown>>) => neededPrograms(settings(keys), false, "linux");
  const there = { remote_host: "nas", remote_base_path: "/data" };
  assertEquals(needed(LOCAL), LOOKS);
  assertEquals(needed({ ...there, transfer_method: "sftp" }), ["ssh", ...LOOKS]);
  assertEquals(needed({ ...there, transfer_method: "auto" }), ["ssh", "rsync", "scp", ...LOOKS]);
  const two = [{ name: "a", ...LOCAL }, { name: "b", ...there, transfer_method: "ftps" }];
  assertEquals(needed({ destinations: two }), ["curl", ...LOOKS]);
});

Deno.test("neededPrograms() keeps the program of hooks, that of the system's log, and all methods where a server may set jobs", () => {
  const hooks = [{ on: ["ready"], command: ["image-transfer-hook"] }];
  assertEquals(neededPrograms(settings({ ...LOCAL, hooks }), false, "linux"), ["image-transfer-hook", ...LOOKS]);
  assertEquals(neededPrograms(settings(LOCAL), true, "linux"), [...LOOKS, "logger"]);
  const pocketbase = { url: "https://pocketbase.example", admin_email: "me@example.org", admin_password: "x" };
  assertEquals(neededPrograms(settings({ ...LOCAL, pocketbase }), false, "linux"), LOOKS);
  const all = neededPrograms(settings({ ...LOCAL, pocketbase: { ...pocketbase, may_set: ["jobs"] } }), false, "linux");
  assertEquals(all, ["ssh", "rsync", "scp", "curl", "rclone", ...LOOKS]);
});

Deno.test("neededPrograms() is part of allPrograms() on every system, and names no editor, browser or service manager", () => {
  const never = [
    "vi",
    "notepad",
    "xdg-open",
    "open",
    "explorer",
    "systemctl",
    "launchctl",
    "schtasks",
    "sudo",
    "runuser",
    "getent",
  ];
  for (const platform of ["linux", "darwin", "windows"] as const) {
    const needed = neededPrograms(settings({ ...LOCAL, hooks: [{ on: ["ready"], command: ["x"] }] }), true, platform);
    assertEquals(needed.filter((program) => !allPrograms(platform).includes(program)), []);
    assertEquals(needed.filter((program) => never.includes(program)), []);
  }
});
