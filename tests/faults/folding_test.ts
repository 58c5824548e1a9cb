/**
 * A destination that takes names for one that differ in case, or in the form of their accents, only: both files survive, or the one
 * that cannot be kept is listed with the reason; none is called delivered while its bytes are not there.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { dirname } from "@std/path";
import { fitsFile, sha256 } from "../support/fits_maker.ts";
import { mountFoldingDisk } from "../support/folding_disk.ts";
import { needs } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { makeRig, namesIn, needsFor } from "./rig.ts";

const NAMES = ["M31.fits", "m31.fits", "Caf\u00e9.fits", "Cafe\u0301.fits", "Flats/a.fits", "flats/a.fits", "alone.fits"];

for (const method of ["local", "rsync", "sftp without a shell"] as const) {
  for (const onConflict of ["version", "overwrite", "skip"] as const) {
    if (onConflict === "skip" && method !== "local") continue;
    Deno.test(
      `names that the destination takes for one (${method}, on_conflict: ${onConflict}): no bytes are lost unsaid`,
      needsFor(method, "root", "fuse"),
      async () => {
        await using folder = await tempFolder();
        await using _disk = await mountFoldingDisk(folder.at("backing"), folder.at("mount"));
        const there = folder.at("mount/archive");
        await using rig = await makeRig({
          method: method === "local" || method === "rsync" ? method : "sftp",
          folder,
          there,
          config: { on_conflict: onConflict, order: "oldest_first" },
          ...(method === "sftp without a shell" ? { sshd: { sftpOnly: true } } : {}),
        });
        await rig.observer.stop();
        const hashes: string[] = [];
        for (const [seed, name] of NAMES.entries()) {
          await Deno.mkdir(dirname(`${rig.watched}/${name}`), { recursive: true });
          const content = fitsFile(20_000, seed);
          hashes.push(await sha256(content));
          await Deno.writeFile(`${rig.watched}/${name}`, content);
          // One after the other: with each batch of its own, too.
          if (seed % 2 === 1) await rig.installation.command(["run", "--once"], rig.server?.env ?? {});
        }
        const { code, stderr } = await rig.installation.command(["run", "--once"], rig.server?.env ?? {});
        const rows = await rig.installation.history();
        const found = await contents(there);
        if (onConflict === "version") {
          assertEquals([...found].sort(), hashes.toSorted(), stderr);
          assertEquals(rows.map(({ state }) => state), NAMES.map(() => "delivered"));
          return;
        }
        const delivered = rows.filter(({ state }) => state === "delivered");
        assertEquals(delivered.length, 4, JSON.stringify(rows.map(({ target, state, error }) => [target, state, error])));
        for (const { target, sha256: hash } of delivered) {
          assertEquals(await sha256(await Deno.readFile(`${there}/${target}`)), hash, target);
        }
        const others = rows.filter(({ state }) => state !== "delivered");
        for (const { error } of others) assert(error !== null && error.hint !== "");
        if (onConflict === "overwrite") {
          assertEquals(code, 1);
          for (const { error } of others) assertMatch(error?.message ?? "", /are the same name there/);
        }
      },
    );
  }
}

/** The hashes of all FITS files there. */
async function contents(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await namesIn(folder)) {
    if (name.startsWith(".")) continue;
    const path = `${folder}/${name}`;
    if ((await Deno.stat(path)).isDirectory) found.push(...await contents(path));
    else found.push(await sha256(await Deno.readFile(path)));
  }
  return found;
}

Deno.test(
  "a mirror keeps a file that was renamed at the source to what the destination takes for the same name",
  needs("root", "fuse"),
  async () => {
    await using folder = await tempFolder();
    await using _disk = await mountFoldingDisk(folder.at("backing"), folder.at("mount"));
    const there = folder.at("mount/archive");
    await using rig = await makeRig({ method: "local", folder, there, config: { delete_destination_files: true } });
    await rig.observer.stop();
    const renamed = { "m31.fits": "M31.fits", "caf\u00e9.fits": "cafe\u0301.fits", "flats/a.fits": "Flats/a.fits" };
    const hashes: string[] = [];
    for (const [seed, name] of [...Object.keys(renamed), "gone.fits", "stays.fits"].entries()) {
      await Deno.mkdir(dirname(`${rig.watched}/${name}`), { recursive: true });
      const content = fitsFile(20_000, seed);
      hashes.push(await sha256(content));
      await Deno.writeFile(`${rig.watched}/${name}`, content);
    }
    await rig.installation.command(["run", "--once"]);
    for (const [from, to] of Object.entries(renamed)) {
      await Deno.mkdir(dirname(`${rig.watched}/${to}`), { recursive: true });
      await Deno.rename(`${rig.watched}/${from}`, `${rig.watched}/${to}`);
    }
    await Deno.remove(`${rig.watched}/gone.fits`);
    const { stderr } = await rig.installation.command(["run", "--once"]);
    const rows = await rig.installation.history();
    for (const { path, target, state, sha256: hash } of rows) {
      if (state !== "delivered") continue;
      assertEquals(await sha256(await Deno.readFile(`${there}/${target}`)), hash, `${path}\n${stderr}`);
    }
    assertEquals(rows.filter(({ state }) => state === "delivered").length, 4);
    assertEquals([...await contents(there)].sort(), hashes.toSpliced(3, 1).sort());
  },
);
