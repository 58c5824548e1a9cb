/**
 * Files that would spoil everything for the others: one that cannot be read among a thousand, targets that cannot be written. The others
 * arrive; each that does not is listed.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { install } from "../support/daemon_process.ts";
import { has, needs } from "../support/needs.ts";
import { startSshd } from "../support/sshd.ts";
import { tempFolder } from "../support/temp.ts";
import { each, everyDelivered, makeRig } from "./rig.ts";

/** Root may read everything: without these rights it may not. */
const ORDINARY = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];

Deno.test(
  "one file among a thousand that cannot be read: the others are delivered, it is listed, and follows when it can be read",
  needs("root"),
  async () => {
    await using rig = await makeRig({
      method: "local",
      config: { min_file_age_seconds: 0.2, rescan_interval: 2, log_level: "INFO" },
    });
    for (let i = 0; i < 1000; i++) await rig.expose(`n/${i}.fits`, 3000);
    await rig.expose("n/secret.fits");
    await Deno.chmod(`${rig.watched}/n/secret.fits`, 0);
    await using daemon = await rig.installation.start({ through: ORDINARY });
    const before = await rig.installation.until((rows) => everyDelivered(1000)(rows), 60);
    assertEquals(before.filter(({ target }) => target === "n/secret.fits"), []);
    assertMatch(await rig.installation.untilLog(/ERROR Rejected/), /ERROR Rejected .*secret\.fits.*Give the account/);
    await Deno.chmod(`${rig.watched}/n/secret.fits`, 0o600);
    await rig.endsWell(daemon, 1001);
  },
);

Deno.test(
  "folders that may not be listed: events come of all others, old and new; the system's own are left out, and --check is 0",
  needs("root"),
  async () => {
    await using rig = await makeRig({ method: "local", config: { rescan_interval: "1h", file_patterns: ["*"] } });
    for (const name of ["lost+found", "n/old/deep", "n/closed"]) await Deno.mkdir(`${rig.watched}/${name}`, { recursive: true });
    await rig.expose("n/closed/a.fits");
    await Deno.symlink("/root", `${rig.watched}/n/link`);
    for (const name of ["lost+found", "n/closed"]) await Deno.chmod(`${rig.watched}/${name}`, 0);
    await using daemon = await rig.installation.start({ through: ORDINARY });
    const status = () => rig.installation.command(["status", "--check"], {}, ORDINARY);
    await rig.expose("first.fits");
    await rig.installation.until(everyDelivered(1));
    assertMatch(
      (await status()).stdout,
      /1 folder cannot be listed.*NOT SENT.*n\/closed\n.*Permission denied\n.*leave it out with exclude_patterns/s,
    );
    for (const name of ["n/old/deep/b.fits", "n/old/new/deep/c.fits", "night/d.fits"]) await rig.expose(name);
    await rig.installation.until(everyDelivered(4));
    // New folders are watched, too: these come when nothing is listed any more.
    await Deno.chmod(`${rig.watched}/n/closed`, 0o700);
    await rig.installation.until(everyDelivered(5));
    await new Promise((resolve) => setTimeout(resolve, 3000));
    for (const name of ["night/e.fits", "n/old/new/deep/f.fits", "n/closed/g.fits"]) await rig.expose(name);
    const rows = await rig.installation.until(everyDelivered(8));
    const { code, stdout } = await status();
    assertEquals(code, 0, stdout);
    assertEquals(await daemon.stop(), 0);
    const log = await rig.installation.log();
    assertEquals([/by events/.test(log), /polled|lost\+found/.test(log)], [true, false], log);
    await rig.allIsWell(rows);
  },
);

each(
  ["local", "rsync", "tar", "scp", "sftp"],
  "targets that cannot be written: they are listed with a hint, the rest of their batch arrives",
  async (method) => {
    await using rig = await makeRig({ method });
    for (let i = 0; i < 20; i++) await rig.expose(`n/${i}.fits`, 30_000);
    await rig.expose("n/folder.fits");
    await rig.expose("file/below.fits");
    await Deno.mkdir(`${rig.there}/n/folder.fits/full`, { recursive: true });
    await rig.expect("file", await Deno.readFile(`${rig.watched}/n/0.fits`));
    await Deno.copyFile(`${rig.watched}/n/0.fits`, `${rig.there}/file`);
    const { code, stderr } = await rig.installation.command(["run", "--once"], rig.server?.env ?? {});
    assertEquals(code, 1, stderr);
    const rows = await rig.installation.history();
    assertEquals(rows.filter(({ state }) => state === "delivered").length, 20);
    rig.unexpect("n/folder.fits");
    rig.unexpect("file/below.fits");
    rig.unexpect("file");
    await rig.allIsWell(rows, { listed: ["n/folder.fits", "file/below.fits"] });
    assertMatch(
      await rig.installation.log(),
      /a folder has the name "n\/folder\.fits"\. Move the folder away, or change the layout, then retry/,
    );
    assertMatch(
      await rig.installation.log(),
      /ERROR Failed to transfer .*folder\.fits: .*ERROR Failed to transfer .*below\.fits: |ERROR Failed to transfer .*below\.fits: [^]*ERROR Failed to transfer .*folder\.fits: /s,
    );
  },
);

Deno.test("a base folder that cannot be made: no failure says that the destination is accepting files again", {
  ignore: !has("sshd") || Deno.build.os !== "linux",
}, async () => {
  await using server = await startSshd();
  await using folder = await tempFolder();
  await folder.write("camera/a.fits", "x");
  const keys = { watch_path: folder.at("camera"), remote_host: server.host, transfer_method: "sftp", retry_delay: 0.1 };
  const installation = await install(folder.path, { ...keys, remote_base_path: "/proc/no/archive" }, server.env);
  await using daemon = await installation.start();
  await installation.untilLog(/WARNING Destination \S+ cannot be reached: Cannot create the folder/);
  // Several attempts.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  assertEquals(await daemon.stop(), 0);
  const log = await installation.log();
  const told = [...log.matchAll(/Destination \S+ (cannot be reached|is accepting)/g)].map(([, what]) => what);
  assertEquals(told, ["cannot be reached"], log);
});
