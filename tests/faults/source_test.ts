/**
 * The source changes, shrinks, is replaced or deleted while it is sent: no mixture of two versions is ever shown, the
 * newest version arrives, and what became of the others is listed.
 */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { fitsFile, sha256 } from "../support/fits_maker.ts";
import { until } from "../support/until.ts";
import { each, everyDelivered, makeRig, type Rig } from "./rig.ts";

const SIZE = 4_000_000;

const FAULTS: readonly {
  name: string;
  strike: (rig: Rig, path: string) => Promise<void>;
  becomes?: (old: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
}[] = [
  {
    name: "changed.fits",
    becomes: (old) => old.map((byte, at) => at > 2_000_000 && at < 2_000_100 ? byte ^ 255 : byte),
    async strike(_, path) {
      using file = await Deno.open(path, { read: true, write: true });
      const piece = new Uint8Array(99);
      await file.seek(2_000_001, Deno.SeekMode.Start);
      await file.read(piece);
      await file.seek(2_000_001, Deno.SeekMode.Start);
      await file.write(piece.map((byte) => byte ^ 255));
    },
  },
  {
    name: "shrunk.fits",
    becomes: () => fitsFile(2_000_000, 7001),
    async strike(_, path) {
      await Deno.truncate(path, 1_000_000);
      await new Promise((resolve) => setTimeout(resolve, 700));
      await Deno.writeFile(path, fitsFile(2_000_000, 7001));
    },
  },
  {
    name: "replaced.fits",
    becomes: () => fitsFile(SIZE, 7002),
    async strike(_, path) {
      await Deno.writeFile(`${path}.tmp`, fitsFile(SIZE, 7002));
      await Deno.rename(`${path}.tmp`, path);
    },
  },
  { name: "deleted.fits", strike: (_, path) => Deno.remove(path) },
];

const METHODS = ["local", "rsync", "tar", "sftp"] as const;

each(
  METHODS,
  "source changed, shrunk, replaced, deleted while it is sent: only whole versions, the newest arrives",
  async (method) => {
    await using rig = await makeRig({ method, config: { bandwidth_limit: "2 MB/s", min_file_age_seconds: 0.2 } });
    await using daemon = await rig.installation.start();
    let delivered = 0;
    for (const { name, strike, becomes } of FAULTS) {
      await rig.expose(name, SIZE);
      const path = join(rig.watched, name);
      const newest = becomes?.(await Deno.readFile(path));
      if (newest !== undefined) await rig.expect(name, newest);
      // From here on nothing may take long: the rest is on its way.
      await until(async () => await rig.staged() > 500_000, `a part of ${name} is there`);
      await strike(rig, path);
      const hash = newest === undefined ? null : await sha256(newest);
      if (hash === null) rig.unexpect(name);
      else delivered++;
      await rig.installation.until((rows) =>
        everyDelivered(delivered)(rows) &&
        rows.some((row) =>
          row.target === name && (hash ? row.sha256 === hash && row.state === "delivered" : row.state === "failed")
        ), 60);
    }
    const rows = await rig.installation.history();
    await rig.endsWell(daemon, rows, { listed: ["deleted.fits"] });
    assertEquals(rows.find(({ target }) => target === "deleted.fits")?.error?.code, "source_gone");
  },
);

each(
  METHODS,
  "the same name with new content, twice: the newest has the plain name, the former are kept as versions",
  async (method) => {
    await using rig = await makeRig({ method });
    await using daemon = await rig.installation.start();
    const hashes: string[] = [];
    for (let version = 1; version <= 3; version++) {
      hashes.push(await rig.expose("n/image.fits", 300_000));
      await rig.installation.until(everyDelivered(version));
    }
    const rows = await rig.installation.history();
    await rig.endsWell(daemon, rows);
    const there = await Promise.all(
      ["image.v1.fits", "image.v2.fits", "image.fits"].map(async (name) =>
        await sha256(await Deno.readFile(join(rig.there, "n", name)))
      ),
    );
    assertEquals(there, hashes);
  },
);

each(
  METHODS,
  "rewritten within the second under the same times: both versions arrive, as of any other rewrite",
  async (method) => {
    await using rig = await makeRig({ method });
    await using daemon = await rig.installation.start();
    const hashes: [string, string][] = [];
    while (hashes.length === 0) {
      const name = `image${Date.now()}.fits`;
      const path = join(rig.watched, name);
      await new Promise((resolve) => setTimeout(resolve, 1_030 - Date.now() % 1_000));
      const first = await rig.expose(name, 30_000);
      const { mtime, ctime } = await Deno.stat(path);
      await until(() => exists(join(rig.there, name)), `${name} arrives`);
      const content = fitsFile(30_000, Date.now());
      const second = await rig.expect(name, content);
      {
        using file = await Deno.open(path, { write: true });
        await file.write(content);
        await file.utime(mtime!, mtime!);
      }
      // On a machine that is too slow for it its ctime tells.
      if ((await Deno.stat(path)).ctime!.getTime() === ctime!.getTime()) hashes.push([first, second]);
      await rig.installation.until((rows) => rows.some(({ sha256, state }) => sha256 === second && state === "delivered"));
      const former = join(rig.there, name.replace(".fits", ".v1.fits"));
      assertEquals(await sha256(await Deno.readFile(former)), first);
    }
    const rows = await rig.installation.history();
    await rig.endsWell(daemon, rows);
  },
);

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
