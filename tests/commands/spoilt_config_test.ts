/** A configuration that was spoilt or deleted while the daemon runs keeps its owner from no command that does not need it. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { install, type Installation } from "../support/daemon_process.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

async function observatory(): Promise<{ folder: TempFolder; program: Installation }> {
  const folder = await tempFolder();
  await folder.write("data/a.txt", "alpha");
  const program = await install(folder.path, {
    watch_path: folder.at("data"),
    file_patterns: ["*.txt"],
    destinations: [{ name: "nas", transfer_method: "local", remote_base_path: folder.at("nas") }],
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    min_file_age_seconds: 0.2,
  });
  return { folder, program };
}

const SPOILS: Readonly<Record<string, (program: Installation) => Promise<void>>> = {
  "has an unknown key": async ({ configFile }) => {
    const config = JSON.parse(await Deno.readTextFile(configFile));
    await Deno.writeTextFile(configFile, JSON.stringify({ ...config, colour: "red" }));
  },
  "cannot be parsed": ({ configFile }) => Deno.writeTextFile(configFile, "colour: red\n", { append: true }),
  "is gone": ({ configFile }) => Deno.remove(configFile),
};

for (const [what, spoil] of Object.entries(SPOILS)) {
  Deno.test(`the configuration ${what}: every command still finds the daemon and the ledger, and warns`, async () => {
    const { folder, program } = await observatory();
    await using _folder = folder;
    await using daemon = await program.start();
    await program.until(([row]) => row?.state === "delivered");
    await spoil(program);
    const answers = async (code: number, ...words: string[]) => {
      const result = await program.command(words);
      assertEquals([words.join(" "), result.code], [words.join(" "), code], result.stderr);
      assertMatch(result.stderr, /config\.yaml/);
      return result;
    };
    const status = JSON.parse((await answers(0, "status", "--json")).stdout);
    assertEquals([status.pid, status.all_well, status.configuration], [daemon.pid, true, program.configFile]);
    assertStringIncludes((await answers(0, "status")).stderr, "Warning: ");
    assertEquals((await answers(1, "status", "--check")).stdout.startsWith("All is well"), true);
    assertStringIncludes((await answers(0, "history")).stdout, folder.at("data", "a.txt"));
    assertStringIncludes((await answers(0, "report")).stdout, "all well, the one image is on nas");
    assertStringIncludes((await answers(0, "verify")).stderr, "1 checked, 1 equal, 0 not");
    assertStringIncludes((await answers(0, "logs")).stdout, "Successfully transferred");
    await answers(0, "pause", "nas");
    await answers(0, "resume");
    await answers(0, "sync");
    await answers(0, "retry", "--all");
    assertStringIncludes((await answers(1, "open", "--print")).stderr, "turned off");
    const { stderr } = await answers(2, "reload");
    assertStringIncludes(stderr, "The daemon is keeping its current configuration.");
    assertEquals(new Set(stderr.split("\n")).size, stderr.split("\n").length, `told twice: ${stderr}`);
    assertStringIncludes((await answers(2, "restart")).stderr, "Not restarted");
    await answers(0, "pause", "nas");
    await folder.write("data/b.txt", "beta");
    await program.until((rows) => rows.length === 2);
    await answers(0, "stop");
    assertEquals(await daemon.ended, 0);

    assertEquals(JSON.parse((await answers(4, "status", "--json")).stdout).deliveries.delivered, 1);
    assertEquals((await answers(0, "history", "--csv")).stdout.trim().split("\n").length, 3);
    const report = await answers(1, "report");
    assertStringIncludes(report.stdout, "the configuration cannot be used");
    await answers(0, "pause");
    // Whether nas is configured cannot be told: nothing that waits for it is given up.
    await answers(2, "forget", "nas");
    assertEquals((await program.history()).map(({ state }) => state), ["delivered", "queued"]);
    await answers(2, "verify");
    await answers(2, "run", "--once");
  });
}

Deno.test("a file that is gone is never another daemon's: no command talks to one that runs with another file", async () => {
  const { folder, program } = await observatory();
  await using _folder = folder;
  const config = JSON.parse(await Deno.readTextFile(program.configFile));
  delete config.state_directory;
  await Deno.writeTextFile(program.configFile, JSON.stringify(config));
  await using daemon = await program.start();
  const gone = await program.command(["stop", "-c", folder.at("mistyped.yaml")]);
  assertEquals([gone.code, gone.stderr.includes("the file does not exist")], [2, true]);
  const broken = await folder.write("broken.yaml", "watch_path: [\n");
  const refused = await program.command(["stop", "-c", broken]);
  assertEquals(refused.code, 2);
  assertStringIncludes(refused.stderr, `-c ${program.configFile}`);
  assertEquals((await program.command(["status"])).code, 0);
  assertEquals(await daemon.stop(), 0);
});

Deno.test("a state_directory that was changed while the daemon runs: it is found where it was started, and restarts in the new one", async () => {
  const { folder, program } = await observatory();
  await using _folder = folder;
  await using daemon = await program.start();
  const config = JSON.parse(await Deno.readTextFile(program.configFile));
  await Deno.writeTextFile(program.configFile, JSON.stringify({ ...config, state_directory: folder.at("new") }));
  const { code, stderr, stdout } = await program.command(["status", "--json"]);
  assertEquals([code, JSON.parse(stdout).pid], [0, daemon.pid]);
  assertStringIncludes(stderr, `still uses "${program.stateFolder}"`);
  assertEquals((await program.command(["stop"])).code, 0);
  assertEquals(await daemon.ended, 0);
  assert((await program.command(["status"])).stderr.includes(folder.at("new")));
});
