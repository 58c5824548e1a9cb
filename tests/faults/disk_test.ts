/**
 * The destination's disk is full, read-only, or not mounted: the destination holds and says why, others go on, nothing
 * is written into an empty mount point, and everything goes on by itself when the disk is as it should be. A file there
 * that cannot be read is its own trouble only.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { mountSmallDisk } from "../support/small_disk.ts";
import { tempFolder } from "../support/temp.ts";
import { finalNames } from "../support/observer.ts";
import { until } from "../support/until.ts";
import { each, everyDelivered, makeRig, namesIn, tool, troubled, unmounting } from "./rig.ts";

each(
  ["local", "rsync", "tar", "sftp"],
  "disk full and enlarged, read-only and back, not mounted and back: it holds, and goes on by itself",
  async (method) => {
    await using folder = await tempFolder();
    await using disk = await mountSmallDisk(folder.at("disk"), 8);
    const mount = folder.at("mount");
    await Deno.mkdir(mount);
    await tool("mount", "--bind", disk.path, mount);
    await using _mounted = unmounting(mount);
    const other = folder.at("other");
    await using rig = await makeRig({
      method,
      folder,
      there: `${mount}/archive`,
      config: {
        remote_base_path: undefined,
        destinations: [
          { name: "nas", remote_base_path: `${mount}/archive` },
          { name: "other", remote_base_path: other },
        ],
      },
    });
    await using daemon = await rig.installation.start();
    const logged = async () => (await rig.installation.log()).length;
    const all = (count: number) => rig.installation.until(everyDelivered(count), 60);

    await rig.expose("small.fits", 1_000_000);
    await all(2);

    await rig.expose("large.fits", 14_000_000);
    await rig.installation.until(troubled("disk_full"));
    await rig.installation.until((rows) =>
      rows.some((row) => row.destination === "other" && row.state === "delivered" && row.size > 9e6)
    );
    const status = JSON.parse((await rig.installation.command(["status", "--json"])).stdout);
    const nas = status.destinations.find(({ name }: { name: string }) => name === "nas");
    assertEquals(nas.state, "on_hold", JSON.stringify(nas));
    assert(/full|space|free/i.test(JSON.stringify(nas.reason)), JSON.stringify(nas));
    await disk.resize(64);
    await all(4);

    let from = await logged();
    // Whatever is just ending there has to let go first.
    await until(
      () => disk.readOnly(true).then(() => tool("mount", "-o", "remount,bind,ro", mount)).then(() => true, () => false),
      "read-only",
    );
    await rig.expose("locked.fits");
    await rig.installation.untilLog(/Destination nas is on hold: .*read-only/i, from);
    await tool("mount", "-o", "remount,bind,rw", mount);
    await disk.readOnly(false);
    await all(6);

    from = await logged();
    await tool("umount", "-l", mount);
    await rig.expose("away.fits");
    await rig.installation.untilLog(/Destination nas is on hold: /, from);
    await rig.installation.until(troubled("device_missing"));
    assertEquals(await namesIn(mount), []);
    await tool("mount", "--bind", disk.path, mount);
    const rows = await all(8);

    await rig.endsWell(daemon, rows);
    assertEquals((await namesIn(other)).length, 4);
  },
  "root",
);

each(
  ["local", "tar", "sftp"],
  "a destination that is on hold for space collects no temporary folders, and a stop leaves none",
  async (method) => {
    await using folder = await tempFolder();
    await using disk = await mountSmallDisk(folder.at("disk"), 8);
    const sshd = { sftpOnly: method === "sftp" };
    await using rig = await makeRig({ method, folder, there: disk.path, sshd, config: { minimum_free_space_gb: 1 } });
    await rig.expose("a.fits", 20_000);
    const { code } = await rig.installation.command(["run", "--once"], rig.server?.env ?? {});
    assertEquals([code !== 0, await everythingIn(disk.path)], [true, []]);
    await using daemon = await rig.installation.start();
    await rig.installation.untilLog(/is on hold: /);
    await until(async () => (await everythingIn(disk.path)).filter((path) => path.includes("/")).length === 0, "swept");
    assertEquals(await daemon.stop(), 0);
    assertEquals(await everythingIn(disk.path), []);
  },
  "root",
);

/** Files and folders. */
async function everythingIn(folder: string, prefix = ""): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${folder}/${prefix}`)) {
    paths.push(`${prefix}${name}`, ...isDirectory ? await everythingIn(folder, `${prefix}${name}/`) : []);
  }
  return paths;
}

/** Without these even root needs the right to read. */
const PLAIN_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"];

each(
  ["rsync", "tar", "sftp"],
  "a file that cannot be read at the destination: it is listed with what to do, and all others arrive",
  async (method) => {
    await using rig = await makeRig({ method, sshd: { through: PLAIN_RIGHTS, sftpOnly: method === "sftp" } });
    await rig.expose("a.fits", 20_000);
    await rig.expose("b.fits", 20_000);
    // The same name and size: it might be the same file, which only its content tells.
    const { size } = await Deno.stat(`${rig.watched}/a.fits`);
    await Deno.writeFile(`${rig.there}/a.fits`, new Uint8Array(size));
    await Deno.chmod(`${rig.there}/a.fits`, 0);
    const { stderr } = await rig.installation.command(["run", "--once"], rig.server?.env ?? {});
    assertEquals((await Array.fromAsync(finalNames(rig.there))).sort(), ["a.fits", "b.fits"], stderr);
    const rows = await rig.installation.history();
    assertEquals(rows.find(({ target }) => target === "b.fits")?.state, "delivered", stderr);
    const error = rows.find(({ target }) => target === "a.fits")?.error;
    assertEquals(error?.code, "mismatch", JSON.stringify(error));
    assertMatch(error?.message ?? "", /Cannot read "a\.fits" back/);
    assertMatch(error?.hint ?? "", /permission to read it/);
  },
  "root",
);
