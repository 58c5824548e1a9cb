/**
 * The power goes out right after a file was recorded as delivered: after the journal is replayed, the file is there and
 * whole, and the ledger knows it (I2).
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { sha256 } from "../support/fits_maker.ts";
import type { SshdOptions } from "../support/sshd.ts";
import { tempFolder } from "../support/temp.ts";
import { until } from "../support/until.ts";
import { each, makeRig, needsFor, successLines, tool, unmounting } from "./rig.ts";

interface Case {
  readonly what: string;
  readonly method: "local" | "rsync" | "tar" | "scp" | "sftp";
  readonly sshd?: SshdOptions;
  /** The ledger is on the destination's disk: its own flushes write the names there, too. */
  readonly ledgerThere?: boolean;
}

const CASES: readonly Case[] = [
  { what: "local, ledger on the same disk", method: "local", ledgerThere: true },
  { what: "rsync, ledger on the same disk", method: "rsync", ledgerThere: true },
  { what: "local", method: "local" },
  { what: "rsync", method: "rsync" },
  { what: "rsync without perl there", method: "rsync", sshd: { without: ["perl"] } },
  { what: "tar", method: "tar" },
  { what: "scp", method: "scp" },
  { what: "sftp", method: "sftp" },
  { what: "sftp without a shell there", method: "sftp", sshd: { sftpOnly: true } },
];

for (const { what, method, sshd, ledgerThere = false } of CASES) {
  Deno.test(
    `power cut right after "delivered" (${what}): every delivered file is whole on the disk, and the ledger knows it`,
    needsFor(method, "root", "loop"),
    async () => {
      await using folder = await tempFolder();
      const [image, mount, after] = [folder.at("disk.img"), folder.at("disk"), folder.at("after")];
      await Promise.all([Deno.mkdir(mount), Deno.mkdir(after)]);
      await tool("truncate", "-s", "64M", image);
      await tool("mkfs.ext4", "-q", "-F", image);
      // Nothing is written by itself: what is on the disk was flushed by us.
      await tool("mount", "-o", "loop,commit=300", image, mount);
      await using _mounted = unmounting(mount);
      const state = ledgerThere ? { state_directory: join(mount, "state") } : {};
      await using rig = await makeRig({ method, folder, there: join(mount, "archive"), config: state, sshd: sshd ?? {} });
      await using daemon = await rig.installation.start();
      const hashes = new Map<string, string>();
      const promised = async () => {
        const told = new Set(successLines(await rig.installation.log()));
        return [...hashes.keys()].filter((name) => told.has(join(rig.watched, name)));
      };
      // One file alone, some together, and more than what is flushed file by file.
      for (const [round, count] of [1, 5, 30].entries()) {
        const before = hashes.size;
        // All in one batch: they wait for it together.
        if (!ledgerThere) await rig.installation.command(["pause"]);
        for (let i = 0; i < count; i++) {
          const name = `new${round}/below/p${i}.fits`;
          hashes.set(name, await rig.expose(name, round === 0 ? 2_000_000 : 200_000));
        }
        if (!ledgerThere) {
          await rig.installation.until((rows) => rows.length === hashes.size);
          await rig.installation.command(["resume"]);
        }
        const snapshot = folder.at(`cut${round}.img`);
        const all = async () => (await promised()).length === hashes.size;
        // With the ledger elsewhere nothing is flushed behind the last batch, which could save its names by chance.
        await until(async () => ledgerThere ? (await promised()).length > before : await all(), "something is delivered");
        const names = await promised();
        await tool("cp", "--sparse=always", image, snapshot);
        await tool("mount", "-o", "loop", snapshot, after);
        {
          await using _after = unmounting(after);
          assert(names.length > before);
          for (const name of names) {
            const found = await Deno.readFile(join(after, "archive", name)).catch(() => new Uint8Array());
            assertEquals(await sha256(found), hashes.get(name), `${round}: ${name}`);
          }
          if (ledgerThere) ledgerKnows(join(after, "state"), names);
        }
        await Deno.remove(snapshot);
        await until(all, "all of the round is delivered");
      }
      assertEquals(await daemon.stop(), 0);
      const rows = JSON.parse((await rig.installation.command(["history", "--json"])).stdout);
      await rig.allIsWell(rows, { proof: sshd?.sftpOnly ? "read_back" : "checksum" });
    },
  );
}

each(
  ["local", "tar"],
  "power cut here before anything of a batch is recorded: what has arrived is not sent again",
  async (method) => {
    await using folder = await tempFolder();
    const [image, cut, mount] = [folder.at("disk.img"), folder.at("cut.img"), folder.at("disk")];
    await Deno.mkdir(mount);
    await tool("truncate", "-s", "64M", image);
    await tool("mkfs.ext4", "-q", "-F", image);
    await tool("mount", "-o", "loop,commit=300", image, mount);
    await using _mounted = unmounting(mount);
    await using rig = await makeRig({ method, folder, config: { state_directory: join(mount, "state") } });
    await rig.expose("before.fits");
    {
      await using daemon = await rig.installation.start();
      await until(async () => successLines(await rig.installation.log()).length === 1, "the first is delivered");
      assertEquals(await daemon.stop(), 0);
    }
    const names = ["a.fits", "b.fits", "large.fits"];
    for (const name of names) await rig.expose(name, name === "large.fits" ? 9_000_000 : 200_000);
    await using broken = await rig.installation.start({ env: { IMAGE_TRANSFER_CRASH_AT: "before_record" }, wait: false });
    assert(await broken.ended !== 0);
    await tool("cp", "--sparse=always", image, cut);
    await tool("umount", mount);
    await tool("mount", "-o", "loop", cut, mount);
    const inode = async (name: string) => (await Deno.stat(join(rig.there, name)).catch(() => null))?.ino;
    const arrived = new Map<string, number | null | undefined>();
    for (const name of names) arrived.set(name, await inode(name));
    assert(arrived.values().some((found) => found !== undefined));
    await using daemon = await rig.installation.start();
    // The ledger of before the power cut does not know of what has arrived: that is found, not sent.
    const found = (log: string) => log.match(/ Already at the destination, verified: /g)?.length ?? 0;
    const told = (log: string) => successLines(log).length + found(log);
    await until(async () => told(await rig.installation.log()) === 4, "all are delivered");
    assertEquals(await daemon.stop(), 0);
    for (const [name, before] of arrived) if (before !== undefined) assertEquals(await inode(name), before, name);
    await rig.allIsWell(JSON.parse((await rig.installation.command(["history", "--json"])).stdout), { crashed: true });
  },
  "root",
  "loop",
);

function ledgerKnows(stateFolder: string, names: readonly string[]): void {
  using ledger = openLedger(stateFolder);
  assertEquals(ledger.integrity(), []);
  const known = new Set(ledger.query({ states: ["delivered"] }).map(({ delivery }) => delivery.target));
  assertEquals(names.filter((name) => !known.has(name)), []);
}
