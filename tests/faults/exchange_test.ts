/**
 * Another account that may write in the watched folder exchanges folders for links all the time: nothing from elsewhere is sent or removed.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { exchanging } from "../support/exchanger.ts";
import { fitsFile, sha256 } from "../support/fits_maker.ts";
import { needs } from "../support/needs.ts";
import { until } from "../support/until.ts";
import { makeRig, namesIn, type Rig } from "./rig.ts";

/** An account that nobody has. */
const STRANGER = 54_321;
const FOLDERS = 40;

/** Files of a stranger, and beside each folder a link to files of ours that have the same names, sizes and times. */
async function makeTrap(rig: Rig): Promise<{ readonly secret: string; readonly hash: string }> {
  const secret = rig.folder.at("secret");
  await Deno.mkdir(secret);
  await Deno.chmod(rig.folder.path, 0o755);
  const [own, ours] = [fitsFile(20_000, 1), fitsFile(20_000, 2)];
  for (let number = 0; number < FOLDERS; number++) {
    const folder = join(rig.watched, `f${number}`);
    await Deno.mkdir(folder);
    for (const [path, content] of [[join(folder, `${number}.fits`), own], [join(secret, `${number}.fits`), ours]] as const) {
      await Deno.writeFile(path, content, { mode: 0o640 });
      await Deno.utime(path, 1_700_000_000, 1_700_000_000);
    }
    await Deno.chown(folder, STRANGER, STRANGER);
    await Deno.chown(join(folder, `${number}.fits`), STRANGER, STRANGER);
    await Deno.symlink(secret, join(rig.watched, `link${number}`));
  }
  await Deno.chown(rig.watched, STRANGER, STRANGER);
  return { secret, hash: await sha256(own) };
}

Deno.test(
  "folders of another account that are exchanged for links while they are read: nothing from behind the links is sent",
  needs("root"),
  async () => {
    await using rig = await makeRig({ method: "local", config: { min_file_age_seconds: 0 } });
    const { hash } = await makeTrap(rig);
    const sent = async () => {
      const folders = (await namesIn(rig.there)).filter((name) => !name.startsWith(".")).map((name) => join(rig.there, name));
      const files = await Promise.all(folders.map(async (folder) => (await namesIn(folder)).map((name) => join(folder, name))));
      return await Promise.all(files.flat().map(async (file) => await sha256(await Deno.readFile(file))));
    };
    await using daemon = await rig.installation.start();
    {
      const pairs = Array.from({ length: FOLDERS }, (_, number) => [`f${number}`, `link${number}`] as const);
      await using _exchanging = await exchanging(rig.watched, pairs, STRANGER);
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      assertEquals((await sent()).filter((one) => one !== hash).length, 0);
    }
    await until(async () => (await sent()).length >= FOLDERS, "all are delivered once nobody exchanges folders");
    assertEquals([...new Set(await sent())], [hash]);
    assertEquals(await daemon.stop(), 0);
  },
);

Deno.test(
  "delete_source where another account may exchange folders, kill -9 while a source is moved: it is put back, and removed at the next start",
  needs("root"),
  async () => {
    await using rig = await makeRig({ method: "local", config: { delete_source: true } });
    await rig.expose("night/a.fits");
    await Deno.chown(rig.watched, STRANGER, STRANGER);
    await using broken = await rig.installation.start({ env: { IMAGE_TRANSFER_CRASH_AT: "after_source_moved" }, wait: false });
    assert(await broken.ended > 0);
    const ours = async () => (await namesIn(rig.folder.path)).filter((name) => name.startsWith(".image-transfer-"));
    assertEquals([await namesIn(join(rig.watched, "night")), (await ours()).length], [[], 1]);
    await using daemon = await rig.installation.start();
    await until(async () => (await ours()).length === 0, "it is put back");
    await rig.expose("night/b.fits");
    await until(async () => (await namesIn(join(rig.watched, "night"))).length === 0, "both are delivered and removed");
    assertEquals(await daemon.stop(), 0);
    await rig.allIsWell(await rig.installation.until(() => true), { crashed: true });
    assertEquals(await ours(), []);
  },
);
