/** `dry_run: true` in a running daemon: it says what it would send, each version of a file once, and changes nothing. */
import { assertEquals, assertMatch } from "@std/assert";
import { install } from "../support/daemon_process.ts";
import { tempFolder } from "../support/temp.ts";

Deno.test("a job with dry_run says what it would send and sends nothing, until dry_run is taken away", async () => {
  await using folder = await tempFolder();
  const config = {
    watch_path: folder.at("data"),
    file_patterns: ["*.txt"],
    transfer_method: "local",
    remote_base_path: folder.at("nas"),
    layout: "raw/{path}",
    rescan_interval: 1,
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    min_file_age_seconds: 0.1,
    delete_source: true,
  };
  const path = await folder.write("data/a.txt", "alpha");
  const program = await install(folder.path, { ...config, dry_run: true });
  await using _daemon = await program.start();
  const told = `Dry run: ${path} would be sent to local as raw/a.txt`;
  await program.untilLog(new RegExp(`INFO ${told}\n`));
  await folder.write("data/b.txt", "beta");
  // Two more scans have found the first file by then.
  await program.untilLog(/Dry run: \S+b\.txt/);
  await folder.write("data/a.txt", "alpha, longer");
  const log = await program.untilLog(new RegExp(`${told}[\\s\\S]*b\\.txt[\\s\\S]*${told}`));
  assertEquals(log.split(told).length - 1, 2);
  assertMatch((await program.command(["status"])).stdout, /default watches \S+ {2}DRY RUN: nothing is sent/);
  assertEquals(JSON.parse((await program.command(["status", "--json"])).stdout).jobs[0].dry_run, true);
  assertEquals([await program.history(), await Deno.stat(folder.at("nas")).catch(() => null)], [[], null]);

  const written = JSON.parse(await Deno.readTextFile(program.configFile));
  await Deno.writeTextFile(program.configFile, JSON.stringify({ ...written, dry_run: false }));
  await program.until((rows) => rows.length === 2 && rows.every(({ state }) => state === "delivered"));
  assertEquals(await folder.read("nas/raw/a.txt"), "alpha, longer");
  await program.untilLog(/Configuration reloaded/);
});
