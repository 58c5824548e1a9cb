import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Installation } from "../support/daemon_process.ts";
import { readLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { mirrorRig } from "./mirror_rig.ts";

async function isWell(program: Installation): Promise<boolean> {
  return JSON.parse((await program.command(["status", "--json"])).stdout).all_well;
}

Deno.test("a mirror moves what was deleted to the trash, says where it lies, and delivers it again when it comes back", async () => {
  await using it = await mirrorRig();
  const { program } = it;
  await it.write(["night/a.fits", "night/b.fits", "c.fits"]);
  await using daemon = await program.start();
  await program.until((rows) => rows.filter(({ state }) => state === "delivered").length === 3);
  const kept = await Deno.readFile(it.folder.at("data/night/a.fits"));
  await Deno.rename(it.folder.at("data/night/a.fits"), it.folder.at("aside"));
  await it.until(() => it.trashed().length === 1, "a.fits is in the trash");
  assertEquals([it.shown(), it.trashed()], [["c.fits", "night/b.fits"], ["night/a.fits"]]);
  const rows = await program.until((rows) => rows.some(({ state }) => state === "failed"));
  const row = rows.find(({ path }) => path.endsWith("a.fits"));
  assertEquals(row?.error?.code, "removed");
  assertMatch(
    row?.error?.message ?? "",
    /removed at local, where it lies in ".*\.image-transfer-trash\/[^/]+\/night\/a\.fits" for 7 days/,
  );
  assertStringIncludes(daemon.output(), "Removed at local, because it was deleted at the source: ");
  const { stdout, code } = await program.command(["status"]);
  assertEquals(code, 0, stdout);
  assertStringIncludes(stdout, "2 delivered");
  // The same file, with the same time and number, is delivered anew.
  await Deno.rename(it.folder.at("aside"), it.folder.at("data/night/a.fits"));
  await it.until(() => it.shown().length === 3, "a.fits is back");
  assertEquals(await Deno.readFile(it.folder.at("nas/night/a.fits")), kept);
  assertEquals(it.trashed(), ["night/a.fits"]);
  assertEquals(await daemon.stop(), 0);
  assertEquals(it.trashed(), ["night/a.fits"], "a clean stop keeps the trash");
});

Deno.test("a mirror with keep_deleted 0 removes for good; a renamed file is delivered under its new name", async () => {
  await using it = await mirrorRig({ keep_deleted: 0 });
  await it.write(["a.fits", "b.fits"]);
  await using daemon = await it.program.start();
  await it.program.until((rows) => rows.filter(({ state }) => state === "delivered").length === 2);
  await Deno.rename(it.folder.at("data/a.fits"), it.folder.at("data/new.fits"));
  await it.until(() => it.shown().join() === "b.fits,new.fits", "a.fits is new.fits");
  await it.write(["b.fits"], 77);
  await it.until(
    () => it.shown().join() === "b.fits,new.fits" && daemon.output().includes("Removed the replaced"),
    "b.fits is new",
  );
  assertEquals([it.shown(), it.trashed()], [["b.fits", "new.fits"], []]);
  assertEquals(await daemon.stop(), 0);
});

Deno.test("a mirror follows a name of which only the case has changed, where the destination tells them apart", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using it = await mirrorRig({ keep_deleted: 0 });
  await it.write(["a.fits", "b.fits"]);
  await it.program.command(["run", "--once"]);
  await Deno.rename(it.folder.at("data/a.fits"), it.folder.at("data/A.FITS"));
  await it.program.command(["run", "--once"]);
  assertEquals(it.shown(), ["A.FITS", "b.fits"]);
});

Deno.test("a mirror stops and asks before it removes more than max_delete; resume --accept allows it", async () => {
  await using it = await mirrorRig({ max_delete: 2 });
  const { program } = it;
  const names = ["d.fits", "e.fits", "x/a.fits", "x/b.fits", "x/c.fits"];
  await it.write(names);
  await using daemon = await program.start();
  await program.until((rows) => rows.filter(({ state }) => state === "delivered").length === 5);
  // At once: of those that are missed first, two might be removed.
  await Deno.rename(it.folder.at("data/x"), it.folder.at("aside"));
  await it.until(async () => /resume\s+--accept/.test((await program.command(["status"])).stdout), "the mirror asks");
  const { stdout } = await program.command(["status"]);
  assertMatch(
    stdout.replaceAll(/\s+/g, " "),
    /REMOVALS WAIT.*3 delivered files are no longer in the watched folder, and max_delete is 2.*resume --accept default\/local/,
  );
  const json = JSON.parse((await program.command(["status", "--json"])).stdout);
  assertEquals(json.destinations[0].removals_held.files, 3);
  const { stdout: dry, stderr } = await program.command(["run", "--dry-run"]);
  assertEquals(dry.split("\n").filter((line) => line.startsWith("remove ")).length, 3);
  assertStringIncludes(stderr, "local would ask first: 3 delivered files");
  assertStringIncludes((await program.command(["doctor"])).stdout, "run: image-transfer resume --accept default/local");
  assertEquals([it.shown(), it.trashed()], [names, []]);
  assertStringIncludes((await program.command(["resume", "--accept", "default/local"])).stderr, "Accepted: ");
  await it.until(() => it.trashed().length === 3, "what was accepted is removed");
  assertEquals(it.shown(), ["d.fits", "e.fits"]);
  assertStringIncludes((await program.command(["resume", "--accept"])).stderr, "No removals are waiting");
  await it.until(() => isWell(program), "all is well");
  assertEquals(await daemon.stop(), 0);
});

for (
  const [what, spoil, undo] of [
    ["emptied", async (data: string) => await Deno.rename(`${data}/n`, `${data}.off`), null],
    [
      "not there",
      async (data: string) => await Deno.rename(data, `${data}.off`),
      async (data: string) => await Deno.rename(`${data}.off`, data),
    ],
    ["another folder", async (data: string) => {
      await Deno.rename(data, `${data}.off`);
      await Deno.mkdir(`${data}/n`, { recursive: true });
      await Deno.copyFile(`${data}.off/n/a.fits`, `${data}/n/a.fits`);
    }, async (data: string) => {
      await Deno.remove(data, { recursive: true });
      await Deno.rename(`${data}.off`, data);
    }],
  ] as const
) {
  Deno.test(`a mirror removes nothing where the watched folder is ${what}`, async () => {
    await using it = await mirrorRig();
    const { program } = it;
    await it.write(["n/a.fits", "n/b.fits"]);
    await using daemon = await program.start();
    await program.until((rows) => rows.filter(({ state }) => state === "delivered").length === 2);
    const seen = () => {
      using ledger = readLedger(program.stateFolder);
      return ledger.mirrorOf("default", "local")?.root ?? "";
    };
    await it.until(() => seen() !== "", "the mirror has seen the folder");
    await spoil(it.folder.at("data"));
    await new Promise((resolve) => setTimeout(resolve, 9_000));
    const told = async () => (await program.command(["status"])).stdout;
    await it.until(async () => /REMOVALS WAIT|not watched|CANNOT WATCH/.test(await told()), "it is said");
    assertEquals(it.trashed(), []);
    assert(["n/a.fits", "n/b.fits"].every((name) => it.shown().includes(name)), it.shown().join());
    if (undo === null) return assertEquals(await daemon.stop(), 0);
    await undo(it.folder.at("data"));
    await it.until(() => isWell(program), "all is well again");
    assertEquals(it.trashed(), []);
    assertEquals(await daemon.stop(), 0);
  });
}

Deno.test("a mirror moves what it replaces to the trash, and leaves what others changed at the destination", async () => {
  await using it = await mirrorRig();
  const { program } = it;
  await it.write(["a.fits", "b.fits", "c.fits"]);
  await using daemon = await program.start();
  await program.until((rows) => rows.filter(({ state }) => state === "delivered").length === 3);
  await it.write(["b.fits"], 77);
  await program.until((rows) => rows.filter(({ state }) => state === "delivered").length === 4);
  await it.until(() => it.trashed().join() === "b.v1.fits", "the replaced version is in the trash");
  assertMatch(
    daemon.output(),
    /Removed the replaced "b\.v1\.fits" at local: it is kept as "\.image-transfer-trash\/[^"]*" for 7 days/,
  );
  const changed = await Deno.readFile(it.folder.at("nas/a.fits"));
  changed[2900] = 255 - changed[2900]!;
  await Deno.writeFile(it.folder.at("nas/a.fits"), changed);
  await Deno.writeFile(it.folder.at("nas/c.fits"), changed);
  await it.write(["c.fits"], 78);
  await program.until((rows) => rows.filter(({ state }) => state === "delivered").length === 5);
  await it.remove("a.fits", "b.fits");
  await it.until(() => it.trashed().length === 2, "b.fits is in the trash");
  assertEquals([it.shown(), it.trashed()], [["a.fits", "c.fits", "c.v1.fits"], ["b.fits", "b.v1.fits"]]);
  await it.until(() => daemon.output().includes("stays at local: it was changed there"), "it is said");
  assertEquals(await Deno.readFile(it.folder.at("nas/a.fits")), changed);
  assertEquals(await daemon.stop(), 0);
});

Deno.test("a mirror leaves what another file, or another job, has put under the same name", async () => {
  await using it = await mirrorRig();
  const { program, folder } = it;
  await Deno.mkdir(folder.at("other"));
  const config = JSON.parse(await Deno.readTextFile(program.configFile));
  const { watch_path, remote_base_path, ...common } = config;
  const jobs = [
    { name: "one", watch_path, remote_base_path, layout: "{name}" },
    { name: "two", watch_path: folder.at("other"), remote_base_path, delete_destination_files: false },
  ];
  await Deno.writeTextFile(program.configFile, JSON.stringify({ ...common, jobs }));
  await it.write(["x/same.fits", "shared.fits", "mine.fits", "stays.fits"]);
  await Deno.mkdir(folder.at("data/y"));
  await Deno.copyFile(folder.at("data/x/same.fits"), folder.at("data/y/same.fits"));
  await Deno.copyFile(folder.at("data/shared.fits"), folder.at("other/shared.fits"));
  await using daemon = await program.start();
  await program.until((rows) => rows.length === 6 && rows.every(({ state }) => state === "delivered"));
  await it.remove("x/same.fits", "shared.fits", "mine.fits");
  await it.until(() => it.trashed().length === 1, "mine.fits is in the trash");
  await it.until(() => daemon.output().split("another delivered file has the same name").length === 3, "it is said");
  assertEquals([it.shown(), it.trashed()], [["same.fits", "shared.fits", "stays.fits"], ["mine.fits"]]);
  assertEquals(await daemon.stop(), 0);
});

Deno.test("run --once is a mirror, too", async () => {
  await using it = await mirrorRig();
  await it.write(["a.fits", "b.fits"]);
  assertEquals((await it.program.command(["run", "--once"])).code, 0);
  await it.remove("a.fits");
  assertEquals((await it.program.command(["run", "--once"])).code, 0);
  assertEquals([it.shown(), it.trashed()], [["b.fits"], ["a.fits"]]);
});
