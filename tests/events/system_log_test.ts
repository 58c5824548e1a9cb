/** Start, stop and failures in the system's own log: what is written, and that it never holds anything up. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { systemLog } from "../../src/events/system_log.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { Command, Finished } from "../../src/system/system.ts";
import { install } from "../support/daemon_process.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";

const OK: Finished = { code: 0, signal: null, stdout: "", stderr: "" };
const STARTED = { at: 0, type: "started", version: "1", pid: 7 } as const;

function error(message: string) {
  return { at: 0, type: "notice", level: "error", message } as const;
}

async function written(
  platform: "linux" | "windows" | "darwin",
  events: readonly Parameters<ReturnType<typeof systemLog>["listen"]>[0][],
  answer: (command: Command) => Finished = () => OK,
) {
  const commands: Command[] = [];
  const troubles: string[] = [];
  const run = (command: Command) => {
    commands.push(command);
    return Promise.resolve(answer(command));
  };
  {
    await using log = systemLog({ ...createSystem(), platform, run }, (message) => troubles.push(message));
    events.forEach(log.listen);
  }
  return { lines: commands.map(({ program, args }) => [program, ...args]), troubles };
}

Deno.test("start and failures are handed to eventcreate on Windows, to logger elsewhere; success is not", async () => {
  const events = [STARTED, error("Disk -D gone"), { at: 0, type: "notice", level: "info", message: "fine" } as const];
  assertEquals((await written("windows", events)).lines, [
    [
      "eventcreate",
      "/L",
      "APPLICATION",
      "/SO",
      "image-transfer",
      "/T",
      "INFORMATION",
      "/ID",
      "1",
      "/D",
      "image-transfer: image-transfer 1 started (process 7)",
    ],
    [
      "eventcreate",
      "/L",
      "APPLICATION",
      "/SO",
      "image-transfer",
      "/T",
      "ERROR",
      "/ID",
      "2",
      "/D",
      "image-transfer: Disk -D gone",
    ],
  ]);
  assertEquals((await written("darwin", events)).lines, [
    ["logger", "-t", "image-transfer", "-p", "daemon.info", "--", "image-transfer: image-transfer 1 started (process 7)"],
    ["logger", "-t", "image-transfer", "-p", "daemon.err", "--", "image-transfer: Disk -D gone"],
  ]);
});

Deno.test("a night full of failures writes thirty lines, and starts and stops all the same", async () => {
  const many = Array.from({ length: 10_000 }, (_, n) => error(`failure ${n}`));
  const { lines } = await written("linux", [...many, { at: 0, type: "stopped" }]);
  assertEquals(lines.length, 31);
  assertEquals(lines.at(-1)?.at(-1), "Stopped (9970 more failures are in image-transfer's log)");
});

Deno.test("a log that cannot be written is told once, with what to do", async () => {
  const denied = { ...OK, code: 1, stderr: "ERROR: Access is denied.\r\n" };
  const { lines, troubles } = await written("windows", [STARTED, error("a"), error("b")], () => denied);
  assertEquals([lines.length, troubles.length], [1, 1]);
  assertStringIncludes(
    troubles[0]!,
    "Cannot write to the system's log: ERROR: Access is denied.. An administrator must create its source once",
  );
});

const hasSyslog = Deno.build.os === "linux" && has("tars", "root") && await Deno.lstat("/dev/log").then(() => false, () => true);

Deno.test("with system_log: true, a real syslogd has start, failure and stop of a daemon", { ignore: !hasSyslog }, async () => {
  await using folder = await tempFolder();
  const syslogd = new Deno.Command("busybox", { args: ["syslogd", "-n", "-O", folder.at("messages")] }).spawn();
  try {
    for (let turn = 0; turn < 200 && await Deno.stat("/dev/log").then(() => false, () => true); turn++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    await folder.write("data/a.txt", "alpha");
    await folder.write("nas/a.txt", "taken");
    const program = await install(folder.path, {
      watch_path: folder.at("data"),
      file_patterns: ["*.txt"],
      transfer_method: "local",
      remote_base_path: folder.at("nas"),
      minimum_free_space_gb: 0,
      copy_safety_margin_gb: 0,
      min_file_age_seconds: 0.1,
      on_conflict: "fail",
      system_log: true,
    });
    {
      await using daemon = await program.start();
      await program.until(([row]) => row?.state === "failed");
      assertEquals(await daemon.stop(), 0);
    }
    const lines = [
      /daemon\.info image-transfer: image-transfer \S+ started/,
      /daemon\.err .*a\.txt/,
      /daemon\.info .*: Stopped/,
    ];
    // The syslogd writes them in its own time.
    for (let turn = 0;; turn++) {
      const text = await folder.read("messages");
      if (lines.every((line) => line.test(text))) break;
      assert(turn < 100, text);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } finally {
    syslogd.kill("SIGTERM");
    await syslogd.status;
    await Deno.remove("/dev/log").catch(() => undefined);
  }
});
