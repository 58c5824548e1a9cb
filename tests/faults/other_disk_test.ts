/**
 * Another disk is mounted in the place of the one that has the delivered files: nothing is accepted silently, a person says what
 * becomes of them, and what is not on the new disk is not shown as there.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { MorningReport } from "../../src/reports/morning/morning_json.ts";
import { needs } from "../support/needs.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { tempFolder } from "../support/temp.ts";
import { configure, everyDelivered, makeRig, namesIn, needsFor, tool } from "./rig.ts";

for (const method of ["local", "rsync", "tar"] as const) {
  for (const choice of ["--send-again", "--keep"] as const) {
    Deno.test(
      `resume ${choice} after another disk was mounted (${method}): history, status and report say what is there`,
      needsFor(method, "root"),
      async () => {
        await using folder = await tempFolder();
        const mount = folder.at("mount");
        await using _first = await mountSmallDisk(mount, 16);
        // A mount point of another file system has another device for rsync, too.
        const there = `${mount}/archive`;
        await using rig = await makeRig({ method, folder, there });
        const { installation } = rig;
        await using daemon = await installation.start();
        for (const name of ["a.fits", "b.fits", "c.fits"]) await rig.expose(name, 20_000);
        await installation.until(everyDelivered(3));
        await Deno.remove(`${rig.watched}/c.fits`);

        await using _second = await mountSmallDisk(mount, 16);
        if (method === "local") await Deno.mkdir(there);
        await rig.observer.stop();
        const destination = JSON.parse((await installation.command(["status", "--json"])).stdout).destinations[0].name;
        const from = (await installation.log()).length;
        await rig.expose("d.fits", 20_000);
        await installation.untilLog(/is on hold: /, from);

        const asked = await installation.command(["resume", destination]);
        assertEquals(asked.code, 2, asked.stderr);
        assertMatch(asked.stderr, /3 images were delivered to the former disk .*--send-again .*--keep /s);
        await new Promise((resolve) => setTimeout(resolve, 500));
        assertEquals(await fits(there), []);

        assertEquals((await installation.command(["resume", destination, choice])).code, 0);
        const again = choice === "--send-again" ? ["a.fits", "b.fits"] : [];
        const rows = await installation.until((rows) =>
          ["d.fits", ...again].every((name) => rows.some(({ target, state }) => target === name && state === "delivered"))
        );
        const gone = ["a.fits", "b.fits", "c.fits"].filter((name) => !again.includes(name));
        assertEquals(rows.filter(({ error }) => error?.code === "gone").map(({ target }) => target).sort(), gone);
        assertEquals(rows.filter(({ state }) => state === "delivered").map(({ target }) => target).sort(), [...again, "d.fits"]);
        assertEquals(await fits(there), [...again, "d.fits"]);

        const status = await installation.command(["status"]);
        assertMatch(status.stdout, new RegExp(`${gone.length} gone from the destination`));
        assert(!/All is well/.test(status.stdout), status.stdout);
        const history = await installation.command(["history"]);
        assertMatch(history.stdout, /gone .*c\.fits\n +It is no longer at the destination: another disk or folder was accepted/);
        const report = await installation.command(["report", "--json", "--night", "last"]);
        assertEquals(report.code, 1);
        const { undelivered } = JSON.parse(report.stdout) as MorningReport;
        assertEquals(undelivered.map(({ path }) => path.split("/").at(-1)).sort(), gone);
        assertEquals(await daemon.stop(), 0);
      },
    );
  }
}

for (const kind of ["rsync", "tar", "sftp", "sftp alone"] as const) {
  Deno.test(
    `another, empty disk mounted at the same path of a server (${kind}) is noticed at the next start, before anything is sent`,
    needs("root", "sshd", "rsync"),
    async () => {
      await using folder = await tempFolder();
      const there = folder.at("mount");
      await using _first = await mountSmallDisk(there, 16);
      const method = kind === "sftp alone" ? "sftp" : kind;
      await using rig = await makeRig({ method, folder, there, sshd: { sftpOnly: kind === "sftp alone" } });
      const { installation } = rig;
      await using former = await installation.start();
      await rig.expose("a.fits", 20_000);
      await installation.until(everyDelivered(1));
      assertEquals(await former.stop(), 0);
      await rig.observer.stop();

      await secondAfter((await Deno.stat(there)).birthtime!.getTime());
      await using _second = await mountSmallDisk(there, 16);
      const from = (await installation.log()).length;
      await using daemon = await installation.start();
      await rig.expose("b.fits", 20_000);
      await installation.untilLog(/is on hold: .*different disk/, from);
      assertEquals(await fits(there), []);
      const status = await installation.command(["status"]);
      assert(!/All is well/.test(status.stdout), status.stdout);
      assertEquals(await daemon.stop(), 0);
    },
  );
}

for (const choice of ["--send-again", "--keep"] as const) {
  Deno.test(`a remote_base_path that is corrected after deliveries asks what becomes of them, resume ${choice}`, async () => {
    await using folder = await tempFolder();
    await using rig = await makeRig({ method: "local", folder });
    const { installation } = rig;
    await using former = await installation.start();
    for (const name of ["a.fits", "b.fits"]) await rig.expose(name, 20_000);
    await installation.until(everyDelivered(2));
    assertEquals(await former.stop(), 0);
    await rig.observer.stop();
    const corrected = folder.at("corrected");
    await configure(rig, { remote_base_path: corrected });
    const from = (await installation.log()).length;
    await using daemon = await installation.start();
    await rig.expose("d.fits", 20_000);
    await installation.untilLog(/is on hold: .*remote_base_path was changed; 2 delivered files are in/, from);

    const checked = await installation.command(["status", "--check"]);
    assertEquals(checked.code, 1, checked.stdout);
    assertMatch(checked.stdout, /has another base path than the files delivered to it/);
    const [{ name }] = JSON.parse((await installation.command(["status", "--json"])).stdout).destinations;
    const asked = await installation.command(["resume", name]);
    assertEquals(asked.code, 2, asked.stderr);
    assertMatch(asked.stderr, /2 images were delivered to the former disk or folder of /);
    assertEquals(await fits(corrected), []);

    const chosen = await installation.command(["resume", name, choice]);
    const what = choice === "--keep"
      ? "what is only in the former disk or folder stays there"
      : "what is missing in the new disk or folder is sent again";
    assertEquals([chosen.code, chosen.stderr], [0, `Retrying ${name} now; ${what}.\n`]);
    const again = choice === "--send-again" ? ["a.fits", "b.fits"] : [];
    await installation.until((rows) =>
      ["d.fits", ...again].every((name) => rows.some(({ target, state }) => target === name && state === "delivered"))
    );
    assertEquals(await fits(corrected), [...again, "d.fits"]);
    assertEquals(await fits(rig.there), ["a.fits", "b.fits"]);
    assertEquals(await daemon.stop(), 0);
  });
}

Deno.test(
  "another, empty disk with the device number of the former one (local) is noticed at the next start, before anything is sent",
  needs("root", "loop"),
  async () => {
    await using folder = await tempFolder();
    const there = folder.at("mount");
    await Deno.mkdir(there);
    const image = await folder.write("disk.img", "");
    await Deno.truncate(image, 16 << 20);
    const disk = (await tool("losetup", "--find", "--show", image)).trim();
    try {
      await tool("mkfs.ext4", "-q", disk);
      await tool("mount", disk, there);
      await using rig = await makeRig({ method: "local", folder, there });
      const { installation } = rig;
      await using former = await installation.start();
      await rig.expose("a.fits", 20_000);
      await installation.until(everyDelivered(1));
      assertEquals(await former.stop(), 0);
      await rig.observer.stop();

      await tool("umount", there);
      await secondAfter(Date.now());
      await tool("mkfs.ext4", "-q", "-F", disk);
      await tool("mount", disk, there);
      const from = (await installation.log()).length;
      await using daemon = await installation.start();
      await rig.expose("b.fits", 20_000);
      await installation.untilLog(/is on hold: .*different disk/, from);
      assertEquals(await fits(there), []);
      assertEquals(await daemon.stop(), 0);
    } finally {
      await tool("umount", "-l", there).catch(() => undefined);
      await tool("losetup", "-d", disk);
    }
  },
);

/** Waits for the second after that of `time`: servers tell in whole seconds when a folder was made, by a clock that is some ms behind. */
async function secondAfter(time: number): Promise<void> {
  const next = Math.floor(time / 1000 + 1) * 1000 + 100;
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - Date.now())));
}

async function fits(folder: string): Promise<string[]> {
  try {
    return (await namesIn(folder)).filter((name) => name.endsWith(".fits"));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
