import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { observingNight } from "../../src/domain/night/night.ts";
import type { MorningReport } from "../../src/reports/morning/morning_json.ts";
import { install } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { tempFolder } from "../support/temp.ts";

async function afterANight(names: readonly string[], changes: Readonly<Record<string, unknown>> = {}) {
  const folder = await tempFolder();
  await Deno.mkdir(folder.at("data"));
  for (const [i, name] of names.entries()) await folder.write(`data/${name}`, fitsFile(3000 * (i + 1), i + 1));
  const program = await install(folder.path, {
    watch_path: folder.at("data"),
    destinations: [{ name: "nas", transfer_method: "local", remote_base_path: folder.at("nas") }],
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    min_file_age_seconds: 0.2,
    incomplete_after: "1s",
    ...changes,
  });
  assertEquals((await program.command(["run", "--once"])).code, 0);
  const json = async (...args: string[]) => {
    const { code, stdout } = await program.command(["report", "--json", ...args]);
    return { code, report: JSON.parse(stdout) as MorningReport };
  };
  return { folder, program, json, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

Deno.test("report tells that all is well: seen, delivered, proven, present; exit 0", async () => {
  await using night = await afterANight(["m_0001.fits", "m_0002.fits", "m_0003.fits"]);
  const { code, report } = await night.json();
  assertEquals([code, report.all_well, report.seen.files], [0, true, 3]);
  const [{ delivered, proven, present, wrong, hashed }] = report.destinations as [MorningReport["destinations"][number]];
  assertEquals([delivered, proven, present, wrong, hashed], [3, 3, 3, [], false]);
  assertEquals((await night.json("--deep")).report.destinations[0]?.hashed, true);
  const text = await night.program.command(["report"]);
  assertMatch(text.stdout, /^Night \d{4}-\d\d-\d\d: all well, all 3 images are on nas\n/);
  assertStringIncludes(text.stdout, "3 delivered, 3 verified, 3 present");
});

Deno.test("report finds what is missing, has another size, and with --deep other bytes of the same size; exit 1", async () => {
  await using night = await afterANight(["a.fits", "b.fits", "c.fits"]);
  await Deno.remove(night.folder.at("nas/a.fits"));
  await Deno.truncate(night.folder.at("nas/b.fits"), 100);
  const size = (await Deno.stat(night.folder.at("nas/c.fits"))).size;
  await Deno.writeFile(night.folder.at("nas/c.fits"), new Uint8Array(size));
  const shallow = await night.json();
  assertEquals([shallow.code, shallow.report.all_well, shallow.report.destinations[0]?.present], [1, false, 1]);
  assertEquals(shallow.report.destinations[0]?.wrong.map(({ target }) => target).sort(), ["a.fits", "b.fits"]);
  const deep = await night.json("--deep");
  assertEquals([deep.code, deep.report.destinations[0]?.present], [1, 0]);
  const text = await night.program.command(["report"]);
  assertEquals(text.code, 1);
  assertStringIncludes(text.stdout, "NOT all well: 2 missing or changed on nas");
  assertStringIncludes(text.stdout, "  a.fits: it is no longer there");
});

Deno.test("report lists gaps in frame numbers and a destination that cannot be asked; exit 1", async () => {
  await using night = await afterANight(["m_0001.fits", "m_0002.fits", "m_0005.fits"]);
  const gaps = await night.json();
  assertEquals([gaps.code, gaps.report.gaps.map(({ missing }) => missing)], [1, [["0003-0004"]]]);
  await Deno.rename(night.folder.at("nas"), night.folder.at("away"));
  const away = await night.json();
  assertEquals([away.code, away.report.destinations[0]?.present], [1, null]);
  assertStringIncludes(away.report.destinations[0]?.problem ?? "", "nas");
});

Deno.test("report --html shows names from the disk as text", async () => {
  await using night = await afterANight(["<img src=x onerror=alert(1)>.fits"]);
  const { code, stdout } = await night.program.command(["report", "--html"]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "&lt;img src=x onerror=alert(1)&gt;.fits");
  assertEquals(/<img|<script/.test(stdout), false);
});

Deno.test("report of a night without images says so, exits 0, and names the last one; bad words are refused", async () => {
  await using night = await afterANight(["a.fits"]);
  const none = await night.program.command(["report", "--night", "1999-12-31"]);
  assertEquals(none.code, 0);
  assertStringIncludes(none.stdout, "Night 1999-12-31: no images");
  assertMatch(none.stderr, /The last night with images: report --night \d{8}/);
  assertEquals((await night.program.command(["report", "--night", "yesterday"])).code, 2);
  assertEquals((await night.json("--night", "last")).report.seen.files, 1);
  assertEquals((await night.program.command(["report", "--json", "--html"])).code, 2);
});

Deno.test("open prints the page's address with the token, the log without; 4 without a daemon, 1 without a page", async () => {
  await using night = await afterANight(["a.fits"]);
  assertEquals((await night.program.command(["open", "--print"])).code, 4);
  {
    await using _daemon = await night.program.start();
    const { code, stderr } = await night.program.command(["open"]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "web: false");
  }
  const config = JSON.parse(await Deno.readTextFile(night.program.configFile));
  await Deno.writeTextFile(night.program.configFile, JSON.stringify({ ...config, web: { listen: "127.0.0.1:0" } }));
  await using daemon = await night.program.start();
  const { code, stdout } = await night.program.command(["open", "--print"]);
  assertEquals(code, 0);
  assertMatch(stdout, /^http:\/\/127\.0\.0\.1:\d+\/\?token=[0-9a-f]{64}\n$/);
  // The log may be read by others.
  assertEquals(daemon.output().includes("token="), false);
  const status = JSON.parse((await night.program.command(["status", "--json"])).stdout);
  assertEquals(status.url, stdout.slice(0, stdout.indexOf("?")));
});

Deno.test("report calls no night well of which an image is incomplete, damaged or not looked at; exit 1", async () => {
  await using night = await afterANight(["m_0001.fits"]);
  const whole = fitsFile(30_000);
  await night.folder.write("data/half.fits", whole.subarray(0, 9_000));
  const before = await night.program.command(["report"]);
  assertEquals(before.code, 1);
  assertStringIncludes(before.stdout, "NOT all well: 1 not picked up at the camera\n\n2 images seen");
  assertStringIncludes(before.stdout, `${night.folder.at("data/half.fits")}: no daemon is running to send it`);
  assertEquals((await night.json("--night", "19991231")).code, 0);
  await Deno.rename(night.folder.at("data"), night.folder.at("gone"));
  const blind = await night.program.command(["report"]);
  assertEquals(blind.code, 1);
  assertStringIncludes(blind.stdout, `Cannot list "${night.folder.at("data")}"`);
});

Deno.test("report, status and history --failed tell why the running daemon does not take a file", async () => {
  await using night = await afterANight(["m_0001.fits"], { verify_source: "refuse" });
  const [half, bad] = [night.folder.at("data/half.fits"), night.folder.at("data/bad.fits.gz")];
  await using _daemon = await night.program.start();
  await night.folder.write("data/half.fits", fitsFile(30_000).subarray(0, 9_000));
  await night.folder.write("data/bad.fits.gz", new Uint8Array(400).fill(7).with(0, 0x1f).with(1, 0x8b).with(2, 8).with(3, 0));
  await night.program.untilLog(/ERROR .*bad\.fits\.gz/);
  await night.program.untilLog(/Incomplete, not sent/);
  const { code, stdout } = await night.program.command(["report"]);
  assertEquals(code, 1);
  assertStringIncludes(stdout, `${half}: it is incomplete: `);

  const checked = await night.program.command(["status", "--json", "--check"]);
  const { all_well, jobs: [job] } = JSON.parse(checked.stdout);
  assertEquals([checked.code, all_well, job.incomplete + job.rejected], [1, false, 2]);
  assertEquals(job.not_sent.map(({ path }: { path: string }) => path).sort(), [bad, half]);
  const failed = await night.program.command(["history", "--failed"]);
  for (const path of [half, bad]) assertStringIncludes(failed.stdout, `): ${path}\n`);
  assertEquals(failed.stderr.includes("Nothing failed"), false);
});

Deno.test("report says why a delivery waits: paused by whom, or that no daemon runs", async () => {
  await using night = await afterANight(["m_0001.fits"]);
  {
    await using daemon = await night.program.start();
    assertEquals((await night.program.command(["pause"], { USER: "ann", SUDO_USER: "" })).code, 0);
    await night.folder.write("data/m_0002.fits", fitsFile(3000, 9));
    await night.program.until((rows) => rows.length === 2);
    const { stdout } = await night.program.command(["report"]);
    assertStringIncludes(stdout, "      waiting: paused by ann\n");
    daemon.kill("SIGKILL");
    await daemon.ended;
  }
  assertStringIncludes((await night.program.command(["report"])).stdout, "      waiting: no daemon is running to send it\n");
});

Deno.test("report of an older night does not look for what a later night replaced", async () => {
  await using night = await afterANight(["m_0001.fits", "m_0002.fits"]);
  const path = night.folder.at("data/m_0001.fits");
  const before = (await Deno.stat(path)).mtime!;
  const tomorrow = new Date(before.getTime() + 24 * 3_600_000);
  await Deno.writeFile(path, fitsFile(9000, 7));
  await Deno.utime(path, tomorrow, tomorrow);
  assertEquals((await night.program.command(["run", "--once"])).code, 0);
  const first = observingNight(before.getTime(), { timezone: null, rollover: "12:00", siteLongitude: null });
  const { code, report } = await night.json("--deep", "--night", first);
  assertEquals([code, report.destinations[0]?.replaced, report.destinations[0]?.present], [0, 1, 1]);
});
