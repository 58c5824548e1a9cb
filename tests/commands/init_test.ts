/** `init`: the first configuration, on real folders. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type InitInput, writeConfig } from "../../src/commands/init.ts";
import { parseSettings } from "../../src/config/read/parse_settings.ts";
import { sampleConfig } from "../../src/config/show/show.ts";
import { Failure } from "../../src/domain/failure.ts";
import { tempFolder } from "../support/temp.ts";
import { testTools } from "../support/tools.ts";

const NOTHING: InitInput = { output: undefined, config: undefined, force: false, yes: false, format: undefined };
const USUAL = ".config/image-transfer/config.yaml";

Deno.test("init writes the sample to the user's place, for this user only", async () => {
  await using dir = await tempFolder();
  const tools = testTools(dir.path);
  assertEquals(await writeConfig(NOTHING, tools), 0);
  assertEquals(await dir.read(USUAL), sampleConfig("yaml"));
  if (Deno.build.os !== "windows") assertEquals((await Deno.stat(dir.at(USUAL))).mode! & 0o777, 0o600);
  assertEquals(tools.printed.stdout, "");
  assertStringIncludes(tools.printed.stderr, `Wrote ${dir.at(USUAL)}`);
});

Deno.test("init leaves a file that is there, unless forced", async () => {
  await using dir = await tempFolder();
  const file = await dir.write("mine.yaml", "watch_path: /precious\n");
  const failure = await assertRejects(() => writeConfig({ ...NOTHING, output: "mine.yaml" }, testTools(dir.path)), Failure);
  assertEquals([failure.code, failure.message], [
    "configuration",
    `Cannot write the configuration "${file}": the file already exists`,
  ]);
  assertEquals(await dir.read("mine.yaml"), "watch_path: /precious\n");
  await writeConfig({ ...NOTHING, output: "mine.yaml", force: true }, testTools(dir.path));
  assertEquals(await dir.read("mine.yaml"), sampleConfig("yaml"));
});

Deno.test("init names the file in the next steps where it is not found by itself", async () => {
  await using dir = await tempFolder();
  const steps = async (output: string | undefined) => {
    const tools = testTools(dir.path, { system: { platform: "linux" } });
    await writeConfig({ ...NOTHING, output, yes: true }, tools);
    return tools.printed.stderr.split("\n").filter((line) => line.startsWith("  image-transfer")).map((line) => line.trim());
  };
  assertEquals((await steps(undefined))[0], "image-transfer doctor    checks that everything is reachable");
  assertEquals(await steps("my gen.toml"), [
    `image-transfer doctor -c '${dir.at("my gen.toml")}'    checks that everything is reachable`,
    `image-transfer -v -c '${dir.at("my gen.toml")}'        runs it and shows what it does`,
  ]);
});

Deno.test("init says so where the camera's folder is not there, and asks on", async () => {
  await using dir = await tempFolder();
  const tools = testTools(dir.path, { answers: ["~/soon", "local", "/mnt/nas"] });
  assertEquals(await writeConfig(NOTHING, tools), 0);
  assertStringIncludes(
    tools.printed.stderr,
    `The folder "${dir.at("soon")}" does not exist yet; it will be watched as soon as it appears.\n`,
  );
  await Deno.mkdir(dir.at("there"));
  const again = testTools(dir.path, { answers: ["~/there", "local", "/mnt/nas"] });
  assertEquals(await writeConfig({ ...NOTHING, force: true }, again), 0);
  assertEquals(again.printed.stderr.includes("does not exist"), false);
});

Deno.test("init never writes over a folder, even when forced", async () => {
  await using dir = await tempFolder();
  await assertRejects(
    () => writeConfig({ ...NOTHING, output: dir.path, force: true }, testTools(dir.path)),
    Failure,
    "it is a folder",
  );
});

Deno.test("init writes TOML where the name or the format says so", async () => {
  await using dir = await tempFolder();
  await writeConfig({ ...NOTHING, output: "a.toml" }, testTools(dir.path));
  await writeConfig({ ...NOTHING, format: "toml" }, testTools(dir.path));
  assertEquals(await dir.read("a.toml"), sampleConfig("toml"));
  assertEquals(await dir.read(".config/image-transfer/config.toml"), sampleConfig("toml"));
});

Deno.test("init asks on a terminal, again where an answer does not hold, and writes what was answered", async () => {
  await using dir = await tempFolder();
  const answers = ["images", "~/images", "rsnyc", "rsync", "", "-oProxy", "freya", "observer", "/data/images"];
  const tools = testTools(dir.path, { answers });
  assertEquals(await writeConfig(NOTHING, tools), 0);
  const { jobs } = parseSettings(await dir.read(USUAL), "c", "yaml", tools.system);
  const [destination] = jobs[0]!.destinations;
  assertEquals([jobs[0]!.watchPath, destination?.basePath], [dir.at("images"), "/data/images"]);
  assertEquals(destination?.transport, {
    method: "rsync",
    host: "freya",
    user: "observer",
    port: null,
    compression: false,
    rsyncOptions: [],
  });
  assertStringIncludes(tools.printed.stderr, '"watch_path" must be an absolute path');
  assertStringIncludes(tools.printed.stderr, 'did you mean "rsync"?');
  assertStringIncludes(tools.printed.stderr, "An answer is required.");
  assertStringIncludes(tools.printed.stderr, '"remote_host" must be a host name');
});

Deno.test("init asks neither host nor user for a folder of this computer, and refuses a ring", async () => {
  await using dir = await tempFolder();
  const tools = testTools(dir.path, { answers: ["", "local", "~/images/sent", "/mnt/nas"] });
  assertEquals(await writeConfig(NOTHING, tools), 0);
  const { jobs } = parseSettings(await dir.read(USUAL), "c", "yaml", tools.system);
  assertEquals([jobs[0]?.destinations[0]?.transport.method, jobs[0]?.destinations[0]?.basePath], ["local", "/mnt/nas"]);
  assertStringIncludes(tools.printed.stderr, "overlap");
});

Deno.test("init writes nothing when the answers end early", async () => {
  await using dir = await tempFolder();
  assertEquals(await writeConfig(NOTHING, testTools(dir.path, { answers: ["~/images", "auto"] })), 2);
  assertEquals(await Array.fromAsync(Deno.readDir(dir.path)), []);
});

Deno.test("init --yes asks nothing", async () => {
  await using dir = await tempFolder();
  await writeConfig({ ...NOTHING, yes: true }, testTools(dir.path, { answers: [] }));
  assertEquals(await dir.read(USUAL), sampleConfig("yaml"));
});

Deno.test("init asks for what the chosen method needs: user and password file of an FTP server, no host for rclone", async () => {
  await using dir = await tempFolder();
  const chosen = async (...answers: string[]) => {
    const tools = testTools(dir.path, { answers });
    assertEquals(await writeConfig({ ...NOTHING, force: true }, tools), 0);
    return parseSettings(await dir.read(USUAL), "c", "yaml", tools.system).jobs[0]!.destinations[0]!;
  };
  const ftp = (await chosen("~/images", "ftps", "freya", "observer", "~/secret", "/data")).transport;
  assertEquals(ftp.method === "ftps" && [ftp.host, ftp.user, ftp.passwordFile], ["freya", "observer", dir.at("secret")]);
  const anonymous = (await chosen("~/images", "ftp", "freya", "", "/data")).transport;
  assertEquals(anonymous.method === "ftp" && [anonymous.user, anonymous.passwordFile], [null, null]);
  assertEquals((await chosen("~/images", "rclone", "s3remote:bucket/images")).transport.method, "rclone");
});

Deno.test("init --watch FOLDER --to DEST asks nothing, and writes what was said", async () => {
  await using dir = await tempFolder();
  const said = { watch: "images", to: "sftp://observer@freya:2222/data" };
  const tools = testTools(dir.path, { answers: [] });
  assertEquals(await writeConfig({ ...NOTHING, ...said }, tools), 0);
  const { jobs } = parseSettings(await dir.read(USUAL), "config.yaml", "yaml", tools.system);
  assertEquals([jobs[0]?.watchPath, jobs[0]?.destinations[0]?.basePath], [dir.at("images"), "/data"]);
  assertEquals(jobs[0]?.destinations[0]?.transport, {
    method: "sftp",
    host: "freya",
    user: "observer",
    port: 2222,
    compression: false,
  });
  await writeConfig({ ...NOTHING, watch: "images", to: "nas", output: "local.toml" }, tools);
  assertStringIncludes(await dir.read("local.toml"), `remote_base_path = "${dir.at("nas")}"`);
});

Deno.test("init refuses --watch and --to that cannot be used, and writes nothing", async () => {
  await using dir = await tempFolder();
  const message = async (said: Partial<InitInput>) =>
    (await assertRejects(() => writeConfig({ ...NOTHING, ...said }, testTools(dir.path)), Failure)).message;
  assertEquals(await message({ watch: "images" }), "--watch and --to must be used together");
  assertEquals(await message({ watch: "", to: "nas" }), "--watch is empty");
  assertStringIncludes(await message({ watch: "images", to: "images" }), "overlap");
  assertStringIncludes(await message({ watch: "images", to: "gopher://freya/x" }), '"gopher://" is not known');
  assertEquals(await Array.fromAsync(Deno.readDir(dir.path)), []);
});

for (
  const [answer, expected] of [["all", null], ["today", "2026-11-24"], ["Today", "2026-11-24"], [
    "2026-10-01",
    "2026-10-01",
  ]] as const
) {
  Deno.test(`init asks what to do with the files that are there already; ${answer} is newer_than: ${expected}`, async () => {
    await using dir = await tempFolder();
    for (const name of ["old/a.fits", "b.fits", "notes.txt"]) await dir.write(`images/${name}`, "x".repeat(500));
    const questions: string[] = [];
    // One o'clock in the morning, in the middle of a night.
    const now = () => new Date(2026, 10, 25, 1).getTime();
    const tools = testTools(dir.path, { answers: ["~/images", "local", "/mnt/nas", "yesterday", answer], system: { now } });
    const prompt = tools.prompt;
    const asking = { ...tools, prompt: (question: string) => (questions.push(question), prompt!(question)) };
    assertEquals(await writeConfig(NOTHING, asking), 0);
    assertEquals(questions.at(-1), "2 files, 1 kB are there already: send all, or from today on (all, today, or a date)?");
    assertStringIncludes(tools.printed.stderr, '"newer_than" must be a date like 2026-11-01');
    const written = /^newer_than: (.*)$/m.exec(await dir.read(USUAL))?.[1] ?? null;
    assertEquals(written, expected);
    const { newerThan } = parseSettings(await dir.read(USUAL), "c", "yaml", tools.system).jobs[0]!;
    assertEquals(newerThan, expected === null ? null : { since: "local", shownMs: Date.parse(expected) });
  });
}

Deno.test("init --watch says how many files are there already, and how to send only new ones", async () => {
  await using dir = await tempFolder();
  await dir.write("images/a.fits", "x".repeat(500));
  const tools = testTools(dir.path);
  assertEquals(await writeConfig({ ...NOTHING, watch: "images", to: dir.at("nas") }, tools), 0);
  assertStringIncludes(
    tools.printed.stderr,
    "1 file, 500 B are there already and will be sent. To send only new ones, set newer_than: now\n",
  );
});
