/**
 * What scripts of users depend on, through the real program: where data goes and where words go, exit codes, the shapes
 * of JSON and CSV, the recipes for the log, and what touches nothing.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { dataToNas, install, type ProcessResult } from "../support/daemon_process.ts";
import { tempFolder } from "../support/temp.ts";

const SECRET = "a-token-that-nobody-may-read-000";

const installed = (changes: Record<string, unknown> = {}) => dataToNas({ file_patterns: ["*.fits", "*.txt"], ...changes });

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

async function shell(script: string, env: Record<string, string>): Promise<string> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script], env }).output();
  return new TextDecoder().decode(stdout).trim();
}

const isWindows = Deno.build.os === "windows";

Deno.test(
  "log: the recipes of scripts count, list and date what was transferred and what failed",
  { ignore: isWindows },
  async () => {
    const { folder, program } = await installed({ on_conflict: "fail" });
    await using _folder = folder;
    await folder.write("nas/taken.txt", "older");
    for (const name of ["20261120/a.txt", "20261120/b.txt", "taken.txt"]) await folder.write(`data/${name}`, name);
    assertEquals((await program.command(["run", "--once"])).code, 1);
    const env = { LOG: program.logFile };
    const today = '"$(date +%Y-%m-%d)"';
    assertEquals(await shell('grep -c "Successfully transferred" "$LOG"', env), "2");
    assertEquals(await shell('grep -c "Failed to transfer" "$LOG"', env), "1");
    assertEquals(await shell(`grep "Successfully transferred" "$LOG" | grep ${today} | wc -l | tr -d " "`, env), "2");
    assertEquals(
      await shell(`grep "Successfully transferred" "$LOG" | grep $(date +%F) | awk '{print $NF}' | sort`, env),
      [folder.at("data", "20261120", "a.txt"), folder.at("data", "20261120", "b.txt")].join("\n"),
    );
    assertEquals(
      await shell(`grep "Failed to transfer" "$LOG" | awk '{print $7}'`, env),
      `${folder.at("data", "taken.txt")}:`,
    );
    assertEquals(await shell(`grep -cvE '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} [A-Z]+ ' "$LOG"`, env), "0");
  },
);

Deno.test(
  "log: the same recipes with two destinations, whose lines can be told from each other",
  { ignore: isWindows },
  async () => {
    const folder = await tempFolder();
    await using _folder = folder;
    const file = await folder.write("data/a.txt", "a");
    const there = (name: string) => ({ name, transfer_method: "local", remote_base_path: folder.at(name) });
    const program = await install(folder.path, {
      watch_path: folder.at("data"),
      file_patterns: ["*.txt"],
      minimum_free_space_gb: 0,
      copy_safety_margin_gb: 0,
      min_file_age_seconds: 0.2,
      on_conflict: "fail",
      destinations: [there("nas"), there("freya"), there("full")],
    });
    await folder.write("full/a.txt", "older");
    assertEquals((await program.command(["run", "--once"])).code, 1);
    const env = { LOG: program.logFile };
    assertEquals(await shell('grep -c "Successfully transferred" "$LOG"', env), "2");
    assertEquals(await shell(`grep "Successfully transferred" "$LOG" | grep "$(date +%Y-%m-%d)" | wc -l | tr -d " "`, env), "2");
    assertEquals(await shell(`grep "Successfully transferred" "$LOG" | awk '{print $NF}'`, env), `${file}\n${file}`);
    assertEquals(await shell(`grep -o "[[].*[]] Successfully" "$LOG" | sort`, env), "[freya] Successfully\n[nas] Successfully");
    assertMatch(await shell('grep "Failed to transfer" "$LOG"', env), / ERROR \[full\] Failed to transfer \S+\/a\.txt: /);
  },
);

Deno.test("log: with log_format json every line is one object, on the console and in the file", async () => {
  const { folder, program } = await installed({ log_format: "json" });
  await using _folder = folder;
  const file = await folder.write("data/a b.txt", "alpha");
  const { stdout, stderr } = await program.command(["run", "--once"]);
  assertEquals(stdout, "");
  for (const text of [stderr, await program.log()]) {
    const rows = text.trim().split("\n").map((line) => JSON.parse(line));
    const [row] = rows.filter(({ message }) => message.startsWith("Successfully transferred"));
    assertEquals([row.level, row.path, row.destination, row.proof], ["INFO", file, "local", "checksum"]);
    assertMatch(row.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  }
});

Deno.test("history --json and --csv: stable keys in their order, alone on standard output", async () => {
  const { folder, program } = await installed({ on_conflict: "fail" });
  await using _folder = folder;
  await folder.write("nas/taken.txt", "older");
  const taken = await folder.write("data/taken.txt", "new");
  const good = await folder.write("data/20261120/good.txt", "good");
  await program.command(["run", "--once"]);

  const json = await program.command(["history", "--json"]);
  assertEquals([json.code, json.stderr], [0, ""]);
  const rows = JSON.parse(json.stdout);
  const keys = "id job path size destination method target state proof sha256 attempts queued_at delivered_at error warning"
    .split(" ");
  assertEquals(rows.map(Object.keys), [keys, keys]);
  const [delivered, failed] = ["delivered", "failed"].map((state) => rows.find((row: { state: string }) => row.state === state));
  assertEquals(
    [delivered.job, delivered.path, delivered.size, delivered.destination, delivered.method, delivered.target, delivered.error],
    ["default", good, 4, "local", "local", "20261120/good.txt", null],
  );
  assertEquals([delivered.proof, delivered.sha256.length], ["checksum", 64]);
  for (const time of [delivered.queued_at, delivered.delivered_at]) assertEquals(new Date(time).toISOString(), time);
  assertEquals([failed.path, failed.proof, failed.delivered_at], [taken, null, null]);
  assertEquals([Object.keys(failed.error), failed.error.code], [["code", "message", "hint"], "exists"]);

  const csv = await program.command(["history", "--csv", "--failed"]);
  const [head, ...lines] = csv.stdout.trim().split(/\r?\n/);
  assertEquals(head, [...keys.slice(0, -2), "error_code", "error_message", "error_hint", "warning"].join(","));
  assertEquals([lines.length, csv.stderr], [1, ""]);
});

Deno.test("exit codes: 0 done, 1 not delivered, 2 configuration, 3 another runs, 4 none runs; words go to standard error", async () => {
  const { folder, program } = await installed();
  await using _folder = folder;
  await folder.write("data/a.txt", "alpha");
  const silent = async (code: number, ...args: string[]): Promise<ProcessResult> => {
    const result = await program.command(args);
    assertEquals([args.join(" "), result.code, result.stdout], [args.join(" "), code, ""]);
    assert(result.stderr.trim() !== "", args.join(" "));
    return result;
  };
  for (const command of ["stop", "reload", "sync"]) await silent(4, command);
  await silent(2, "run", "-c", folder.at("missing.yaml"));
  await silent(2, "run", "--no-such-option");
  await silent(2, "no-such-command");
  await silent(2, "init", "-y", "-o", program.configFile);
  await silent(0, "run", "--once");
  {
    await using daemon = await program.start();
    await silent(3, "run", "--once");
    await silent(3);
    await silent(2, "sync", "no-such-job");
    await silent(2, "pause", "no-such-destination");
    await silent(0, "reload");
    const status = JSON.parse((await program.command(["status", "--json"])).stdout);
    assertEquals(
      Object.keys(status),
      "running all_well headline pid version started_at url configuration jobs destinations deliveries".split(" "),
    );
    assertEquals([status.running, status.pid], [true, daemon.pid]);
    assertEquals([status.all_well, status.configuration], [true, program.configFile]);
    const none = { files_waiting: 0, next_run: null, incomplete: 0, rejected: 0, not_sent: [], unmatched: null };
    const [{ last_image, ...job }, ...others] = status.jobs;
    const camera = { silent: false, usual_interval_seconds: null };
    assertEquals([job, others], [{ name: "default", watch_path: folder.at("data"), watching: true, ...none, ...camera }, []]);
    assertMatch(last_image, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assertEquals(
      Object.keys(status.destinations[0]),
      "name job method state reason free_bytes queued sending deferred delivered failed".split(" "),
    );
    assertEquals(status.deliveries, { queued: 0, sending: 0, deferred: 0, delivered: 1, failed: 0 });
    await silent(0, "stop");
    assertEquals(await daemon.ended, 0);
  }
  const resting = await program.command(["status", "--json"]);
  assertEquals([resting.code, JSON.parse(resting.stdout).running], [4, false]);
});

Deno.test("run --dry-run touches nothing: no state, no log, nothing at the destination", async () => {
  const { folder, program } = await installed();
  await using _folder = folder;
  const file = await folder.write("data/a.txt", "alpha");
  const before = await names(folder.path);
  const { code, stdout } = await program.command(["run", "--dry-run"]);
  assertEquals(code, 0);
  assert(stdout.startsWith(`${file} -> local `), stdout);
  assertEquals(await names(folder.path), before);
});

Deno.test("secrets are printed by no command and stand in no log", async () => {
  const { folder, program } = await installed({ web: { listen: "127.0.0.1:0", token: SECRET } });
  await using _folder = folder;
  await folder.write("data/a.txt", "alpha");
  await using daemon = await program.start({ args: ["-v"] });
  await program.until(([row]) => row?.state === "delivered");
  const shown: string[] = [];
  for (
    const args of [["config", "show"], ["config", "show", "--json"], ["status", "--json"], ["status"], ["doctor"], [
      "history",
      "--json",
    ]]
  ) {
    const { stdout, stderr } = await program.command(args);
    shown.push(stdout, stderr);
  }
  assertEquals(await daemon.stop(), 0);
  shown.push(daemon.output(), await program.log());
  assertEquals(shown.filter((text) => text.includes(SECRET)), []);
});
