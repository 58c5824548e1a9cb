/**
 * The ledger is lost, torn, or its disk is full; another daemon wants it: nothing is lost, nothing is sent twice, and
 * each is said in plain words.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { needs } from "../support/needs.ts";
import { finalNames } from "../support/observer.ts";
import { fill, mountSmallDisk } from "../support/small_disk.ts";
import { tempFolder } from "../support/temp.ts";
import { each, everyDelivered, makeRig, successLines } from "./rig.ts";

each(
  ["local", "rsync"],
  "ledger deleted, then torn: what is there is adopted, not sent; a second daemon is refused",
  async (method) => {
    await using rig = await makeRig({ method });
    for (let i = 0; i < 6; i++) await rig.expose(`20261120/l${i}.fits`);
    {
      await using daemon = await rig.installation.start();
      await rig.installation.until(everyDelivered(6));
      const second = await rig.installation.command(["run"], rig.server?.env ?? {});
      assertEquals(second.code, 3, second.stderr);
      assertMatch(second.stderr, /Another image-transfer is already running/);
      const once = await rig.installation.command(["run", "--once"], rig.server?.env ?? {});
      assertEquals(once.code, 3, once.stderr);
      assertEquals(await daemon.stop(), 0);
    }
    const inodes = await identities(rig.there);
    const ledger = join(rig.installation.stateFolder, "ledger.sqlite");

    for (const ending of ["", "-wal", "-shm"]) await Deno.remove(ledger + ending).catch(() => {});
    await rig.expose("20261120/new1.fits");
    {
      await using daemon = await rig.installation.start();
      await rig.installation.until(everyDelivered(7));
      assertEquals(await daemon.stop(), 0);
      const log = await rig.installation.log();
      assertMatch(log, /WARNING The ledger is new but this installation is not/);
      // Each was transferred once; what was there already is another line.
      assertEquals([successLines(log).length, foundLines(log).length], [7, 6]);
    }
    assertUntouched(inodes, await identities(rig.there));

    // As a copy to another disk: the same names, times and bytes, other inodes.
    const from = (await rig.installation.log()).length;
    for (let i = 0; i < 6; i++) await copyInPlace(join(rig.watched, `20261120/l${i}.fits`));
    {
      await using daemon = await rig.installation.start();
      await rig.expose("20261120/new3.fits");
      await rig.installation.until(everyDelivered(8));
      // What is only known again is hashed, one after the other.
      await rig.installation.command(["sync"], rig.server?.env ?? {});
      await rig.installation.untilLog(/Scanned job default: \d+ files, 0 new/, from);
      assertEquals(await daemon.stop(), 0);
      const log = await rig.installation.log();
      assertEquals([successLines(log).length, foundLines(log).length, (await rig.installation.history()).length], [8, 6, 8]);
    }
    assertUntouched(inodes, await identities(rig.there));

    const bytes = await Deno.readFile(ledger);
    bytes.fill(0xa5, 4096, Math.min(bytes.length, 4096 * 6));
    await Deno.writeFile(ledger, bytes);
    await rig.expose("20261120/new2.fits");
    await using daemon = await rig.installation.start();
    const rows = await rig.installation.until(everyDelivered(9));
    assertEquals(await daemon.stop(), 0);
    assertMatch(await rig.installation.log(), /WARNING The ledger was damaged\. It was kept as /);
    assertUntouched(inodes, await identities(rig.there));
    assertEquals((await Array.fromAsync(finalNames(rig.there))).length, 9);
    // Adopted files have a line in each of the three ledgers.
    await rig.allIsWell(rows, { crashed: true });
  },
);

Deno.test(
  "the disk of the ledger is full: nothing is shown wrong, it is said, and all is delivered when there is room",
  needs("root", "sshd", "rsync"),
  async () => {
    await using folder = await tempFolder();
    await using disk = await mountSmallDisk(folder.at("small"), 3);
    await using rig = await makeRig({ method: "rsync", folder, config: { state_directory: disk.path, rescan_interval: 2 } });
    const history = async () => JSON.parse((await rig.installation.command(["history", "--json"])).stdout);
    await using daemon = await rig.installation.start();
    await rig.expose("before.fits");
    await rig.installation.untilLog(/Successfully transferred .*before/);
    await fill(join(disk.path, "filler"));
    for (let i = 0; i < 40; i++) await rig.expose(`full${i}.fits`, 20_000);
    await rig.installation.untilLog(/disk.*full|no space/i);
    await Deno.remove(join(disk.path, "filler"));
    await disk.resize(32);
    for (let i = 0; i < 40; i++) await rig.installation.untilLog(new RegExp(`Successfully transferred .*full${i}\\.fits`), 0, 60);
    assertEquals(await daemon.stop(), 0);
    const rows = await history();
    assert(everyDelivered(41)(rows));
    await rig.allIsWell(rows);
  },
);

function foundLines(log: string): string[] {
  return log.split("\n").filter((line) => / INFO (\[\w+\] )?Already at the destination, verified: \S+$/.test(line));
}

async function copyInPlace(path: string): Promise<void> {
  const { mtime } = await Deno.stat(path);
  await Deno.copyFile(path, `${path}.copy`);
  await Deno.utime(`${path}.copy`, mtime!, mtime!);
  await Deno.rename(`${path}.copy`, path);
}

async function identities(folder: string): Promise<Map<string, number | null>> {
  const found = new Map<string, number | null>();
  for await (const name of finalNames(folder)) found.set(name, (await Deno.stat(join(folder, name))).ino);
  return found;
}

function assertUntouched(before: ReadonlyMap<string, number | null>, after: ReadonlyMap<string, number | null>): void {
  for (const [name, inode] of before) assertEquals(after.get(name), inode, name);
}
