import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { basename } from "@std/path";
import { dataToNas, install } from "../support/daemon_process.ts";
import { needs } from "../support/needs.ts";
import { realFiles } from "../support/readers.ts";
import { tempFolder } from "../support/temp.ts";

const bench = (changes: Record<string, unknown> = {}) => dataToNas({ retry_delay: 0.1, ...changes });

/** Gives it a time that is still to come: `incomplete_after` counts from when it is seen then, however long the program takes to start. */
async function ageless(path: string): Promise<void> {
  const later = new Date(Date.now() + 60_000);
  await Deno.utime(path, later, later);
}

/** Every path below a folder, with sizes. */
function tree(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory ? [path, ...tree(path)] : [`${path} ${Deno.statSync(path).size}`];
  }).sort();
}

Deno.test("run --once delivers what is there, exits 0, and leaves no temporary file", async () => {
  const { folder, program } = await bench();
  await using _folder = folder;
  await folder.write("data/20260115/a b.fits", "alpha");
  const { code, stderr } = await program.command(["run", "--once"]);
  assertEquals([code, await folder.read("nas/20260115/a b.fits")], [0, "alpha"]);
  assertStringIncludes(stderr, `INFO Successfully transferred "${folder.at("data", "20260115", "a b.fits")}"`);
  assertEquals(tree(folder.at("nas")).length, 2);
  assertEquals((await program.command(["run", "--once"])).code, 0);
});

Deno.test("run without a name is run", async () => {
  const { folder, program } = await bench();
  await using _folder = folder;
  await folder.write("data/a.fits", "alpha");
  assertEquals((await program.command(["--once"])).code, 0);
  assertEquals(await folder.read("nas/a.fits"), "alpha");
});

Deno.test("run --once exits 1 and says why when a file failed", async () => {
  const { folder, program } = await bench({ on_conflict: "fail" });
  await using _folder = folder;
  await folder.write("nas/a.fits", "older");
  await folder.write("data/a.fits", "alpha");
  await folder.write("data/b.fits", "beta");
  const { code, stderr } = await program.command(["run", "--once"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "Not delivered: ");
  assertStringIncludes(stderr, "a.fits");
  assertEquals(await folder.read("nas/b.fits"), "beta");
  assertEquals((await program.command(["run", "--once"])).code, 1);
});

Deno.test("run --once exits 1 when a file is incomplete", async () => {
  const { folder, program } = await bench({ incomplete_after: "1s" });
  await using _folder = folder;
  const header = [
    "SIMPLE  =                    T",
    "BITPIX  =                    8",
    "NAXIS   =                    1",
    "NAXIS1  =               100000",
    "END",
  ];
  await folder.write("data/short.fits", header.map((card) => card.padEnd(80)).join("").padEnd(2880));
  const { code, stderr } = await program.command(["run", "--once"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "short.fits");
});

Deno.test("run --once and --dry-run say what they wait for", async () => {
  const { folder, program } = await bench({ incomplete_after: "5s" });
  await using _folder = folder;
  const header = ["SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    1"];
  const cards = [...header, "NAXIS1  =               100000", "END"];
  const half = cards.map((card) => card.padEnd(80)).join("").padEnd(2880);
  for (const [name, how] of [["a.fits", "--once"], ["b.fits", "--dry-run"]] as const) {
    await ageless(await folder.write(`data/${name}`, half));
    const { stderr } = await program.command(["run", how]);
    assertMatch(stderr, new RegExp(`^Waiting for ${name}: 2880 of 103680 bytes, [0-5] s at most unless it keeps growing$`, "m"));
    await Deno.remove(folder.at("data", name));
  }
});

Deno.test("run --once with log_format json prints nothing but JSON lines", async () => {
  const { folder, program } = await bench({ incomplete_after: "5s", log_format: "json" });
  await using _folder = folder;
  const cards = ["SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    1"];
  const half = [...cards, "NAXIS1  =               100000", "END"].map((card) => card.padEnd(80)).join("").padEnd(2880);
  await ageless(await folder.write("data/a.fits", half));
  const { code, stdout, stderr } = await program.command(["run", "--once"]);
  assertEquals([code, stdout], [1, ""]);
  const lines = stderr.trim().split("\n").map((line) => JSON.parse(line));
  const said = (begin: string) => lines.filter(({ message }) => message.startsWith(begin)).map(({ level }) => level);
  assertEquals([said("Waiting for a.fits"), said("Not delivered: ")], [["INFO"], ["ERROR"]], stderr);
});

Deno.test("run --once gives a destination up that cannot be reached, and exits 1", async () => {
  const { folder, program } = await bench({
    transfer_method: "sftp",
    remote_host: "127.0.0.1",
    remote_port: 9,
    retry_attempts: 2,
  });
  await using _folder = folder;
  await folder.write("data/a.fits", "alpha");
  await folder.write("data/b.fits", "beta");
  const { code, stderr } = await program.command(["run", "--once"]);
  assertEquals(code, 1);
  assertMatch(stderr, /^Not delivered: 127\.0\.0\.1 is unavailable: .* \(2 waiting\)$/m);
});

Deno.test("run --once exits 1 when the watched folder is not there", async () => {
  const { folder, program } = await bench();
  await using _folder = folder;
  await Deno.remove(folder.at("data"));
  const { code, stderr } = await program.command(["run", "--once"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, folder.at("data"));
});

Deno.test("run exits 3 while another instance runs", async () => {
  const { folder, program } = await bench();
  await using _folder = folder;
  await using daemon = await program.start();
  for (const args of [["run"], ["run", "--once"]]) {
    const { code, stderr } = await program.command(args);
    assertEquals(code, 3);
    assertStringIncludes(stderr, "Another image-transfer is already running");
  }
  assertEquals(await daemon.stop(), 0);
});

Deno.test("run --dry-run says what would be sent where, and touches nothing", async () => {
  const { folder, program } = await bench({ layout: "{night}/{path}" });
  await using _folder = folder;
  await folder.write("data/a.fits", "alpha");
  const before = tree(folder.path).filter((path) => !path.includes("/.cache"));
  const { code, stdout, stderr } = await program.command(["run", "--dry-run"]);
  assertEquals(code, 0);
  assert(/a\.fits -> local .*\/nas\/\d{8}\/a\.fits\n$/.test(stdout), stdout);
  assertStringIncludes(stderr, "Nothing was changed");
  assertEquals(tree(folder.path).filter((path) => !path.includes("/.cache")), before);
});

Deno.test("run ends cleanly at SIGTERM and SIGINT", async () => {
  const { folder, program } = await bench();
  await using _folder = folder;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await using daemon = await program.start();
    daemon.kill(signal);
    assertEquals(await daemon.ended, 0);
    assertStringIncludes(daemon.output(), "Stopped");
  }
});

Deno.test("run reads its configuration again at SIGHUP and when the file changes, and keeps the former when it is bad", async () => {
  const { folder, program } = await bench();
  await using _folder = folder;
  await using daemon = await program.start();
  const config = JSON.parse(await Deno.readTextFile(program.configFile));
  const until = async (text: string) => {
    for (let turn = 0; turn < 600 && !daemon.output().includes(text); turn++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assertStringIncludes(daemon.output(), text);
  };
  daemon.kill("SIGHUP");
  await until("Configuration reloaded");
  await Deno.writeTextFile(program.configFile, JSON.stringify({ ...config, nonsense: 1 }));
  await until("Configuration not reloaded");
  await Deno.writeTextFile(program.configFile, JSON.stringify({ ...config, remote_base_path: folder.at("nas2") }));
  await folder.write("data/a.fits", "alpha");
  await until("Successfully transferred");
  assertEquals(await daemon.stop(), 0);
});

Deno.test("run watches the folders of all nights where watch_path has NIGHT in it, and begins paths below them", async () => {
  const folder = await tempFolder();
  await using _folder = folder;
  const program = await install(folder.path, {
    watch_path: folder.at("data", "NIGHT", "raw"),
    transfer_method: "local",
    remote_base_path: folder.at("nas", "NIGHT"),
    recursive: false,
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    min_file_age_seconds: 0.2,
  });
  await folder.write("data/20261119/raw/a.fits", "alpha");
  await folder.write("data/20261120/raw/a.fits", "beta");
  for (const name of ["20261120/a.fits", "20261120/raw/x/a.fits", "darks/raw/a.fits", "a.fits"]) {
    await folder.write(`data/${name}`, "not wanted");
  }
  await using daemon = await program.start();
  await program.until((rows) => rows.length === 2 && rows.every(({ state }) => state === "delivered"));
  await folder.write("data/20261121/raw/a.fits", "gamma");
  await program.until((rows) => rows.length === 3 && rows.every(({ state }) => state === "delivered"));
  assertEquals(await daemon.stop(), 0);
  assertEquals(tree(folder.at("nas")).filter((path) => path.includes(".fits")), [
    `${folder.at("nas")}/20261119/a.fits 5`,
    `${folder.at("nas")}/20261120/a.fits 4`,
    `${folder.at("nas")}/20261121/a.fits 5`,
  ]);
});

Deno.test(
  "run --once delivers every FITS file that astropy ships for its tests, and flags those whose checksum is stale",
  needs("astropy"),
  async () => {
    const { folder, program } = await bench();
    await using _folder = folder;
    const names = (await realFiles()).map((path) => basename(path));
    for (const path of await realFiles()) await Deno.copyFile(path, folder.at("data", basename(path)));
    const { code, stderr } = await program.command(["run", "--once"]);
    assertEquals(code, 0, stderr);
    const rows = await program.history();
    assertEquals(rows.filter(({ state, proof }) => state === "delivered" && proof === "checksum").length, new Set(names).size);
    const stale = rows.filter(({ warning }) => warning?.includes("its DATASUM does not match its data"));
    assert(stale.some(({ path }) => path.endsWith("/checksum_false.fits")), JSON.stringify(stale));
    for (const { path, warning } of stale) {
      assertStringIncludes(stderr, `WARNING "${basename(path)}" is sent as it is: ${warning}`);
    }
  },
);
