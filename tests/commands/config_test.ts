/** `config` and the errors of commands, through the command line. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { checkHookPrograms } from "../../src/commands/checks/check_job.ts";
import { failureText } from "../../src/commands/text/failure_text.ts";
import { ConfigError, parseSettings } from "../../src/config/read/parse_settings.ts";
import { configSchema } from "../../src/config/schema/schema.ts";
import { sampleConfig } from "../../src/config/show/show.ts";
import { Failure } from "../../src/domain/failure.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { aComputer } from "../config/a_computer.ts";
import { tempFolder } from "../support/temp.ts";
import { called, testTools } from "../support/tools.ts";

const VALID = "watch_path: /data\nremote_host: freya\nremote_user: observer\nremote_base_path: /images\n";

async function image_transfer(cwd: string, ...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const tools = testTools(cwd);
  return await called(argv, tools);
}

Deno.test("config validate says what goes where", async () => {
  await using dir = await tempFolder();
  const file = await dir.write("c.yaml", VALID);
  const { code, stdout } = await image_transfer(dir.path, "config", "validate", "-c", "c.yaml");
  assertEquals([code, stdout], [0, `${file}: valid\n  default: /data → freya (auto observer@freya:/images)\n`]);
});

Deno.test("config validate shows NIGHT and layouts as part of the place", async () => {
  await using dir = await tempFolder();
  const paths = async (base: string, more = "") => {
    await dir.write("c.yaml", `remote_host: freya\nremote_base_path: ${base}\n${more || "watch_path: /data"}\n`);
    const { stdout } = await image_transfer(dir.path, "config", "validate", "-c", "c.yaml");
    return /default: (.*) → freya \(auto freya:(.*)\)/.exec(stdout)?.slice(1);
  };
  assertEquals(await paths("/data/NIGHT"), ["/data", "/data/NIGHT"]);
  assertEquals(await paths("/data/NIGHT/raw", "watch_path: /cam/NIGHT/raw"), ["/cam/NIGHT/raw", "/data/NIGHT/raw"]);
  assertEquals(await paths("/", 'watch_path: /cam\nlayout: "{night}/{path}"'), ["/cam", "/NIGHT"]);
  assertEquals(await paths("/d", 'watch_path: /cam\nlayout: "{stem}_x{ext}"'), ["/cam", "/d/{stem}_x{ext}"]);
});

Deno.test("config validate says where growing_files has no effect", async () => {
  await using dir = await tempFolder();
  const notes = async (more: string) => {
    await dir.write("c.yaml", `${VALID}${more}`);
    const { code, stdout } = await image_transfer(dir.path, "config", "validate", "-c", "c.yaml");
    return [code, ...stdout.split("\n").filter((line) => line.includes("Note: "))];
  };
  assertEquals(await notes("growing_files: true\n"), [0]);
  assertEquals(await notes("growing_files: false\ntransfer_method: scp\n"), [0]);
  assertEquals(await notes("growing_files: true\ntransfer_method: scp\n"), [
    0,
    "  Note: growing_files has no effect for freya with transfer_method: scp. Files are sent there once they are finished. " +
    "Use local, rsync, sftp or tar to send them earlier.",
  ]);
  assertEquals(await notes("growing_files: { min_size_mb: 1 }\ntransfer_method: sftp\nverify_transfer: size\n"), [
    0,
    "  Note: growing_files has no effect for freya with verify_transfer: size. Files are sent there once they are finished. " +
    "Set verify_transfer: true to send them earlier.",
  ]);
});

Deno.test("config validate says what is probably not meant, and which hooks cannot start their program", async () => {
  await using dir = await tempFolder();
  await dir.write("c.yaml", `${VALID}password: hunter2\nhooks: [{ on: [failed], command: [/no/such/program] }]\n`);
  await Deno.chmod(dir.at("c.yaml"), 0o600);
  const { code, stdout } = await image_transfer(dir.path, "config", "validate", "-c", "c.yaml");
  assertEquals([code, ...stdout.split("\n").filter((line) => line.includes("Note: "))], [
    0,
    '  Note: "password" has no effect for freya with transfer_method: auto; it is for ftp and ftps: ssh logs in with a key',
    '  Note: The hook on failed cannot start "/no/such/program": there is no such program. Correct its command, make the file ' +
    "executable, or put it in a folder on the PATH of the account that runs the daemon.",
  ]);
});

Deno.test("checkHookPrograms() of the compiled program: a path leads to no program that it may start", async () => {
  const hooks = "hooks: [{ on: [failed], command: [/bin/sh] }, { on: [held], url: https://ntfy.sh/topic }]\n";
  const { jobs: [job] } = parseSettings(VALID + hooks, "c.yaml", "yaml", aComputer());
  const system = { ...createSystem(), compiled: true };
  assertEquals((await checkHookPrograms(job!, system)).map(({ hint }) => hint), [
    "Give it the name image-transfer-hook and put it in a folder on the PATH, or run image-transfer from source.",
  ]);
});

Deno.test(
  "config validate warns of a password in a file that other accounts can read",
  { ignore: Deno.build.os === "windows" },
  async () => {
    await using dir = await tempFolder();
    const config = "watch_path: /cam\nremote_host: nas\nremote_base_path: /data\ntransfer_method: ftp\n";
    const warns = async (more: string, mode: number, named = "password") => {
      await Deno.chmod(await dir.write("c.yaml", `${config}${more}`), mode);
      const { code, stdout } = await image_transfer(dir.path, "config", "validate", "-c", "c.yaml");
      assertEquals(code, 0);
      const told = /Note: Other accounts can read the (.*) in .*c\.yaml\. Run `chmod 600 /.exec(stdout)?.[1];
      return told === undefined ? false : told === named || told;
    };
    assertEquals(await warns("password: geheim\n", 0o644), true);
    assertEquals(await warns('"password": "geheim"\n', 0o640), true);
    assertEquals(await warns("password: geheim\n", 0o600), false);
    assertEquals(await warns('# password: geheim\npassword: "$HOME"\n', 0o644), false);
    assertEquals(await warns("password_file: /no/such\n", 0o644), false);
    const token = "web: { token: sixteen-letters-and-more, metrics_token: another-sixteen-letters }\n";
    assertEquals(await warns(token, 0o644, "web.token, web.metrics_token"), true);
    const hook = "hooks: [{ on: [failed], url: 'https://chat.example/abc', secret: s3cret }]\n";
    assertEquals(await warns(hook, 0o644, "hooks.url, hooks.secret"), true);
    const server = "pocketbase: { url: 'https://pb.example', admin_email: a@b.example, admin_password: geheim }\n";
    assertEquals(await warns(server, 0o644, "pocketbase.admin_password"), true);
  },
);

Deno.test("config validate tells every mistake", async () => {
  await using dir = await tempFolder();
  await dir.write("c.yaml", `${VALID}file_patern: x\nretry_attempts: -1\n`);
  const error = await assertRejects(() => image_transfer(dir.path, "config", "validate", "-c", "c.yaml"), ConfigError);
  assertEquals(error.problems.map(({ line, key }) => [line, key]), [[5, "file_patern"], [6, "retry_attempts"]]);
});

Deno.test("config show prints YAML, or JSON with --json, and nothing else", async () => {
  await using dir = await tempFolder();
  await dir.write("c.yaml", VALID);
  const yaml = await image_transfer(dir.path, "config", "show", "-c", "c.yaml");
  assertStringIncludes(yaml.stdout, "remote_host: freya\n");
  const json = await image_transfer(dir.path, "config", "show", "--json", "-c", "c.yaml");
  assertEquals(JSON.parse(json.stdout).jobs[0].destinations[0].remote_host, "freya");
  assertEquals([yaml.stderr, json.stderr], ["", ""]);
});

Deno.test("config generate prints the sample, or writes it to --output in the format of the name", async () => {
  await using dir = await tempFolder();
  assertEquals((await image_transfer(dir.path, "config", "generate")).stdout, sampleConfig("yaml"));
  assertEquals((await image_transfer(dir.path, "config", "generate", "--format", "toml")).stdout, sampleConfig("toml"));
  assertEquals((await image_transfer(dir.path, "config", "generate", "--output", "config.toml")).code, 0);
  assertEquals(await dir.read("config.toml"), sampleConfig("toml"));
  await assertRejects(() => image_transfer(dir.path, "config", "generate", "--output", "config.toml"), Failure, "already exists");
});

Deno.test("config schema prints the JSON Schema", async () => {
  assertEquals(JSON.parse((await image_transfer("/", "config", "schema")).stdout), configSchema());
});

Deno.test("failureText() gives mistakes of the configuration their lines and exit code 2", () => {
  const error = new ConfigError("c.yaml", [{ line: 1, column: 2, key: "a", message: "wrong" }, {
    line: 3,
    column: 4,
    key: "b",
    message: "worse",
  }]);
  assertEquals(failureText(error), { text: "c.yaml:1:2: wrong\nc.yaml:3:4: worse\n", code: 2 });
});

Deno.test("failureText() gives a failure its message and hint, control characters escaped", () => {
  const failure = new Failure("unreachable", "Cannot reach \x1b[31mfreya", { hint: "Look at the cable." });
  assertEquals(failureText(failure), { text: "Cannot reach \\x1b[31mfreya\nLook at the cable.\n", code: 1 });
  assertEquals(failureText(new Failure("configuration", "No.")), { text: "No.\n", code: 2 });
});

Deno.test("failureText() keeps the stack of what should not happen", () => {
  const { text, code } = failureText(new TypeError("x is not a function"));
  assertEquals(code, 1);
  assertStringIncludes(text, "Internal error");
  assertStringIncludes(text, "config_test.ts");
});

Deno.test("config validate names the keys of seed 2 that have no effect here", async () => {
  await using dir = await tempFolder();
  await dir.write(
    "c.toml",
    '[[sync_jobs]]\nid = "a"\nsource_path = "/a"\ndestination_path = "/b"\n[cache]\ncache_dir = "/c"\nconfig_cache_ttl_secs = 300\n',
  );
  const { code, stdout } = await image_transfer(dir.path, "config", "validate", "-c", "c.toml");
  assertEquals([code, stdout.split("\n").filter((line) => line.includes("Note"))], [0, [
    '  Note: "cache_dir" has no effect without [pocketbase]',
    '  Note: "config_cache_ttl_secs" has no effect: the configuration is read when it changes',
  ]]);
});
